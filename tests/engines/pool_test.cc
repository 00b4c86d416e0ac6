#include "common/postgres/pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_replace.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/errors/error.h"
#include "common/postgres/libpq.h"
#include "common/time/fake_clock.h"
#include "tests/engines/postgres_server.h"
#include "tests/unit/temp_file.h"

namespace hail::postgres {
namespace {

using ::testing::ElementsAre;
using testing::PostgresServer;
using testing::Session;

using Answered = absl::StatusOr<std::vector<Rows>>;

class Recorder final : public Observer {
 public:
  void OnCommit(std::size_t writes, absl::Duration, const absl::Status& status) override {
    absl::MutexLock lock(&mutex_);
    if (status.ok()) commits_.push_back(writes);
  }
  void OnConnections(int, int) override {}
  void OnConnectionLost(const absl::Status&) override {}
  void OnException(const std::string& what) override { ADD_FAILURE() << what; }

  std::vector<std::size_t> commits() const {
    absl::MutexLock lock(&mutex_);
    return commits_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::vector<std::size_t> commits_ ABSL_GUARDED_BY(mutex_);
};

const Statement kTypes{
    "SELECT $1::SMALLINT, $2::INTEGER, $3::BIGINT, $4::DOUBLE PRECISION, $5::TEXT, $6::BYTEA, $7::TEXT"};
const Statement kUnnest{"SELECT UNNEST($1::TEXT[])"};
const Statement kInsert{"INSERT INTO things (name, number) VALUES ($1, $2)"};
const Statement kLate{"INSERT INTO late (name) VALUES ($1)"};
const Statement kAdd{"UPDATE things SET number = number + 1 WHERE name = $1"};
const Statement kNames{"SELECT name FROM things ORDER BY name"};
const Statement kNumber{"SELECT number FROM things WHERE name = $1"};
const Statement kBroken{"SELECT 1 / (number - number) FROM things"};

class PoolTest : public ::testing::Test {
 protected:
  explicit PoolTest(PostgresServer& server = testing::SharedPostgres()) : server_(server) {
    server_.Ask("CREATE SCHEMA " + schema_ + "; SET search_path TO " + schema_ +
                "; CREATE TABLE things (name TEXT PRIMARY KEY, number BIGINT NOT NULL);"
                " CREATE TABLE late (name TEXT UNIQUE DEFERRABLE INITIALLY DEFERRED)");
  }

  void Open(Pool::Options options = {}, const std::string& more = "") {
    options.schema = schema_;
    pool_ = std::make_unique<Pool>(*ParseUrl(server_.url() + more), options,
                                   std::vector{&kTypes, &kUnnest, &kInsert, &kLate, &kAdd, &kNames, &kNumber, &kBroken},
                                   &clock_, &recorder_);
    ASSERT_TRUE(pool_->AwaitConnections(absl::Seconds(60)));
  }

  Answered Read(const Statement& statement, Params params = {}) {
    Answered answer;
    absl::Notification answered;
    pool_->Read({&statement, std::move(params)}, [&](Answered rows) {
      answer = std::move(rows);
      answered.Notify();
    });
    answered.WaitForNotification();
    return answer;
  }

  // Several writes that all wait before the first can be done.
  std::vector<Answered> WriteAll(std::vector<Command> writes) {
    std::vector<Answered> answers(writes.size());
    absl::BlockingCounter left(static_cast<int>(writes.size()));
    for (std::size_t i = 0; i < writes.size(); ++i) {
      Write(std::move(writes[i]), [&, i](Answered rows) {
        answers[i] = std::move(rows);
        left.DecrementCount();
      });
    }
    left.Wait();
    return answers;
  }

  void Write(Command write, Pool::Answer answer, absl::Time deadline = absl::InfiniteFuture()) {
    std::vector<Command> commands;
    commands.push_back(std::move(write));
    pool_->Write(std::move(commands), "", deadline, std::move(answer));
  }

  absl::Status Write(Command write, absl::Time deadline = absl::InfiniteFuture()) {
    absl::Status status;
    absl::Notification answered;
    Write(
        std::move(write),
        [&](const Answered& rows) {
          status = rows.status();
          answered.Notify();
        },
        deadline);
    answered.WaitForNotification();
    return status;
  }

  std::vector<std::string> Names() {
    std::vector<std::string> names;
    const Answered rows = Read(kNames);
    EXPECT_TRUE(rows.ok()) << rows.status();
    for (int row = 0; rows.ok() && row < rows->front().size(); ++row) names.emplace_back(rows->front().Bytes(row, 0));
    return names;
  }

  // Until `session` ends its transaction, all writes wait.
  void Hold(Session& session) { session.Run("BEGIN; LOCK TABLE " + schema_ + ".things IN SHARE MODE"); }

  PostgresServer& server_;
  const std::string schema_ = testing::UniqueSchema();
  FakeClock clock_;
  Recorder recorder_;
  std::unique_ptr<Pool> pool_;
};

TEST_F(PoolTest, ValuesOfEachTypeComeBackAsTheyWere) {
  Open();
  const std::string bytes("\0\x01\xff", 3);
  const Answered rows =
      Read(kTypes, Params::Of(-2, 70'000, std::int64_t{-5'000'000'000}, -0.1, "text", Blob{bytes}, std::nullopt));
  ASSERT_TRUE(rows.ok()) << rows.status();
  const Rows& row = rows->front();
  EXPECT_EQ(row.Int64(0, 0), -2);
  EXPECT_EQ(row.Int64(0, 1), 70'000);
  EXPECT_EQ(row.Int64(0, 2), -5'000'000'000);
  EXPECT_EQ(row.Double(0, 3), -0.1);
  EXPECT_EQ(row.Bytes(0, 4), "text");
  EXPECT_EQ(row.Bytes(0, 5), bytes);
  EXPECT_TRUE(row.IsNull(0, 6));
  EXPECT_FALSE(row.IsNull(0, 5));
}

TEST_F(PoolTest, ListsKeepWhatMeansSomethingInALiteral) {
  Open();
  const std::vector<std::string> values = {"a,b", "\"q\"", "back\\slash", "NULL", "", "{}", " "};
  const Answered rows = Read(kUnnest, Params::Of(values));
  ASSERT_TRUE(rows.ok()) << rows.status();
  std::vector<std::string> back;
  for (int row = 0; row < rows->front().size(); ++row) {
    EXPECT_FALSE(rows->front().IsNull(row, 0));
    back.emplace_back(rows->front().Bytes(row, 0));
  }
  EXPECT_EQ(back, values);
}

TEST_F(PoolTest, WritesThatWaitShareACommit) {
  Open({.writers = 1});
  Session other(server_);
  Hold(other);
  absl::BlockingCounter left(41);
  for (int i = 0; i <= 40; ++i) {
    Write({&kInsert, Params::Of(std::to_string(i), i)}, [&](const Answered& rows) {
      EXPECT_TRUE(rows.ok()) << rows.status();
      left.DecrementCount();
    });
    // The first write is sent alone.
    while (i == 0 && pool_->writes_queued() > 0) absl::SleepFor(absl::Milliseconds(1));
  }
  other.Run("COMMIT");
  left.Wait();
  EXPECT_THAT(recorder_.commits(), ElementsAre(1, 40));
}

TEST_F(PoolTest, WhoFailsDoesNotTakeTheOthersAlong) {
  Open({.writers = 1});
  ASSERT_TRUE(Write({&kInsert, Params::Of("taken", 0)}).ok());
  Session other(server_);
  Hold(other);
  std::vector<Command> writes;
  for (const char* name : {"first", "a", "taken", "z"}) writes.push_back({&kInsert, Params::Of(name, 1)});
  absl::Notification held;
  Write({&kInsert, Params::Of("head", 1)}, [&](const Answered&) { held.Notify(); });
  while (pool_->writes_queued() > 0) absl::SleepFor(absl::Milliseconds(1));
  std::vector<absl::Status> statuses(writes.size());
  absl::BlockingCounter left(static_cast<int>(writes.size()));
  for (std::size_t i = 0; i < writes.size(); ++i) {
    Write(std::move(writes[i]), [&, i](const Answered& rows) {
      statuses[i] = rows.status();
      left.DecrementCount();
    });
  }
  other.Run("COMMIT");
  left.Wait();
  held.WaitForNotification();
  EXPECT_TRUE(statuses[0].ok() && statuses[1].ok() && statuses[3].ok());
  EXPECT_TRUE(absl::IsAlreadyExists(statuses[2])) << statuses[2];
  EXPECT_EQ(statuses[2].message(), "things_pkey");
  EXPECT_THAT(Names(), ElementsAre("a", "first", "head", "taken", "z"));
}

TEST_F(PoolTest, CommandsOfOneWriteHappenTogetherOrNotAtAll) {
  Open();
  ASSERT_TRUE(Write({&kInsert, Params::Of("taken", 0)}).ok());
  std::vector<Command> commands;
  commands.push_back({&kInsert, Params::Of("new", 0)});
  commands.push_back({&kInsert, Params::Of("taken", 0)});
  absl::Notification answered;
  pool_->Write(std::move(commands), "", absl::InfiniteFuture(), [&](const Answered& rows) {
    EXPECT_TRUE(absl::IsAlreadyExists(rows.status())) << rows.status();
    answered.Notify();
  });
  answered.WaitForNotification();
  EXPECT_THAT(Names(), ElementsAre("taken"));
}

TEST_F(PoolTest, AnErrorThatOnlyTheCommitShowsIsAnError) {
  Open();
  ASSERT_TRUE(Write({&kLate, Params::Of("once")}).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(Write({&kLate, Params::Of("once")})));
  EXPECT_TRUE(Write({&kLate, Params::Of("twice")}).ok()) << "and the connection goes on";
}

TEST_F(PoolTest, AnErrorOfAStatementIsNotTheCallers) {
  Open();
  ASSERT_TRUE(Write({&kInsert, Params::Of("one", 1)}).ok());
  EXPECT_TRUE(HasReason(Read(kBroken).status(), Reason::kStoreUnavailable));
  EXPECT_TRUE(HasReason(Write({&kBroken, Params()}), Reason::kStoreUnavailable));
  EXPECT_THAT(Names(), ElementsAre("one"));
}

TEST_F(PoolTest, WhatComesTooLateIsNotBegun) {
  Open();
  EXPECT_TRUE(absl::IsDeadlineExceeded(Write({&kInsert, Params::Of("late", 1)}, clock_.Read().wall)));
  EXPECT_THAT(Names(), ElementsAre());
}

TEST_F(PoolTest, WhatCannotBeSerializedIsTriedAgain) {
  Open({.writers = 3, .max_batch = 1}, "&options=-cdefault_transaction_isolation%3Dserializable");
  ASSERT_TRUE(Write({&kInsert, Params::Of("counter", 0)}).ok());
  std::vector<Command> writes;
  for (int i = 0; i < 300; ++i) writes.push_back({&kAdd, Params::Of("counter")});
  for (const Answered& answer : WriteAll(std::move(writes))) EXPECT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(Read(kNumber, Params::Of("counter"))->front().Int64(0, 0), 300);
}

TEST_F(PoolTest, ALostConnectionIsMadeAgain) {
  Open();
  server_.Ask(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
      " AND backend_type = 'client backend'");
  // A write on a lost connection fails with an unknown outcome; no write is left waiting.
  for (int i = 0; i < 50; ++i) {
    const absl::Status status = Write({&kInsert, Params::Of(std::to_string(i), i)});
    EXPECT_TRUE(status.ok() || HasReason(status, Reason::kStoreUnavailable)) << status;
  }
  ASSERT_TRUE(pool_->AwaitConnections(absl::Seconds(60)));
  EXPECT_TRUE(Write({&kInsert, Params::Of("after", 1)}).ok());
}

TEST_F(PoolTest, WhatIsQueuedIsDoneBeforeItStops) {
  Open({.writers = 1});
  std::atomic<int> done = 0;
  for (int i = 0; i < 500; ++i) {
    Write({&kInsert, Params::Of(std::to_string(i), i)}, [&](const Answered& rows) { done += rows.ok() ? 1 : 0; });
  }
  pool_->Stop();
  EXPECT_EQ(done, 500);
  EXPECT_TRUE(HasReason(Write({&kInsert, Params::Of("after", 1)}), Reason::kStoreUnavailable));
  EXPECT_TRUE(HasReason(Read(kNames).status(), Reason::kStoreUnavailable));
}

TEST_F(PoolTest, MoreThanCanWaitIsRefusedAtOnce) {
  Open({.writers = 1, .admission = {.max_queue = 3}});
  Session other(server_);
  Hold(other);
  std::atomic<int> refused = 0;
  absl::BlockingCounter left(10);
  for (int i = 0; i < 10; ++i) {
    Write({&kInsert, Params::Of(std::to_string(i), i)}, [&](const Answered& rows) {
      if (HasReason(rows.status(), Reason::kOverloaded)) ++refused;
      left.DecrementCount();
    });
    while (i == 0 && pool_->writes_queued() > 0) absl::SleepFor(absl::Milliseconds(1));
  }
  EXPECT_EQ(refused, 6);
  other.Run("COMMIT");
  left.Wait();
}

// A separate server, which the tests stop.
struct OwnServer {
  PostgresServer own;
};
class PoolOutageTest : private OwnServer, public PoolTest {
 protected:
  PoolOutageTest() : PoolTest(own) {}
};

TEST_F(PoolOutageTest, WithoutAServerAllIsRefusedAtOnceAndWithOneAllIsWell) {
  Open({.writers = 1});
  Session other(server_);
  Hold(other);
  absl::Notification lost;
  Write({&kInsert, Params::Of("under way", 1)}, [&](const Answered& rows) {
    EXPECT_TRUE(HasReason(rows.status(), Reason::kStoreUnavailable)) << rows.status();
    lost.Notify();
  });
  while (pool_->writes_queued() > 0) absl::SleepFor(absl::Milliseconds(1));
  server_.Crash();
  lost.WaitForNotification();
  EXPECT_TRUE(HasReason(Write({&kInsert, Params::Of("in between", 1)}), Reason::kStoreUnavailable));
  EXPECT_TRUE(HasReason(Read(kNames).status(), Reason::kStoreUnavailable));
  EXPECT_TRUE(HasReason(pool_->Admit(absl::InfiniteFuture(), Pool::Work::kNew), Reason::kStoreUnavailable));
  server_.Start();
  ASSERT_TRUE(pool_->AwaitConnections(absl::Seconds(60)));
  EXPECT_TRUE(Write({&kInsert, Params::Of("after", 1)}).ok());
  EXPECT_THAT(Names(), ElementsAre("after"));
}

TEST_F(PoolOutageTest, AServerThatIsSilentIsGivenUp) {
  Open({.statement_timeout = absl::Milliseconds(100)});
  server_.Freeze();
  EXPECT_TRUE(HasReason(Write({&kInsert, Params::Of("frozen", 1)}), Reason::kStoreUnavailable));
  EXPECT_TRUE(HasReason(Read(kNames).status(), Reason::kStoreUnavailable));
  server_.Thaw();
  ASSERT_TRUE(pool_->AwaitConnections(absl::Seconds(60)));
  EXPECT_TRUE(Write({&kInsert, Params::Of("after", 1)}).ok());
}

// Whether a new connection is accepted.
bool Connects(const ConnectParams& params) {
  const ConnPtr conn = StartConnect(params);
  while (true) {
    const PostgresPollingStatusType next = PQconnectPoll(conn.get());
    if (next == PGRES_POLLING_OK) return true;
    if (next == PGRES_POLLING_FAILED) return false;
    pollfd socket{.fd = PQsocket(conn.get()),
                  .events = static_cast<decltype(pollfd::events)>(next == PGRES_POLLING_READING ? POLLIN : POLLOUT)};
    poll(&socket, 1, /*timeout=*/30'000);
  }
}

TEST(PasswordFileTest, ANewPasswordNeedsNoRestart) {
  PostgresServer& server = testing::SharedPostgres();
  server.Ask(
      "CREATE ROLE guarded LOGIN PASSWORD 'first';"
      "DO $$ BEGIN EXECUTE format('COPY (VALUES (''local all guarded scram-sha-256''), (''local all all trust'')) TO "
      "%L',"
      " current_setting('hba_file')); END $$; SELECT pg_reload_conf()");
  const hail::testing::TempDirectory folder;
  const std::string guarded = absl::StrReplaceAll(server.url(), {{"hail@", "guarded:from-the-url@"}});
  ConnectParams params = ParseUrl(guarded).value();
  // The server reads its rules anew a moment later.
  const absl::Time limit = absl::Now() + absl::Seconds(30);
  while (Connects(params) && absl::Now() < limit) absl::SleepFor(absl::Milliseconds(10));
  EXPECT_FALSE(Connects(params));
  params.emplace_back(kPasswordFile, folder.Write("password", "first\n"));
  EXPECT_TRUE(Connects(params));
  server.Ask("ALTER ROLE guarded PASSWORD 'second'");
  EXPECT_FALSE(Connects(params));
  folder.Write("password", "second\r\nand more");
  EXPECT_TRUE(Connects(params));
  params.back().second = folder.path("none");
  EXPECT_FALSE(Connects(params));
}

}  // namespace
}  // namespace hail::postgres
