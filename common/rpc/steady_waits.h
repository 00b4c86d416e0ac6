// The timed waits of gRPC itself, its timers' above all.
#pragma once

namespace hail::rpc {

// gRPC waits with absl::CondVar, which in abseil before 20230802 waits for an instant of the wall clock. Where that
// clock is set back, gRPC's timers stand still until it has caught up: calls outlive their deadlines, and a channel
// that lost its server does not look for it again. A program that calls this has timed waits of absl::CondVar of its
// own, on a clock that nobody sets, in place of the library's; abseil and gRPC must be shared libraries. Calling it
// does nothing more.
void WaitOnSteadyClock();

}  // namespace hail::rpc
