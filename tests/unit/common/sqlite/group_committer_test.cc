#include "common/sqlite/group_committer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/errors/error.h"
#include "tests/matchers.h"
#include "tests/unit/common/sqlite/fixture.h"

namespace hail::sqlite {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Batches : public Observer {
 public:
  void OnBatch(std::size_t jobs, absl::Duration, const absl::Status& status) override {
    absl::MutexLock lock(&mutex_);
    jobs_.push_back(jobs);
    statuses_.push_back(status);
  }
  void OnCheckpoint(int, absl::Duration) override {}
  void OnException(const std::string& what) override {
    absl::MutexLock lock(&mutex_);
    exceptions_.push_back(what);
  }
  std::vector<std::size_t> jobs() {
    absl::MutexLock lock(&mutex_);
    return jobs_;
  }
  std::vector<std::string> exceptions() {
    absl::MutexLock lock(&mutex_);
    return exceptions_;
  }

 private:
  absl::Mutex mutex_;
  std::vector<std::size_t> jobs_;
  std::vector<absl::Status> statuses_;
  std::vector<std::string> exceptions_;
};

class GroupCommitterTest : public DatabaseFixture {
 protected:
  // Keeps the writer busy until Release(), so that jobs submitted meanwhile become one batch.
  void Hold(Database& database) {
    absl::Notification holding;
    database.writer().Submit(
        absl::InfiniteFuture(), [](Connection&) { return absl::OkStatus(); },
        [this, &holding](const absl::Status&) {
          holding.Notify();
          released_.WaitForNotification();
        });
    holding.WaitForNotification();
  }
  void Release() { released_.Notify(); }

  Batches batches_;
  absl::Notification released_;
};

TEST_F(GroupCommitterTest, WhatWaitsIsCommittedTogetherAndAnsweredInOrder) {
  auto database = Open({}, &batches_);
  Hold(*database);
  std::vector<int> order;
  absl::BlockingCounter answered(3);
  for (int i = 0; i < 3; ++i) {
    database->writer().Submit(absl::InfiniteFuture(), Insert(i, std::to_string(i)), [&, i](const absl::Status& status) {
      EXPECT_TRUE(status.ok()) << status;
      order.push_back(i);
      answered.DecrementCount();
    });
  }
  EXPECT_EQ(database->writer().depth(), 3u);
  Release();
  answered.Wait();
  EXPECT_THAT(order, ElementsAre(0, 1, 2));
  EXPECT_THAT(batches_.jobs(), ElementsAre(1, 3));
}

TEST_F(GroupCommitterTest, WhatIsInNoHurryGoesWithWhatIs) {
  auto database = Open({.writer = {.unhurried_wait = absl::InfiniteDuration()}}, &batches_);
  absl::BlockingCounter answered(2);
  const auto tell = [&](const absl::Status& status) {
    EXPECT_TRUE(status.ok()) << status;
    answered.DecrementCount();
  };
  database->writer().Submit(absl::InfiniteFuture(), Insert(1, "a"), tell, GroupCommitter::Work::kUnhurried);
  database->writer().Submit(absl::InfiniteFuture(), Insert(2, "b"), tell);
  answered.Wait();
  EXPECT_THAT(batches_.jobs(), ElementsAre(2));
}

TEST_F(GroupCommitterTest, WhatIsInNoHurryIsDoneInTheEnd) {
  int item = 0;
  for (const absl::Duration wait : {absl::Milliseconds(5), absl::InfiniteDuration()}) {
    auto database = Open({.writer = {.unhurried_wait = wait}}, &batches_);
    absl::Notification answered;
    ++item;
    database->writer().Submit(
        absl::InfiniteFuture(), Insert(item, std::to_string(item)),
        [&](const absl::Status& status) {
          EXPECT_TRUE(status.ok()) << status;
          answered.Notify();
        },
        GroupCommitter::Work::kUnhurried);
    if (wait == absl::InfiniteDuration()) database->Stop();
    answered.WaitForNotification();
  }
}

TEST_F(GroupCommitterTest, NothingIsAnsweredBeforeItIsCommitted) {
  auto database = Open();
  absl::Notification answered;
  std::vector<std::string> seen;
  database->writer().Submit(absl::InfiniteFuture(), Insert(1, "a"), [&](const absl::Status&) {
    // Another connection sees the row by now.
    std::unique_ptr<Connection> other = *Connection::Open(path(), Connection::Mode::kReadOnly);
    Statement select = *other->Prepare("SELECT name FROM item");
    if (*select.Step()) seen.emplace_back(select.Text(0));
    answered.Notify();
  });
  answered.WaitForNotification();
  EXPECT_THAT(seen, ElementsAre("a"));
}

TEST_F(GroupCommitterTest, ARefusedJobDoesNotHurtItsNeighbours) {
  auto database = Open({}, &batches_);
  Hold(*database);
  std::vector<absl::Status> outcomes(5);
  absl::BlockingCounter answered(5);
  const auto submit = [&](std::size_t i, Job job) {
    database->writer().Submit(absl::InfiniteFuture(), std::move(job), [&, i](absl::Status status) {
      outcomes[i] = std::move(status);
      answered.DecrementCount();
    });
  };
  submit(0, Insert(1, "first"));
  submit(1, Insert(2, "first"));  // violates the unique index
  submit(2, [](Connection& connection) -> absl::Status {
    EXPECT_TRUE(Insert(3, "half")(connection).ok());
    return FailedPrecondition(Reason::kRideEnded, "changed my mind");
  });
  submit(3, [](Connection& connection) -> absl::Status {
    EXPECT_TRUE(Insert(4, "half")(connection).ok());
    throw std::runtime_error("oops");
  });
  submit(4, Insert(5, "last"));
  Release();
  answered.Wait();
  EXPECT_TRUE(outcomes[0].ok());
  EXPECT_EQ(UniqueViolation(outcomes[1]), "item.name");
  EXPECT_THAT(outcomes[2], HasReason(Reason::kRideEnded));
  EXPECT_EQ(outcomes[3].code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(outcomes[4].ok());
  EXPECT_THAT(Names(*database), ElementsAre("first", "last"));
  EXPECT_THAT(batches_.jobs(), ElementsAre(1, 5));
  EXPECT_THAT(batches_.exceptions(), ElementsAre("oops"));
}

TEST_F(GroupCommitterTest, AJobWhoseTimeIsOverIsNotRun) {
  auto database = Open();
  Hold(*database);
  absl::BlockingCounter answered(2);
  bool ran = false;
  absl::Status late;
  absl::Status in_time;
  database->writer().Submit(
      clock_.Read().wall + absl::Seconds(1),
      [&](Connection&) {
        ran = true;
        return absl::OkStatus();
      },
      [&](absl::Status status) {
        late = std::move(status);
        answered.DecrementCount();
      });
  database->writer().Submit(clock_.Read().wall + absl::Seconds(2), Insert(1, "a"), [&](absl::Status status) {
    in_time = std::move(status);
    answered.DecrementCount();
  });
  clock_.Advance(absl::Seconds(1));
  Release();
  answered.Wait();
  EXPECT_FALSE(ran);
  EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(in_time.ok()) << in_time;
}

TEST_F(GroupCommitterTest, AFullQueueRefusesAtOnce) {
  DatabaseOptions options;
  options.writer.admission.max_queue = 2;
  auto database = Open(options);
  Hold(*database);
  absl::BlockingCounter answered(2);
  for (int i = 0; i < 2; ++i) {
    database->writer().Submit(absl::InfiniteFuture(), Insert(i, std::to_string(i)),
                              [&](const absl::Status&) { answered.DecrementCount(); });
  }
  absl::Status refused;
  database->writer().Submit(absl::InfiniteFuture(), Insert(9, "nine"),
                            [&](absl::Status status) { refused = std::move(status); });
  EXPECT_THAT(refused, HasReason(Reason::kOverloaded));
  EXPECT_TRUE(DetailsOf(refused)->retry_after.has_value());
  Release();
  answered.Wait();
  EXPECT_THAT(Names(*database), ElementsAre("0", "1"));
}

TEST_F(GroupCommitterTest, WhoWouldWaitTooLongIsRefusedAtOnceAndWhatIsNewFirst) {
  constexpr int kJobs = 100;
  const auto slow = [](Connection&) {
    absl::SleepFor(absl::Milliseconds(1));
    return absl::OkStatus();
  };
  DatabaseOptions options;
  options.writer.admission.max_wait_of_new = absl::Milliseconds(20);
  options.writer.admission.max_wait = absl::Minutes(1);
  auto database = Open(options);
  // A large batch shows what a job takes: a millisecond at least.
  Hold(*database);
  absl::BlockingCounter learned(kJobs);
  for (int i = 0; i < kJobs; ++i) {
    database->writer().Submit(absl::InfiniteFuture(), slow, [&](const absl::Status&) { learned.DecrementCount(); });
  }
  Release();
  learned.Wait();

  absl::Notification go;
  absl::Notification held;
  absl::BlockingCounter answered(kJobs + 2);
  database->writer().Submit(
      absl::InfiniteFuture(),
      [&](Connection&) {
        held.Notify();
        go.WaitForNotification();
        return absl::OkStatus();
      },
      [&](const absl::Status&) { answered.DecrementCount(); });
  held.WaitForNotification();
  for (int i = 0; i < kJobs; ++i) {
    database->writer().Submit(absl::InfiniteFuture(), slow, [&](const absl::Status&) { answered.DecrementCount(); });
  }
  // A tenth of a second of work is queued.
  absl::Status refused;
  const auto refuse = [&](absl::Status status) { refused = std::move(status); };
  database->writer().Submit(absl::InfiniteFuture(), Insert(1, "new"), refuse, GroupCommitter::Work::kNew);
  EXPECT_THAT(refused, HasReason(Reason::kOverloaded));
  EXPECT_GE(DetailsOf(refused)->retry_after, absl::Seconds(1));
  refused = absl::OkStatus();
  database->writer().Submit(clock_.Read().wall + absl::Milliseconds(20), Insert(2, "hurried"), refuse);
  EXPECT_THAT(refused, HasReason(Reason::kOverloaded));
  database->writer().Submit(absl::InfiniteFuture(), Insert(3, "begun"), [&](const absl::Status& status) {
    EXPECT_TRUE(status.ok()) << status;
    answered.DecrementCount();
  });
  go.Notify();
  answered.Wait();
  EXPECT_THAT(Names(*database), ElementsAre("begun"));
}

TEST_F(GroupCommitterTest, WhenTheCommitFailsEveryJobOfTheBatchHearsSo) {
  auto database = Open();
  Hold(*database);
  absl::BlockingCounter answered(3);
  std::vector<absl::Status> outcomes(3);
  const auto submit = [&](std::size_t i, Job job) {
    database->writer().Submit(absl::InfiniteFuture(), std::move(job), [&, i](absl::Status status) {
      outcomes[i] = std::move(status);
      answered.DecrementCount();
    });
  };
  submit(0, Insert(1, "a"));
  // A deferred foreign key is checked by COMMIT itself.
  submit(1, [](Connection& connection) {
    return connection.Execute(
        "CREATE TABLE part(item INTEGER REFERENCES item(id) DEFERRABLE INITIALLY DEFERRED);"
        "INSERT INTO part VALUES(77);");
  });
  submit(2, Insert(3, "c"));
  Release();
  answered.Wait();
  for (const absl::Status& outcome : outcomes) EXPECT_THAT(outcome, HasReason(Reason::kStoreUnavailable));
  EXPECT_THAT(Names(*database), IsEmpty());
  // And the writer goes on.
  EXPECT_TRUE(Do(database->writer(), Insert(4, "d")).ok());
  EXPECT_THAT(Names(*database), ElementsAre("d"));
}

TEST_F(GroupCommitterTest, AJobThatEndsTheTransactionFailsTheBatch) {
  auto database = Open();
  Hold(*database);
  absl::BlockingCounter answered(2);
  absl::Status neighbour;
  database->writer().Submit(absl::InfiniteFuture(), Insert(1, "a"), [&](absl::Status status) {
    neighbour = std::move(status);
    answered.DecrementCount();
  });
  database->writer().Submit(
      absl::InfiniteFuture(), [](Connection& connection) { return connection.Execute("ROLLBACK"); },
      [&](const absl::Status&) { answered.DecrementCount(); });
  Release();
  answered.Wait();
  EXPECT_THAT(neighbour, HasReason(Reason::kStoreUnavailable));
  EXPECT_THAT(Names(*database), IsEmpty());
  EXPECT_TRUE(Do(database->writer(), Insert(2, "b")).ok());
}

TEST_F(GroupCommitterTest, ALockedDatabaseIsUnavailableNotLost) {
  DatabaseOptions options;
  auto database = Open(options);
  // Another connection writes for longer than the writer waits.
  std::unique_ptr<Connection> other = *Connection::Open(path(), Connection::Mode::kReadWrite);
  ASSERT_TRUE(Do(database->writer(), [](Connection& connection) {
                sqlite3_busy_timeout(connection.handle(), 10);
                return absl::OkStatus();
              }).ok());
  ASSERT_TRUE(other->Execute("BEGIN IMMEDIATE").ok());
  EXPECT_THAT(Do(database->writer(), Insert(1, "a")), HasReason(Reason::kStoreUnavailable));
  ASSERT_TRUE(other->Execute("ROLLBACK").ok());
  EXPECT_TRUE(Do(database->writer(), Insert(1, "a")).ok());
}

TEST_F(GroupCommitterTest, StopCommitsWhatIsQueuedAndRefusesWhatComesLater) {
  auto database = Open();
  Hold(*database);
  absl::Status queued = absl::UnknownError("not answered");
  database->writer().Submit(absl::InfiniteFuture(), Insert(1, "a"),
                            [&](absl::Status status) { queued = std::move(status); });
  Release();
  database->Stop();
  EXPECT_TRUE(queued.ok()) << queued;
  EXPECT_THAT(Do(database->writer(), Insert(2, "b")), HasReason(Reason::kStoreUnavailable));
  EXPECT_THAT(Do(database->readers(), [](Connection&) { return absl::OkStatus(); }),
              HasReason(Reason::kStoreUnavailable));
  auto reopened = (database.reset(), Open());
  EXPECT_THAT(Names(*reopened), ElementsAre("a"));
}

TEST_F(GroupCommitterTest, AResultIsHandedOver) {
  auto database = Open();
  absl::Notification answered;
  absl::StatusOr<std::int64_t> changes;
  database->writer().SubmitFor<std::int64_t>(
      absl::InfiniteFuture(),
      [](Connection& connection) -> absl::StatusOr<std::int64_t> {
        if (absl::Status status = Insert(1, "a")(connection); !status.ok()) return status;
        return connection.Changes();
      },
      [&](absl::StatusOr<std::int64_t> result) {
        changes = result;
        answered.Notify();
      });
  answered.WaitForNotification();
  EXPECT_EQ(*changes, 1);
}

}  // namespace
}  // namespace hail::sqlite
