#include "common/sqlite/database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/errors/error.h"
#include "tests/matchers.h"
#include "tests/unit/common/sqlite/fixture.h"

namespace hail::sqlite {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using DatabaseTest = DatabaseFixture;

class Checkpoints : public Observer {
 public:
  void OnBatch(std::size_t, absl::Duration, const absl::Status&) override {}
  void OnCheckpoint(int pages, absl::Duration) override {
    absl::MutexLock lock(&mutex_);
    pages_ += pages;
  }
  void OnException(const std::string&) override {}
  bool WaitForPages() {
    absl::MutexLock lock(&mutex_);
    const auto some = [this] { return pages_ > 0; };
    return mutex_.AwaitWithTimeout(absl::Condition(&some), absl::Seconds(30));
  }

 private:
  absl::Mutex mutex_;
  int pages_ = 0;
};

TEST_F(DatabaseTest, KeepsWhatWasCommittedWhenTheProcessEndsAbruptly) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto database = Open();
    for (int i = 0; i < 20; ++i) {
      if (!Do(database->writer(), Insert(i, std::to_string(i))).ok()) _exit(1);
    }
    // No destructor, no checkpoint: as if killed.
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  ASSERT_GT(std::filesystem::file_size(path() + "-wal"), 0u);
  auto database = Open();
  EXPECT_EQ(Names(*database).size(), 20u);
}

TEST_F(DatabaseTest, AUsedFileIsRefusedUntilItIsFree) {
  auto database = Open();
  DatabaseOptions options;
  options.path = path();
  const absl::Status second = Database::Open(options, Migrations(), &clock_, nullptr).status();
  EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition) << second;
  database->Stop();
  EXPECT_TRUE(Database::Open(options, Migrations(), &clock_, nullptr).ok());
}

TEST_F(DatabaseTest, AnEndEmptiesTheWal) {
  auto database = Open();
  ASSERT_TRUE(Do(database->writer(), Insert(1, "a")).ok());
  database.reset();
  EXPECT_FALSE(std::filesystem::exists(path() + "-wal"));
  EXPECT_THAT(Names(*Open()), ElementsAre("a"));
}

// The bytes of the database's files.
std::string BytesOf(const std::string& path) {
  std::string bytes;
  for (const char* suffix : {"", "-wal", "-shm"}) {
    std::ifstream file(path + suffix, std::ios::binary);
    bytes.append(std::istreambuf_iterator<char>(file), {});
  }
  return bytes;
}

absl::Status Scrub(Database& database) {
  absl::Notification done;
  absl::Status outcome;
  database.Scrub([&](absl::Status status) {
    outcome = std::move(status);
    done.Notify();
  });
  done.WaitForNotification();
  return outcome;
}

TEST_F(DatabaseTest, AScrubLeavesNothingOfEarlierValues) {
  auto database = Open();
  // Enough to split pages, in an order that leaves copies of moved rows behind.
  for (int i = 0; i < 400; ++i) {
    const int id = (i * 7919) % 4001;
    const std::string name = std::to_string(id) + "secret-" + std::string(static_cast<std::size_t>(i * 37 % 900), 'x');
    ASSERT_TRUE(Do(database->writer(), Insert(id, name)).ok());
  }
  ASSERT_TRUE(Do(database->writer(), [](Connection& connection) {
                return connection.Execute("UPDATE item SET name = 'gone' || id");
              }).ok());
  database.reset();
  ASSERT_FALSE(std::filesystem::exists(path() + "-wal"));
  EXPECT_NE(BytesOf(path()).find("secret-"), std::string::npos) << "SQLite itself leaves no copies: no need to scrub";
  database = Open();
  EXPECT_EQ(Scrub(*database), absl::OkStatus());
  EXPECT_EQ(BytesOf(path()).find("secret-"), std::string::npos);
  EXPECT_EQ(Names(*database).size(), 400u);
  ASSERT_TRUE(Do(database->writer(), Insert(5000, "after")).ok());
  EXPECT_EQ(Names(*database).size(), 401u);
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(path()).parent_path())) {
    EXPECT_THAT(entry.path().string(), ::testing::StartsWith(path()));
  }
}

TEST_F(DatabaseTest, ALargeFileIsWrittenAnewAtTheNextStart) {
  DatabaseOptions options;
  options.scrub_at_once_bytes = 0;
  auto database = Open(options);
  for (int i = 0; i < 2000; ++i) {
    ASSERT_TRUE(Do(database->writer(), Insert(i, "secret-" + std::to_string(i) + std::string(i % 90, 'x'))).ok());
  }
  const auto size = [this] { return std::filesystem::file_size(path()); };
  ASSERT_TRUE(
      Do(database->writer(), [](Connection& connection) { return connection.Execute("DELETE FROM item"); }).ok());
  ASSERT_EQ(Scrub(*database), absl::OkStatus());
  EXPECT_EQ(std::filesystem::file_size(path() + "-wal"), 0u);
  const auto before = size();
  database.reset();
  EXPECT_EQ(size(), before);
  database = Open(options);
  EXPECT_LT(size(), before);
  EXPECT_EQ(BytesOf(path()).find("secret-"), std::string::npos);
  const auto after = size();
  // Once only.
  ASSERT_TRUE(Do(database->writer(), Insert(1, std::string(50'000, 'y'))).ok());
  ASSERT_TRUE(
      Do(database->writer(), [](Connection& connection) { return connection.Execute("DELETE FROM item"); }).ok());
  database.reset();
  EXPECT_GT(size(), after);
  database = Open(options);
  EXPECT_GT(size(), after);
}

TEST_F(DatabaseTest, AScrubWaitsForReadersAndDoesNotStopThem) {
  auto database = Open();
  ASSERT_TRUE(Do(database->writer(), Insert(1, "a")).ok());
  absl::Notification reading, go_on;
  database->readers().Submit(
      absl::InfiniteFuture(),
      [&](Connection& connection) -> absl::Status {
        auto select = connection.Prepare("SELECT name FROM item");
        if (!select.ok()) return select.status();
        const auto row = select->Step();
        reading.Notify();
        go_on.WaitForNotification();
        return row.status();
      },
      [](const absl::Status& status) { EXPECT_TRUE(status.ok()) << status; });
  reading.WaitForNotification();
  absl::Notification scrubbed;
  database->Scrub([&](const absl::Status& status) {
    EXPECT_TRUE(status.ok()) << status;
    scrubbed.Notify();
  });
  go_on.Notify();
  scrubbed.WaitForNotification();
  EXPECT_THAT(Names(*database), ElementsAre("a"));
}

TEST_F(DatabaseTest, MigratesStepByStepAndKeepsData) {
  auto database = Open();
  ASSERT_TRUE(Do(database->writer(), Insert(1, "a")).ok());
  database.reset();

  std::vector<Migration> more = Migrations();
  more.push_back({"ALTER TABLE item ADD COLUMN note TEXT NOT NULL DEFAULT 'none'"});
  more.push_back({"UPDATE item SET name = name || ':' || note"});
  DatabaseOptions options;
  options.path = path();
  auto newer = Database::Open(options, more, &clock_, nullptr);
  ASSERT_TRUE(newer.ok()) << newer.status();
  EXPECT_THAT(Names(**newer), ElementsAre("a:none"));
  newer->reset();
  // Once only.
  EXPECT_THAT(Names(**Database::Open(options, more, &clock_, nullptr)), ElementsAre("a:none"));
}

TEST_F(DatabaseTest, RefusesASchemaNewerThanItself) {
  std::vector<Migration> more = Migrations();
  more.push_back({"ALTER TABLE item ADD COLUMN note TEXT"});
  DatabaseOptions options;
  options.path = path();
  ASSERT_TRUE(Database::Open(options, more, &clock_, nullptr).ok());
  const absl::Status older = Database::Open(options, Migrations(), &clock_, nullptr).status();
  EXPECT_EQ(older.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(older.message()), HasSubstr("newer than this program's 1"));
}

TEST_F(DatabaseTest, AMigrationThatFailsChangesNothing) {
  Open().reset();
  std::vector<Migration> broken = Migrations();
  broken.push_back({"CREATE TABLE half(x); CREATE TABLE item(y)"});
  DatabaseOptions options;
  options.path = path();
  const absl::Status status = Database::Open(options, broken, &clock_, nullptr).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("version 2"));
  auto database = Open();
  EXPECT_FALSE(
      Do(database->readers(), [](Connection& connection) { return connection.Execute("SELECT * FROM half"); }).ok());
}

TEST_F(DatabaseTest, WritesALongWalBackWhileRunning) {
  Checkpoints checkpoints;
  DatabaseOptions options;
  options.checkpoint_wal_bytes = 64 << 10;
  auto database = Open(options, &checkpoints);
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(Do(database->writer(), Insert(i, std::to_string(i) + std::string(4096, 'x'))).ok());
  }
  EXPECT_TRUE(checkpoints.WaitForPages());
  EXPECT_EQ(Names(*database).size(), 50u);
}

// A writer that never pauses leaves no gap in which the WAL could start over by itself.
TEST_F(DatabaseTest, KeepsTheWalShortUnderAWriterThatNeverPauses) {
  constexpr int kRows = 4000;
  DatabaseOptions options;
  options.checkpoint_wal_bytes = 256 << 10;
  options.writer.max_batch = 8;
  auto database = Open(options);
  absl::BlockingCounter answered(kRows);
  for (int i = 0; i < kRows; ++i) {
    database->writer().Submit(absl::InfiniteFuture(), Insert(i, std::to_string(i) + std::string(4096, 'x')),
                              [&](const absl::Status& status) {
                                EXPECT_TRUE(status.ok()) << status;
                                answered.DecrementCount();
                              });
  }
  answered.Wait();
  // The file never shrinks while in use, so its size is the most it ever held; 16 MiB and more were written.
  EXPECT_LT(std::filesystem::file_size(path() + "-wal"), 8u << 20);
}

TEST_F(DatabaseTest, AFolderThatCannotBeMadeIsUnavailable) {
  DatabaseOptions options;
  options.path = "/proc/hail/test.db";
  EXPECT_THAT(Database::Open(options, Migrations(), &clock_, nullptr), HasReason(Reason::kStoreUnavailable));
}

mode_t ModeOf(const std::string& path) {
  struct stat found {};
  EXPECT_EQ(lstat(path.c_str(), &found), 0) << path;
  return found.st_mode & 0777;
}

TEST_F(DatabaseTest, OnlyItsOwnerReadsTheData) {
  const mode_t before = umask(022);
  {
    auto database = Open();
    ASSERT_TRUE(Do(database->writer(), Insert(1, "one")).ok());
    EXPECT_EQ(ModeOf(std::filesystem::path(path()).parent_path().string()), 0700u);
    for (const char* suffix : {"", "-wal", "-shm", ".lock"}) EXPECT_EQ(ModeOf(path() + suffix), 0600u) << suffix;
  }
  // An earlier version made the files readable by others.
  for (const char* suffix : {"", ".lock"}) chmod((path() + suffix).c_str(), 0644);
  {
    auto database = Open();
    for (const char* suffix : {"", "-wal", "-shm", ".lock"}) EXPECT_EQ(ModeOf(path() + suffix), 0600u) << suffix;
  }
  umask(before);
}

TEST_F(DatabaseTest, LinksAreNotFollowed) {
  Open();
  const std::string elsewhere = (folder_ / "elsewhere").string();
  for (const char* suffix : {"", "-wal", "-shm", ".lock"}) {
    std::filesystem::remove_all(std::filesystem::path(path()).parent_path());
    std::filesystem::create_directory(std::filesystem::path(path()).parent_path());
    std::filesystem::create_symlink(elsewhere, path() + suffix);
    DatabaseOptions options;
    options.path = path();
    const auto opened = Database::Open(options, Migrations(), &clock_, nullptr);
    EXPECT_EQ(opened.status().code(), absl::StatusCode::kFailedPrecondition) << suffix;
    EXPECT_FALSE(std::filesystem::exists(elsewhere)) << suffix;
  }
}

}  // namespace
}  // namespace hail::sqlite
