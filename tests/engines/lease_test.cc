#include "common/postgres/lease.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/time/fake_clock.h"
#include "tests/engines/postgres_server.h"

namespace hail::postgres {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Session;

// Longer than any test, and no longer than a lease may be (kHoldersAlive).
constexpr absl::Duration kLong = absl::Seconds(50);

const Statement kTouch{"INSERT INTO things (name) VALUES ('a thing')"};
const Statement kAlive{absl::StrCat("SELECT holder FROM leases WHERE holder IN ", kHoldersAlive, " ORDER BY holder")};

// The outcome of a call.
struct Outcome {
  absl::Status status;
  absl::Notification known;

  std::function<void(absl::Status)> done() {
    return [this](absl::Status result) {
      status = std::move(result);
      known.Notify();
    };
  }
  const absl::Status& Await() const {
    known.WaitForNotification();
    return status;
  }
};

class LeaseTest : public ::testing::Test {
 protected:
  LeaseTest() {
    testing::SharedPostgres().Ask("CREATE SCHEMA " + schema_);
    Ask(absl::StrCat("CREATE TABLE things (name TEXT);", kMakeLeases));
    pool_ = Open();
  }

  // A pool with one writer: it runs waiting writes in order.
  std::unique_ptr<Pool> Open() {
    std::vector<const Statement*> statements = LeaseStatements();
    statements.push_back(&kTouch);
    statements.push_back(&kAlive);
    auto pool = std::make_unique<Pool>(*ParseUrl(testing::SharedPostgres().url()),
                                       Pool::Options{.writers = 1, .readers = 1, .schema = schema_}, statements,
                                       &clock_, nullptr);
    EXPECT_TRUE(pool->AwaitConnections(absl::Seconds(60)));
    return pool;
  }

  testing::Table Ask(const std::string& sql) {
    return testing::SharedPostgres().Ask(absl::StrCat("SET search_path TO ", schema_, "; ", sql));
  }

  absl::Status Renew(const std::string& holder, absl::Duration lease = kLong) {
    Outcome renewed;
    RenewLease(*pool_, holder, lease, renewed.done());
    return renewed.Await();
  }

  absl::Status End(const std::string& holder) {
    Outcome ended;
    EndLease(*pool_, holder, ended.done());
    return ended.Await();
  }

  std::vector<std::string> Alive() {
    std::vector<std::string> alive;
    absl::Notification answered;
    pool_->Read({&kAlive, Params()}, [&](const absl::StatusOr<std::vector<Rows>>& rows) {
      EXPECT_TRUE(rows.ok()) << rows.status();
      for (int row = 0; rows.ok() && row < rows->front().size(); ++row) alive.emplace_back(rows->front().Bytes(row, 0));
      answered.Notify();
    });
    answered.WaitForNotification();
    return alive;
  }

  // Blocks the writer until `session` ends its transaction: later writes stay in progress until then.
  void HoldUp(Session& session) {
    session.Run("BEGIN; LOCK TABLE " + schema_ + ".things IN SHARE MODE");
    pool_->Write({{&kTouch, Params()}}, "", absl::InfiniteFuture(),
                 [](const absl::StatusOr<std::vector<Rows>>& rows) { EXPECT_TRUE(rows.ok()) << rows.status(); });
  }

  const std::string schema_ = testing::UniqueSchema();
  FakeClock clock_;
  std::unique_ptr<Pool> pool_;
};

TEST_F(LeaseTest, AHolderIsAliveWhileTheLeaseRuns) {
  ASSERT_TRUE(Renew("a").ok());
  ASSERT_TRUE(Renew("b").ok());
  EXPECT_THAT(Alive(), ElementsAre("a", "b"));
  Ask("UPDATE leases SET lease_end = clock_timestamp() WHERE holder = 'a'");
  EXPECT_THAT(Alive(), ElementsAre("b"));
  ASSERT_TRUE(Renew("a").ok()) << "one that ran out may be had again";
  EXPECT_THAT(Alive(), ElementsAre("a", "b"));
}

TEST_F(LeaseTest, TheDeadDoNotLiveOnWhenTheDatabasesClockIsSetBack) {
  ASSERT_TRUE(Renew("dead").ok());
  ASSERT_TRUE(Renew("alive").ok());
  // As after the clock was set back by an hour.
  Ask("UPDATE leases SET lease_end = lease_end + interval '1 hour'");
  ASSERT_TRUE(Renew("alive").ok());
  EXPECT_THAT(Alive(), ElementsAre("alive"));
}

TEST_F(LeaseTest, ItRunsForAsLongAsItWasAskedFor) {
  ASSERT_TRUE(Renew("a", absl::Hours(3)).ok());
  ASSERT_TRUE(Renew("a", absl::Hours(1) + absl::Microseconds(1)).ok());
  EXPECT_EQ(Ask("SELECT lease_end - clock_timestamp() BETWEEN interval '59 minutes' AND interval '1 hour 1 second',"
                " COUNT(*) OVER () FROM leases"),
            (testing::Table{{"t", "1"}}));
}

TEST_F(LeaseTest, TheEndIsForGood) {
  ASSERT_TRUE(Renew("a").ok());
  ASSERT_TRUE(Renew("b").ok());
  ASSERT_TRUE(End("a").ok());
  EXPECT_THAT(Alive(), ElementsAre("b"));
  EXPECT_TRUE(absl::IsFailedPrecondition(Renew("a")));
  EXPECT_TRUE(End("a").ok()) << "again";
  EXPECT_TRUE(End("c").ok()) << "it had none";
  EXPECT_TRUE(absl::IsFailedPrecondition(Renew("c")));
  EXPECT_THAT(Alive(), ElementsAre("b"));
}

TEST_F(LeaseTest, ARenewalUnderWayDoesNotOutliveTheEnd) {
  const std::unique_ptr<Pool> another = Open();
  // With the same pool, where the end may overtake queued writes; and with another one, which is faster.
  for (Pool* const quick : {pool_.get(), another.get()}) {
    const std::string holder = quick == pool_.get() ? "same" : "another";
    ASSERT_TRUE(Renew(holder).ok());
    Session session(testing::SharedPostgres());
    HoldUp(session);
    Outcome renewed;
    RenewLease(*pool_, holder, kLong, renewed.done());
    Outcome ended;
    EndLease(*quick, holder, ended.done());
    if (quick != pool_.get()) ended.Await();
    session.Run("COMMIT");
    EXPECT_TRUE(ended.Await().ok()) << ended.status;
    renewed.Await();
    EXPECT_THAT(Alive(), IsEmpty()) << holder;
  }
}

TEST_F(LeaseTest, TheLongDeadAreForgotten) {
  ASSERT_TRUE(End("ended").ok());
  Ask("INSERT INTO leases (holder, lease_end) VALUES ('long ago', clock_timestamp() - interval '61 minutes'),"
      " ('a while ago', clock_timestamp() - interval '59 minutes')");
  ASSERT_TRUE(Renew("a").ok());
  EXPECT_EQ(Ask("SELECT holder FROM leases ORDER BY holder"), (testing::Table{{"a"}, {"a while ago"}, {"ended"}}));
}

}  // namespace
}  // namespace hail::postgres
