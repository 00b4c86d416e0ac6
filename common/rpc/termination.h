// SIGTERM and SIGINT, without a signal handler.
#pragma once

#include "absl/time/time.h"

namespace hail::rpc {

// Keeps SIGTERM and SIGINT pending for WaitForTermination, in this thread and all threads that it starts later. Must be
// called first in main, before any other thread exists.
void BlockTermination();

// Waits for SIGTERM or SIGINT (blocked in all threads) and returns its number. A later signal ends the process at once,
// with status 128 + its number.
int WaitForTermination();

// Whether SIGTERM or SIGINT came within `wall`; the signal is consumed.
bool TerminationWithin(absl::Duration wall);

}  // namespace hail::rpc
