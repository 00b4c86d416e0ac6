// Makes gRPC's own timed waits, above all those of its timers, independent of the wall clock.
#pragma once

namespace hail::rpc {

// gRPC waits with absl::CondVar, which in abseil before 20230802 waits for a time of the wall clock. After that clock
// is set back, gRPC's timers stand still until it has caught up: calls outlive their deadlines, and a channel that lost
// its server does not reconnect. A program that contains this function replaces the timed waits of absl::CondVar by
// waits on a steady clock; abseil and gRPC must be shared libraries. The call itself does nothing: it only links the
// replacement.
void WaitOnSteadyClock();

}  // namespace hail::rpc
