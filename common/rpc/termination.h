// SIGTERM and SIGINT, without a signal handler.
#pragma once

namespace hail::rpc {

// Keeps SIGTERM and SIGINT pending for WaitForTermination in this thread and all that it starts later. First thing in
// main, before any thread exists.
void BlockTermination();

// Waits for SIGTERM or SIGINT (blocked in all threads) and returns its number. From then on a second one ends the
// process at once, with status 128 + its number.
int WaitForTermination();

}  // namespace hail::rpc
