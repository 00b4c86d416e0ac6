#include "absl/base/config.h"
#include "absl/synchronization/mutex.h"

// Disables abseil's lock-order check in builds without assertions. Debian's abseil is built with assertions and runs
// the check. From 20230802 on, a program built without assertions does not report destroyed mutexes to it: their orders
// then apply to new mutexes at the same addresses, and the program aborts because of a deadlock that cannot happen.
// Before 20230802 the check is correct, so it stays on.
#if defined(NDEBUG) && ABSL_LTS_RELEASE_VERSION >= 20230802
namespace {

[[maybe_unused]] const bool kOrderIgnored = [] {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return true;
}();

}  // namespace
#endif
