#include "common/rpc/termination.h"

#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <thread>

namespace hail::rpc {
namespace {

sigset_t TerminationSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

int Wait() {
  const sigset_t set = TerminationSignals();
  int signal = 0;
  while (sigwait(&set, &signal) != 0) {
  }
  return signal;
}

}  // namespace

void BlockTermination() {
  const sigset_t set = TerminationSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

int WaitForTermination() {
  const int signal = Wait();
  std::thread([] { _exit(128 + Wait()); }).detach();
  return signal;
}

bool TerminationWithin(absl::Duration wall) {
  const sigset_t set = TerminationSignals();
  const timespec within = absl::ToTimespec(wall);
  // An interruption, which is rare, ends the wait early.
  return sigtimedwait(&set, nullptr, &within) > 0;
}

}  // namespace hail::rpc
