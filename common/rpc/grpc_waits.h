// The timed waits of gRPC itself, its timers' above all.
#pragma once

namespace hail::rpc {

// gRPC waits with instants of the wall clock, as the abseil that it is built on does. Where that clock is set back, its
// timers stand still until it has caught up: calls outlive their deadlines, and a channel that lost its server does not
// look for it again. A program that calls this has a gpr_cv_wait of its own, on a clock that nobody sets, in place of
// libgpr's; gRPC must be a shared library. Calling it does nothing more.
void WaitOnSteadyClock();

}  // namespace hail::rpc
