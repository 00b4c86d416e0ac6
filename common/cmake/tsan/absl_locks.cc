// Describes absl's locks and status references to ThreadSanitizer.
//
// The distribution's absl is built without the sanitizer. The sanitizer therefore sees no locks, and reports a race for
// each use of guarded data. With HAIL_SANITIZE=thread the linker (--wrap) sends calls of these functions here: each
// calls the real function and reports the order that it establishes. No other build links this file.
//
// Readers of one lock are ordered among each other too. This hides races between two readers that write, which is
// acceptable.
#include <sanitizer/tsan_interface.h>

#include <cstdint>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"

// HAIL_ABSL_NAMESPACE: absl's inline namespace, mangled ("7debian3"), from its options.h; see HailBuild.cmake.
#define HAIL_JOIN3(a, b, c) a##b##c
#define HAIL_JOIN(a, b, c) HAIL_JOIN3(a, b, c)
#define WRAP(symbol) HAIL_JOIN(__wrap__ZN4absl, HAIL_ABSL_NAMESPACE, symbol)
#define REAL(symbol) HAIL_JOIN(__real__ZN4absl, HAIL_ABSL_NAMESPACE, symbol)
#define WRAP_CONST(symbol) HAIL_JOIN(__wrap__ZNK4absl, HAIL_ABSL_NAMESPACE, symbol)
#define REAL_CONST(symbol) HAIL_JOIN(__real__ZNK4absl, HAIL_ABSL_NAMESPACE, symbol)

extern "C" {

void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);

// The sanitizer calls this function. civetweb's threads (metrics port) share gmtime's one buffer for the Date header.
const char* __tsan_default_suppressions() { return "race:libcivetweb\n"; }

}  // extern "C"

namespace {

// Inside absl's functions absl evaluates the conditions of all waiters, under the lock, after we reported its release.
class InsideAbsl {
 public:
  InsideAbsl() { AnnotateIgnoreReadsBegin(__FILE__, __LINE__); }
  ~InsideAbsl() { AnnotateIgnoreReadsEnd(__FILE__, __LINE__); }
};

// Orders the work of the previous lock owner, up to its release, before the work of this thread.
void Taken(const void* lock) { __tsan_acquire(const_cast<void*>(lock)); }
void LettingGo(const void* lock) { __tsan_release(const_cast<void*>(lock)); }

}  // namespace

// A function that takes the lock.
#define HAIL_TAKES(symbol)                \
  void REAL(symbol)(absl::Mutex * lock);  \
  void WRAP(symbol)(absl::Mutex * lock) { \
    {                                     \
      const InsideAbsl inside;            \
      REAL(symbol)(lock);                 \
    }                                     \
    Taken(lock);                          \
  }

#define HAIL_TRIES(symbol)                 \
  bool REAL(symbol)(absl::Mutex * lock);   \
  bool WRAP(symbol)(absl::Mutex * lock) {  \
    const bool taken = REAL(symbol)(lock); \
    if (taken) Taken(lock);                \
    return taken;                          \
  }

#define HAIL_LETS_GO(symbol)              \
  void REAL(symbol)(absl::Mutex * lock);  \
  void WRAP(symbol)(absl::Mutex * lock) { \
    LettingGo(lock);                      \
    const InsideAbsl inside;              \
    REAL(symbol)(lock);                   \
  }

// A function that waits for a condition and returns with the lock held.
#define HAIL_AWAITS(symbol)                                                 \
  void REAL(symbol)(absl::Mutex * lock, const absl::Condition& condition);  \
  void WRAP(symbol)(absl::Mutex * lock, const absl::Condition& condition) { \
    LettingGo(lock);                                                        \
    {                                                                       \
      const InsideAbsl inside;                                              \
      REAL(symbol)(lock, condition);                                        \
    }                                                                       \
    Taken(lock);                                                            \
  }

#define HAIL_AWAITS_UNTIL(symbol, Limit)                                                 \
  bool REAL(symbol)(absl::Mutex * lock, const absl::Condition& condition, Limit limit);  \
  bool WRAP(symbol)(absl::Mutex * lock, const absl::Condition& condition, Limit limit) { \
    LettingGo(lock);                                                                     \
    bool met = false;                                                                    \
    {                                                                                    \
      const InsideAbsl inside;                                                           \
      met = REAL(symbol)(lock, condition, limit);                                        \
    }                                                                                    \
    Taken(lock);                                                                         \
    return met;                                                                          \
  }

#define HAIL_WAITS_UNTIL(symbol, Limit)                                          \
  bool REAL(symbol)(absl::CondVar * variable, absl::Mutex * lock, Limit limit);  \
  bool WRAP(symbol)(absl::CondVar * variable, absl::Mutex * lock, Limit limit) { \
    LettingGo(lock);                                                             \
    bool timed_out = false;                                                      \
    {                                                                            \
      const InsideAbsl inside;                                                   \
      timed_out = REAL(symbol)(variable, lock, limit);                           \
    }                                                                            \
    Taken(lock);                                                                 \
    return timed_out;                                                            \
  }

#define HAIL_HEARS_UNTIL(symbol, Limit)                                          \
  bool REAL_CONST(symbol)(const absl::Notification* notification, Limit limit);  \
  bool WRAP_CONST(symbol)(const absl::Notification* notification, Limit limit) { \
    bool notified = false;                                                       \
    {                                                                            \
      const InsideAbsl inside;                                                   \
      notified = REAL_CONST(symbol)(notification, limit);                        \
    }                                                                            \
    if (notified) Taken(notification);                                           \
    return notified;                                                             \
  }

extern "C" {

HAIL_TAKES(5Mutex4LockEv)
HAIL_TAKES(5Mutex10ReaderLockEv)
HAIL_TRIES(5Mutex7TryLockEv)
HAIL_TRIES(5Mutex13ReaderTryLockEv)
HAIL_LETS_GO(5Mutex6UnlockEv)
HAIL_LETS_GO(5Mutex12ReaderUnlockEv)
HAIL_AWAITS(5Mutex5AwaitERKNS0_9ConditionE)
HAIL_AWAITS(5Mutex8LockWhenERKNS0_9ConditionE)
HAIL_AWAITS(5Mutex14ReaderLockWhenERKNS0_9ConditionE)
HAIL_AWAITS_UNTIL(5Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE, absl::Duration)
HAIL_AWAITS_UNTIL(5Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE, absl::Time)
HAIL_AWAITS_UNTIL(5Mutex19LockWhenWithTimeoutERKNS0_9ConditionENS0_8DurationE, absl::Duration)
HAIL_AWAITS_UNTIL(5Mutex20LockWhenWithDeadlineERKNS0_9ConditionENS0_4TimeE, absl::Time)
HAIL_WAITS_UNTIL(7CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE, absl::Duration)
HAIL_WAITS_UNTIL(7CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE, absl::Time)
HAIL_HEARS_UNTIL(12Notification30WaitForNotificationWithTimeoutENS0_8DurationE, absl::Duration)
HAIL_HEARS_UNTIL(12Notification31WaitForNotificationWithDeadlineENS0_4TimeE, absl::Time)

void REAL(7CondVar4WaitEPNS0_5MutexE)(absl::CondVar* variable, absl::Mutex* lock);
void WRAP(7CondVar4WaitEPNS0_5MutexE)(absl::CondVar* variable, absl::Mutex* lock) {
  LettingGo(lock);
  {
    const InsideAbsl inside;
    REAL(7CondVar4WaitEPNS0_5MutexE)(variable, lock);
  }
  Taken(lock);
}

void REAL(12Notification6NotifyEv)(absl::Notification* notification);
void WRAP(12Notification6NotifyEv)(absl::Notification* notification) {
  LettingGo(notification);
  const InsideAbsl inside;
  REAL(12Notification6NotifyEv)(notification);
}

void REAL_CONST(12Notification19WaitForNotificationEv)(const absl::Notification* notification);
void WRAP_CONST(12Notification19WaitForNotificationEv)(const absl::Notification* notification) {
  {
    const InsideAbsl inside;
    REAL_CONST(12Notification19WaitForNotificationEv)(notification);
  }
  Taken(notification);
}

bool REAL(15BlockingCounter14DecrementCountEv)(absl::BlockingCounter* counter);
bool WRAP(15BlockingCounter14DecrementCountEv)(absl::BlockingCounter* counter) {
  LettingGo(counter);
  const InsideAbsl inside;
  return REAL(15BlockingCounter14DecrementCountEv)(counter);
}

void REAL(15BlockingCounter4WaitEv)(absl::BlockingCounter* counter);
void WRAP(15BlockingCounter4WaitEv)(absl::BlockingCounter* counter) {
  {
    const InsideAbsl inside;
    REAL(15BlockingCounter4WaitEv)(counter);
  }
  Taken(counter);
}

// Drops one counted reference of a status. The last one frees data that other threads have read.
void REAL(6Status15UnrefNonInlinedEm)(std::uintptr_t rep);
void WRAP(6Status15UnrefNonInlinedEm)(std::uintptr_t rep) {
  const void* const counted = reinterpret_cast<const void*>(rep);  // NOLINT(performance-no-int-to-ptr)
  LettingGo(counted);
  Taken(counted);
  REAL(6Status15UnrefNonInlinedEm)(rep);
}

}  // extern "C"
