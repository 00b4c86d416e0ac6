// The properties that the simulated store adds to the port: time, faults, and death at any moment.
#include "tests/simulation/sim_ride_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/errors/error.h"
#include "common/time/fake_clock.h"
#include "tests/conformance/random_ops.h"
#include "tests/simulation/stepped_executor.h"
#include "tests/unit/rider-service/test_rides.h"

namespace hail::simulation {
namespace {

using rider::Changed;
using rider::Created;
using rider::Ride;
using rider::RideChange;
using rider::RideEvent;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const StoreFaults kSlowly = {.commit_mean = absl::Milliseconds(5),
                             .commit_max = absl::Milliseconds(50),
                             .ack_mean = absl::Milliseconds(5),
                             .ack_max = absl::Milliseconds(50),
                             .read_mean = absl::Milliseconds(5),
                             .read_max = absl::Milliseconds(50)};

class SimRideStoreTest : public ::testing::Test {
 protected:
  void Open(const StoreFaults& faults, std::uint64_t seed = 1) {
    store_ = std::make_unique<SimRideStore>(
        &disk_, executor_, &clock_, [choices = Choices(seed)]() mutable { return choices.Bits(); }, faults);
    store_->set_on_commit([this](const Ride* before, const Ride& after, const RideEvent* event,
                                 const std::string& what) {
      EXPECT_EQ(before == nullptr, what == "create");
      EXPECT_NE(disk_.Find(after.ride_id()), nullptr) << "it is on disk by now";
      Note(absl::StrCat("commit ", after.ride_id(), " ", after.sequence(), event == nullptr ? " without event" : ""));
    });
  }

  void Note(const std::string& what) {
    log_.push_back(what);
    log_times_.push_back(clock_.Read().wall);
  }
  static std::string Word(const absl::Status& status) {
    if (status.ok()) return "ok";
    const std::optional<ErrorDetails> details = DetailsOf(status);
    return details ? std::string(ReasonName(details->reason)) : absl::StatusCodeToString(status.code());
  }

  void Create(const std::string& n, absl::Time deadline = absl::InfiniteFuture()) {
    store_->Create(NewRide(rider::Requested("ride-" + n, "rider-" + n), rules_, rider::kT0), deadline,
                   [this, n](const absl::StatusOr<Created>& created) {
                     Note(absl::StrCat("create ", n, " ", Word(created.status())));
                   });
  }
  void Assign(const std::string& n, const std::string& driver_id) {
    store_->Change(
        "ride-" + n,
        [this, driver_id](const Ride& ride) {
          ++decided_;
          return rider::Assign(ride, rider::Offer(ride, driver_id, "offer-" + driver_id), {}, rider::kT0);
        },
        absl::InfiniteFuture(),
        [this, n](const absl::StatusOr<Changed>& changed) {
          Note(absl::StrCat("assign ", n, " ", Word(changed.status())));
        });
  }
  void Read(const std::string& n) {
    store_->ById("ride-" + n, [this, n](const absl::StatusOr<std::optional<Ride>>& found) {
      Note(absl::StrCat("read ", n, " ",
                        !found.ok()          ? Word(found.status())
                        : found->has_value() ? absl::StrCat((*found)->sequence())
                                             : "none"));
    });
  }

  const rider::RideRules rules_{};
  FakeClock clock_;
  SteppedExecutor executor_{&clock_};
  RideDisk disk_;
  std::unique_ptr<SimRideStore> store_;
  int decided_ = 0;
  // The commits and answers, in order.
  std::vector<std::string> log_;
  std::vector<absl::Time> log_times_;
};

TEST_F(SimRideStoreTest, WhatIsQueuedIsOneBatchOnDiskAtOneInstantAndToldInOrderLater) {
  Open(kSlowly);
  Create("1");
  Assign("1", "driver-1");
  Create("2");
  EXPECT_EQ(store_->writes_queued(), 3u);
  EXPECT_THAT(log_, IsEmpty()) << "never on the caller's stack";
  executor_.RunUntilQuiet();
  EXPECT_THAT(log_, ElementsAre("commit ride-1 1", "commit ride-1 2", "commit ride-2 1", "create 1 ok", "assign 1 ok",
                                "create 2 ok"));
  EXPECT_EQ(log_times_[0], log_times_[2]);
  EXPECT_LT(log_times_[2], log_times_[3]);
  EXPECT_EQ(log_times_[3], log_times_[5]);
  EXPECT_EQ(store_->writes_queued(), 0u);
}

TEST_F(SimRideStoreTest, WhatComesDuringABatchIsTheNextOne) {
  Open(kSlowly);
  Create("1");
  store_->set_before_ack([&] {
    if (log_.size() == 1) Create("2");
  });
  executor_.RunUntilQuiet();
  EXPECT_THAT(log_, ElementsAre("commit ride-1 1", "create 1 ok", "commit ride-2 1", "create 2 ok"));
}

TEST_F(SimRideStoreTest, ARefusedCommandHarmsNoNeighbour) {
  Open(kSlowly);
  Create("1");
  Create("2");
  Assign("1", "driver-1");
  Assign("2", "driver-1");
  Assign("2", "driver-2");
  executor_.RunUntilQuiet();
  EXPECT_THAT(log_, ElementsAre("commit ride-1 1", "commit ride-2 1", "commit ride-1 2", "commit ride-2 2",
                                "create 1 ok", "create 2 ok", "assign 1 ok", "assign 2 DRIVER_BUSY", "assign 2 ok"));
  EXPECT_EQ(disk_.Find("ride-2")->driver()->driver_id(), "driver-2");
}

TEST_F(SimRideStoreTest, ACrashBeforeTheCommitLeavesNothing) {
  Open(kSlowly);
  Create("1");
  executor_.RunNext();  // the batch has begun
  store_.reset();
  executor_.RunUntilQuiet();
  EXPECT_THAT(log_, IsEmpty());
  EXPECT_EQ(disk_.Find("ride-1"), nullptr);
}

TEST_F(SimRideStoreTest, ACrashAfterTheCommitLeavesTheChangeAndNobodyIsTold) {
  Open(kSlowly);
  Create("1");
  Create("2");
  store_->set_before_ack([this] { store_.reset(); });
  executor_.RunUntilQuiet();
  EXPECT_THAT(log_, ElementsAre("commit ride-1 1", "commit ride-2 1"));
  EXPECT_NE(disk_.Find("ride-1"), nullptr);
  EXPECT_NE(disk_.Find("ride-2"), nullptr);
  // The next process finds it.
  log_.clear();
  Open({}, 2);
  Create("1");
  Read("2");
  executor_.RunUntilQuiet();
  EXPECT_THAT(log_, ::testing::UnorderedElementsAre("create 1 ok", "read 2 1")) << "existed: nothing is committed";
}

TEST_F(SimRideStoreTest, ACrashAtTheInstantOfTheCommitKeepsAllOfTheBatch) {
  Open(kSlowly);
  Create("1");
  Create("2");
  int commits = 0;
  store_->set_on_commit([&](const Ride*, const Ride&, const RideEvent*, const std::string&) {
    if (++commits == 1) store_.reset();
  });
  executor_.RunUntilQuiet();
  EXPECT_EQ(commits, 2);
  EXPECT_THAT(log_, IsEmpty());
  EXPECT_NE(disk_.Find("ride-1"), nullptr);
  EXPECT_NE(disk_.Find("ride-2"), nullptr);
}

TEST_F(SimRideStoreTest, ACrashWhileTheyAreToldLeavesTheRestUntold) {
  Open(kSlowly);
  Create("1");
  store_->Create(NewRide(rider::Requested("ride-2", "rider-2"), rules_, rider::kT0), absl::InfiniteFuture(),
                 [&](const absl::StatusOr<Created>&) { store_.reset(); });
  Create("3");
  Read("1");
  executor_.RunUntilQuiet();
  EXPECT_THAT(log_, ::testing::Not(::testing::Contains("create 3 ok")));
  EXPECT_THAT(log_, ::testing::Contains("create 1 ok"));
  EXPECT_EQ(disk_.rides.size(), 3u);
  EXPECT_EQ(store_, nullptr);
}

TEST_F(SimRideStoreTest, ReadsThatACrashCaughtAreNeverAnswered) {
  Open(kSlowly);
  for (int i = 0; i < 10; ++i) Read("1");
  EXPECT_EQ(store_->reads_queued(), 10u);
  executor_.RunNext();
  store_.reset();
  executor_.RunUntilQuiet();
  EXPECT_THAT(log_, IsEmpty());
}

// Otherwise the callbacks would live on in the executor, which outlives the process.
TEST_F(SimRideStoreTest, WhatCallersGaveGoesWithTheProcess) {
  Open(kSlowly);
  const auto held = std::make_shared<int>();
  for (int i = 0; i < 3; ++i) {
    store_->ById("ride-1", [held](const absl::StatusOr<std::optional<Ride>>&) {});
    store_->QuoteKey([held](const absl::StatusOr<std::string>&) {});
    executor_.RunNext();
  }
  EXPECT_GT(held.use_count(), 1);
  store_.reset();
  EXPECT_EQ(held.use_count(), 1);
}

TEST_F(SimRideStoreTest, AFailedBatchMayNotHaveHappened) {
  Open({.fail_unwritten = 1});
  Create("1");
  executor_.RunUntilQuiet();
  EXPECT_THAT(log_, ElementsAre("create 1 STORE_UNAVAILABLE"));
  EXPECT_THAT(disk_.rides, IsEmpty());
  EXPECT_THAT(disk_.events, IsEmpty());
  // The commands ran, and their results were lost.
  store_->set_faults({});
  Create("1");
  executor_.RunUntilQuiet();
  log_.clear();
  store_->set_faults({.fail_unwritten = 1});
  Assign("1", "driver-1");
  executor_.RunUntilQuiet();
  EXPECT_THAT(log_, ElementsAre("assign 1 STORE_UNAVAILABLE"));
  EXPECT_EQ(decided_, 1);
  EXPECT_EQ(disk_.Find("ride-1")->sequence(), 1);
}

TEST_F(SimRideStoreTest, AFailedBatchMayHaveHappened) {
  Open({.fail_written = 1});
  Create("1");
  Assign("1", "driver-1");
  executor_.RunUntilQuiet();
  EXPECT_THAT(log_, ElementsAre("commit ride-1 1", "commit ride-1 2", "create 1 STORE_UNAVAILABLE",
                                "assign 1 STORE_UNAVAILABLE"));
  EXPECT_EQ(disk_.Find("ride-1")->sequence(), 2);
  EXPECT_EQ(disk_.LastOfDriver("driver-1"), 1);
}

TEST_F(SimRideStoreTest, AReadMayFail) {
  Open({.fail_read = 1});
  Read("1");
  executor_.RunUntilQuiet();
  EXPECT_THAT(log_, ElementsAre("read 1 STORE_UNAVAILABLE"));
}

TEST_F(SimRideStoreTest, ADeadlineCountsUntilTheBatchBegins) {
  Open(kSlowly);
  const absl::Time start = clock_.Read().wall;
  // In the first batch, which begins at once: it is committed after its deadline.
  Create("1", start + absl::Nanoseconds(1));
  executor_.RunNext();
  // In the second batch, which begins after the first has been acknowledged.
  Create("2", start + absl::Nanoseconds(1));
  executor_.RunUntilQuiet();
  EXPECT_THAT(log_, ElementsAre("commit ride-1 1", "create 1 ok", "create 2 DEADLINE_EXCEEDED"));
  EXPECT_GT(log_times_[0], start + absl::Nanoseconds(1));
  EXPECT_EQ(disk_.Find("ride-2"), nullptr);
}

TEST_F(SimRideStoreTest, AFullQueueRefusesAtOnce) {
  Open({.max_batch = 1, .max_queue = 2});
  for (const std::string n : {"1", "2", "3"}) Create(n);
  EXPECT_THAT(log_, ElementsAre("create 3 OVERLOADED"));
  for (const std::string n : {"1", "2", "3"}) Read(n);
  EXPECT_THAT(log_, ElementsAre("create 3 OVERLOADED", "read 3 OVERLOADED"));
  executor_.RunUntilQuiet();
  EXPECT_EQ(disk_.rides.size(), 2u);
}

TEST_F(SimRideStoreTest, AReadIsOfOneInstantBetweenAskingAndAnswer) {
  int old_after_ack = 0;
  int new_before_ack = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    disk_ = RideDisk();
    log_.clear();
    Open(kSlowly, seed);
    Create("1");
    Read("1");
    executor_.RunUntilQuiet();
    ASSERT_EQ(log_.size(), 3u);
    if (log_.back() == "read 1 none") ++old_after_ack;
    if (log_[1] == "read 1 1") ++new_before_ack;
    // A read that begins after the acknowledgement sees the change.
    Read("1");
    executor_.RunUntilQuiet();
    ASSERT_EQ(log_.back(), "read 1 1");
  }
  EXPECT_GT(old_after_ack, 10) << "a read that an acknowledgement overtook";
  EXPECT_GT(new_before_ack, 10) << "a read of a commit before its acknowledgement";
}

TEST_F(SimRideStoreTest, ASeedMeansTheSameEachTime) {
  StoreFaults faults = kSlowly;
  faults.slow_commit = faults.slow_read = 0.1;
  faults.fail_written = faults.fail_unwritten = faults.fail_read = 0.1;
  const auto run = [&](std::uint64_t seed) {
    disk_ = RideDisk();
    log_.clear();
    log_times_.clear();
    const absl::Time start = clock_.Read().wall;
    Open(faults, seed);
    for (int i = 0; i < 50; ++i) {
      const std::string n = absl::StrCat(i % 20);
      Create(n);
      Assign(n, absl::StrCat("driver-", i % 7));
      Read(n);
      for (int steps = 0; steps < i % 4; ++steps) executor_.RunNext();
    }
    executor_.RunUntilQuiet();
    std::string trace;
    for (std::size_t i = 0; i < log_.size(); ++i) {
      absl::StrAppend(&trace, absl::ToInt64Nanoseconds(log_times_[i] - start), " ", log_[i], "\n");
    }
    return trace;
  };
  const std::string first = run(7);
  EXPECT_EQ(run(7), first);
  EXPECT_NE(run(8), first);
  EXPECT_THAT(first, ::testing::HasSubstr("STORE_UNAVAILABLE"));
}

TEST_F(SimRideStoreTest, TheQuoteKeyFollowsFromTheSeedAndStays) {
  const auto key = [&] {
    std::string got;
    store_->QuoteKey([&](const absl::StatusOr<std::string>& k) { got = *k; });
    executor_.RunUntilQuiet();
    return got;
  };
  Open({}, 1);
  const std::string first = key();
  EXPECT_EQ(first.size(), 32u);
  Open({}, 2);
  EXPECT_EQ(key(), first) << "kept";
  disk_ = RideDisk();
  Open({}, 1);
  EXPECT_EQ(key(), first);
  disk_ = RideDisk();
  Open({}, 2);
  EXPECT_NE(key(), first);
}

}  // namespace
}  // namespace hail::simulation
