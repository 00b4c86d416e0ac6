#include "absl/base/config.h"
#include "absl/synchronization/mutex.h"

// abseil looks for locks that are taken in two orders, in a library that was built with assertions (Debian's is). From
// 20230802 on, a program that was built without them does not tell it of mutexes that are gone: their orders count for
// those that come to lie at the same places, and the program dies of a deadlock that cannot happen. Before 20230802 the
// search is right, and stays.
#if defined(NDEBUG) && ABSL_LTS_RELEASE_VERSION >= 20230802
namespace {

[[maybe_unused]] const bool kOrderIgnored = [] {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return true;
}();

}  // namespace
#endif
