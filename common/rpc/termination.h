// SIGTERM and SIGINT, without a signal handler.
#pragma once

#include "absl/time/time.h"

namespace hail::rpc {

// Keeps SIGTERM and SIGINT pending for WaitForTermination in this thread and all that it starts later. First thing in
// main, before any thread exists.
void BlockTermination();

// Waits for SIGTERM or SIGINT (blocked in all threads) and returns its number. From then on a second one ends the
// process at once, with status 128 + its number.
int WaitForTermination();

// Whether SIGTERM or SIGINT came within `wall`; it is taken then.
bool TerminationWithin(absl::Duration wall);

}  // namespace hail::rpc
