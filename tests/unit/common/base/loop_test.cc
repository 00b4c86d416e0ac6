#include "common/exec/loop.h"

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"

namespace hail {
namespace {

// Waits until the loop has run all tasks posted before.
void Settle(Loop& loop) {
  absl::Notification done;
  ASSERT_TRUE(loop.Post([&] { done.Notify(); }));
  done.WaitForNotification();
}

TEST(LoopTest, RunsInOrderOnItsOwnThread) {
  Loop loop("test-loop");
  std::vector<int> order;
  bool on_loop = false;
  char name[16] = {};
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(loop.Post([&order, i] { order.push_back(i); }));
  }
  loop.Post([&] {
    on_loop = loop.OnLoop();
    pthread_getname_np(pthread_self(), name, sizeof(name));
  });
  Settle(loop);
  ASSERT_EQ(order.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[i], i);
  EXPECT_TRUE(on_loop);
  EXPECT_FALSE(loop.OnLoop());
  EXPECT_STREQ(name, "test-loop");
}

TEST(LoopTest, TakesLongNames) {
  Loop loop("a-name-of-more-than-15-bytes");
  char name[16] = {};
  loop.Post([&] { pthread_getname_np(pthread_self(), name, sizeof(name)); });
  Settle(loop);
  EXPECT_STREQ(name, "a-name-of-more-");
}

TEST(LoopTest, KeepsEachThreadsOrder) {
  constexpr int kThreads = 4;
  constexpr int kTasks = 1000;
  Loop loop("loop");
  std::vector<std::vector<int>> seen(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kTasks; ++i) loop.Post([&seen, t, i] { seen[t].push_back(i); });
    });
  }
  for (std::thread& thread : threads) thread.join();
  Settle(loop);
  for (const std::vector<int>& mine : seen) {
    ASSERT_EQ(mine.size(), static_cast<std::size_t>(kTasks));
    for (int i = 0; i < kTasks; ++i) ASSERT_EQ(mine[i], i);
  }
}

TEST(LoopTest, CountsWhatWaits) {
  Loop loop("loop");
  absl::Notification started, go;
  loop.Post([&] {
    started.Notify();
    go.WaitForNotification();
  });
  started.WaitForNotification();
  EXPECT_EQ(loop.depth(), 0u);
  loop.Post([] {});
  loop.Post([] {});
  EXPECT_EQ(loop.depth(), 2u);
  go.Notify();
  Settle(loop);
  EXPECT_EQ(loop.depth(), 0u);
}

TEST(LoopTest, StopRunsWhatWasPostedAndTakesNoMore) {
  auto loop = std::make_unique<Loop>("loop");
  absl::Notification go;
  int ran = 0;
  loop->Post([&] { go.WaitForNotification(); });
  for (int i = 0; i < 50; ++i) loop->Post([&] { ++ran; });
  // Posted by a task that runs after Stop began: refused, though the loop still runs.
  bool accepted = true;
  loop->Post([&] {
    while (loop->Post([] {})) {
    }
    accepted = loop->PostAfter(absl::ZeroDuration(), [] {});
  });
  go.Notify();
  std::thread stopper([&] { loop->Stop(); });
  stopper.join();
  EXPECT_EQ(ran, 50);
  EXPECT_FALSE(accepted);
  EXPECT_FALSE(loop->Post([] {}));
  EXPECT_FALSE(loop->PostAfter(absl::ZeroDuration(), [] {}));
  loop->Stop();
}

TEST(LoopTest, StopDropsTimersThatAreNotDue) {
  auto held = std::make_shared<int>(1);
  bool ran = false;
  {
    Loop loop("loop");
    loop.PostAfter(absl::Hours(1), [&ran, held] { ran = true; });
    loop.Every(absl::Hours(1), [&ran, held] { ran = true; });
    Settle(loop);
  }
  EXPECT_FALSE(ran);
  EXPECT_EQ(held.use_count(), 1) << "a dropped timer is freed with the loop";
}

TEST(LoopTest, StopFromManyThreads) {
  Loop loop("loop");
  std::atomic<int> ran{0};
  for (int i = 0; i < 100; ++i) loop.Post([&] { ++ran; });
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      loop.Stop();
      EXPECT_EQ(ran, 100) << "Stop returned before the loop ended";
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(LoopTest, TimersRunByTheirTimeNotTheirPosting) {
  Loop loop("loop");
  std::vector<int> order;
  absl::Notification done;
  loop.Post([&] {
    loop.PostAfter(absl::Milliseconds(40), [&] {
      order.push_back(3);
      done.Notify();
    });
    loop.PostAfter(absl::Milliseconds(20), [&] { order.push_back(2); });
    loop.PostAfter(absl::ZeroDuration(), [&] { order.push_back(1); });
  });
  done.WaitForNotification();
  Settle(loop);
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(LoopTest, ATimerIsNeverEarly) {
  Loop loop("loop");
  absl::Notification done;
  const auto start = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point ran;
  loop.PostAfter(absl::Milliseconds(30), [&] {
    ran = std::chrono::steady_clock::now();
    done.Notify();
  });
  // Other work must not bring it forward.
  for (int i = 0; i < 10; ++i) Settle(loop);
  done.WaitForNotification();
  EXPECT_GE(ran - start, std::chrono::milliseconds(30));
}

TEST(LoopTest, AnEarlierTimerWakesALoopThatWaitsForALaterOne) {
  Loop loop("loop");
  loop.PostAfter(absl::Hours(1), [] {});
  Settle(loop);
  absl::Notification done;
  loop.PostAfter(absl::Milliseconds(1), [&] { done.Notify(); });
  EXPECT_TRUE(done.WaitForNotificationWithTimeout(absl::Seconds(30)));
}

TEST(LoopTest, EveryRepeatsAndDoesNotMakeUpForMissedBeats) {
  Loop loop("loop");
  std::atomic<int> beats{0};
  absl::Notification third, blocked;
  const auto start = std::chrono::steady_clock::now();
  loop.Every(absl::Milliseconds(10), [&] {
    if (++beats == 3) third.Notify();
  });
  third.WaitForNotification();
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(30));
  // Blocks the loop for many periods. Afterwards at most the run that was already due comes at once.
  int before = 0;
  loop.Post([&] {
    before = beats;
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(200);
    while (std::chrono::steady_clock::now() < until) {
    }
    loop.Post([&] { blocked.Notify(); });
  });
  blocked.WaitForNotification();
  EXPECT_LE(beats - before, 3);
  loop.Stop();
}

TEST(LoopTest, TimersFromManyThreads) {
  constexpr int kThreads = 4;
  constexpr int kTimers = 200;
  Loop loop("loop");
  int ran = 0;
  absl::Notification done;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kTimers; ++i) {
        loop.PostAfter(absl::Microseconds(i % 7 * 100), [&] {
          if (++ran == kThreads * kTimers) done.Notify();
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(done.WaitForNotificationWithTimeout(absl::Seconds(60)));
}

}  // namespace
}  // namespace hail
