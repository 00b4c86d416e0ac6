#include "common/time/cond_var.h"

#include <thread>

#include "gtest/gtest.h"

namespace hail {
namespace {

TEST(SteadyCondVarTest, WakesWhoWaits) {
  absl::Mutex mutex;
  SteadyCondVar changed;
  bool done = false;
  std::thread other([&] {
    absl::MutexLock lock(&mutex);
    done = true;
    changed.Signal();
  });
  {
    absl::MutexLock lock(&mutex);
    while (!done) changed.Wait(&mutex);
  }
  other.join();
}

TEST(SteadyCondVarTest, AwaitsWhatHolds) {
  absl::Mutex mutex;
  SteadyCondVar changed;
  int count = 0;
  std::thread other([&] {
    for (int i = 0; i < 3; ++i) {
      absl::MutexLock lock(&mutex);
      ++count;
      changed.SignalAll();
    }
  });
  {
    absl::MutexLock lock(&mutex);
    EXPECT_TRUE(changed.Await(&mutex, absl::InfiniteDuration(), [&] { return count == 3; }));
  }
  other.join();
}

TEST(SteadyCondVarTest, GivesUpInTime) {
  absl::Mutex mutex;
  SteadyCondVar changed;
  absl::MutexLock lock(&mutex);
  EXPECT_FALSE(changed.Await(&mutex, absl::Milliseconds(1), [] { return false; }));
  EXPECT_FALSE(changed.Await(&mutex, absl::ZeroDuration(), [] { return false; }));
  EXPECT_FALSE(changed.Await(&mutex, -absl::InfiniteDuration(), [] { return false; }));
  EXPECT_TRUE(changed.Await(&mutex, absl::ZeroDuration(), [] { return true; }));
  changed.WaitFor(&mutex, -absl::Seconds(1));
}

TEST(SteadyNotificationTest, SaysWhetherItCame) {
  SteadyNotification came;
  EXPECT_FALSE(came.WaitFor(absl::Milliseconds(1)));
  std::thread other([&] { came.Notify(); });
  EXPECT_TRUE(came.WaitFor(absl::InfiniteDuration()));
  EXPECT_TRUE(came.WaitFor(absl::ZeroDuration()));
  other.join();
}

}  // namespace
}  // namespace hail
