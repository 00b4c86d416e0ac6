// Power cuts at every moment and at random ones. Acknowledged jobs survive; any other job survives wholly or not at
// all. The tests find planted faults that break this rule.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/sqlite/database.h"
#include "common/time/fake_clock.h"
#include "tests/tools/powerloss/disk.h"
#include "tests/tools/powerloss/plant.h"
#include "tests/tools/powerloss/power_cuts.h"
#include "tests/tools/powerloss/vfs.h"

namespace hail::sqlite {
namespace {

using powerloss::Disk;
using powerloss::DiskOptions;
using powerloss::Op;
using powerloss::OpKind;
using powerloss::PlantedSynchronous;
using powerloss::PowerCuts;
using powerloss::SeedsToTry;
using powerloss::SomeSeedLoses;
using ::testing::IsEmpty;
using Problems = std::vector<std::string>;

const FakeClock& Clock() {
  static const FakeClock clock;
  return clock;
}

std::vector<Migration> Migrations() {
  return {{"CREATE TABLE half(job INTEGER NOT NULL, side INTEGER NOT NULL, text TEXT NOT NULL,"
           " PRIMARY KEY(job, side)); CREATE INDEX half_text ON half(text);"},
          {"CREATE TABLE later(x)"}};
}

absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& folder, std::int64_t wal_bytes = 24 << 10) {
  DatabaseOptions options;
  options.path = folder + "/made/test.db";
  options.readers = 1;
  options.writer.max_batch = 4;
  options.checkpoint_wal_bytes = wal_bytes;
  return Database::Open(options, Migrations(), &Clock(), nullptr);
}

// The text that a job writes; the check computes it again. Some texts are longer than a page.
std::string TextOf(int job, int side) {
  return std::to_string(job) + ":" + std::to_string(side) +
         std::string(static_cast<std::size_t>(job * 37 % 11 == 0 ? 6000 : job * 7 % 300), 'x');
}

// Two rows that belong together; every seventh fails between them and must leave none.
Job TwoRows(int job) {
  return [job](Connection& connection) -> absl::Status {
    for (int side = 0; side < 2; ++side) {
      absl::StatusOr<Statement> insert = connection.Prepare("INSERT INTO half(job, side, text) VALUES(?, ?, ?)");
      if (!insert.ok()) return insert.status();
      if (absl::Status status = insert->BindAll(job, side, TextOf(job, side)).Run(); !status.ok()) return status;
      if (job % 7 == 3) return absl::AbortedError("on purpose");
    }
    return absl::OkStatus();
  };
}

// The jobs that were acknowledged. Thread-safe.
class Promises {
 public:
  void Keep(int job) {
    absl::MutexLock lock(&mutex_);
    acknowledged_.insert(job);
  }
  std::set<int> acknowledged() const {
    absl::MutexLock lock(&mutex_);
    return acknowledged_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::set<int> acknowledged_;
};

// Submits `count` jobs from number `first` on, and waits until all are answered.
void Work(Database& database, int first, int count, Promises& promises) {
  absl::BlockingCounter answered(count);
  for (int job = first; job < first + count; ++job) {
    database.writer().Submit(absl::InfiniteFuture(), TwoRows(job), [&, job](const absl::Status& status) {
      if (status.ok()) promises.Keep(job);
      answered.DecrementCount();
    });
  }
  answered.Wait();
}

// The faults of the database in `folder`. It must hold every job in `acknowledged`, and only whole jobs with numbers
// below `attempted`.
Problems Check(const std::string& folder, const std::set<int>& acknowledged, int attempted) {
  absl::StatusOr<std::unique_ptr<Database>> database = Open(folder);
  if (!database.ok()) return {"does not open: " + database.status().ToString()};
  Problems problems;
  std::map<int, std::set<int>> found;
  absl::Notification answered;
  (*database)->readers().Submit(
      absl::InfiniteFuture(),
      [&](Connection& connection) -> absl::Status {
        absl::StatusOr<Statement> check = connection.Prepare("PRAGMA integrity_check");
        if (!check.ok()) return check.status();
        const absl::StatusOr<bool> row = check->Step();
        if (!row.ok()) return row.status();
        if (check->Text(0) != "ok") problems.push_back("integrity: " + std::string(check->Text(0)));
        absl::StatusOr<Statement> rows = connection.Prepare("SELECT job, side, text FROM half");
        if (!rows.ok()) return rows.status();
        while (true) {
          const absl::StatusOr<bool> one = rows->Step();
          if (!one.ok()) return one.status();
          if (!*one) return absl::OkStatus();
          const int job = static_cast<int>(rows->Int64(0));
          const int side = static_cast<int>(rows->Int64(1));
          found[job].insert(side);
          if (rows->Text(2) != TextOf(job, side)) problems.push_back("damaged: " + std::to_string(job));
        }
      },
      [&](const absl::Status& status) {
        if (!status.ok()) problems.push_back("unreadable: " + status.ToString());
        answered.Notify();
      });
  answered.WaitForNotification();
  for (const int job : acknowledged) {
    if (found.count(job) == 0) problems.push_back("lost: " + std::to_string(job));
  }
  for (const auto& [job, sides] : found) {
    if (sides.size() != 2 || job >= attempted || job % 7 == 3) problems.push_back("half: " + std::to_string(job));
  }
  return problems;
}

// Three lives of one database, each cut off at random: while it is opened, while it works, while it is closed.
Problems Live(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  PowerCuts cuts(seed);
  Promises promises;
  int attempted = 0;
  Problems problems;
  for (int life = 0; life < 3 && problems.empty(); ++life) {
    std::set<int> acknowledged;
    cuts.Begin(1 + random() % (random() % 4 == 0 ? 20 : 160), [&] { acknowledged = promises.acknowledged(); });
    absl::StatusOr<std::unique_ptr<Database>> database = Open(cuts.folder());
    if (database.ok()) {
      for (int round = 0; round < 8 && !cuts.cut(); ++round) {
        const int count = 1 + static_cast<int>(random() % 6);
        Work(**database, attempted, count, promises);
        attempted += count;
      }
      // Or the cut comes while the file is closed.
      if (random() % 4 != 0) cuts.CutNow();
      (*database)->Stop();
    }
    cuts.CutNow();
    database = absl::UnknownError("closed");
    cuts.End();
    problems = Check(cuts.Copy(), acknowledged, attempted);
  }
  return problems;
}

bool Loses(std::uint64_t seed) { return !Live(seed).empty(); }

TEST(PowerLoss, RandomCutsLoseNothingAcknowledged) {
  const std::uint64_t seeds = SeedsToTry(150);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) EXPECT_THAT(Live(seed), IsEmpty()) << "seed " << seed;
}

// The proof that the test above can fail.
TEST(PowerLoss, WithoutSyncsAcknowledgedCommitsAreLost) {
  const PlantedSynchronous plant("OFF");
  EXPECT_TRUE(SomeSeedLoses(Loses));
}

// Syncs before and after a checkpoint, none for a commit.
TEST(PowerLoss, WithSyncsAtCheckpointsOnlyAcknowledgedCommitsAreLost) {
  const PlantedSynchronous plant("NORMAL");
  EXPECT_TRUE(SomeSeedLoses(Loses));
}

// One run. At each single change to the disk, checks two states that a power cut there could leave.
TEST(PowerLoss, ACutAtEveryMomentLosesNothingAcknowledged) {
  PowerCuts folders(1);
  Promises promises;
  int attempted = 0;
  int looks = 0;
  Disk* disk = nullptr;
  DiskOptions options;
  options.before = [&](const Op& op) {
    if (op.kind == OpKind::kRead || op.kind == OpKind::kOpen || op.kind == OpKind::kSharedMemory) return SQLITE_OK;
    for (std::uint64_t way = 0; way < 2; ++way) {
      const std::string folder = folders.folder() + "-" + std::to_string(op.number) + "-" + std::to_string(way);
      disk->LeaveAfterCut(folder, op.number * 2 + way);
      EXPECT_THAT(Check(folder, promises.acknowledged(), attempted), IsEmpty())
          << "at change " << op.number << ", to " << op.path << ", way " << way;
      std::filesystem::remove_all(folder);
      ++looks;
    }
    return SQLITE_OK;
  };
  {
    Disk whole(folders.folder(), std::move(options));
    disk = &whole;
    auto database = Open(folders.folder());
    ASSERT_TRUE(database.ok()) << database.status();
    for (int job = 0; job < 24; job += 3) {
      disk->Locked([&] { attempted = job + 3; });
      Work(**database, job, 3, promises);
    }
    (*database)->Stop();
  }
  EXPECT_GT(looks, 150);
}

// When a process dies, the system keeps its unsynced writes. The next run reads them and may base answers on them, so
// from then on they must survive a power cut.
TEST(PowerLoss, WhatARestartFindsLastsThoughItWasNeverSyncedBefore) {
  int found = 0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    PowerCuts folders(seed);
    bool dead = false;
    std::uint64_t dies_at = 0;
    DiskOptions options;
    options.before = [&](const Op& op) {
      // Dies at the sync of a commit: the rows are written and not acknowledged.
      if (op.kind == OpKind::kSync && op.number >= dies_at && dies_at != 0) dead = true;
      return dead ? SQLITE_IOERR : SQLITE_OK;
    };
    Disk disk(folders.folder(), std::move(options));
    Promises promises;
    auto first = Open(folders.folder(), 4 << 20);
    ASSERT_TRUE(first.ok()) << first.status();
    Work(**first, 0, 3, promises);
    disk.Locked([&] { dies_at = disk.changes() + 1; });
    Work(**first, 4, 1, promises);
    (*first)->Stop();
    first->reset();
    ASSERT_EQ(promises.acknowledged().count(4), 0u);

    disk.Locked([&] {
      dies_at = 0;
      dead = false;
    });
    auto second = Open(folders.folder(), 4 << 20);
    ASSERT_TRUE(second.ok()) << second.status();
    absl::Notification answered;
    std::set<int> seen;
    (*second)->readers().Submit(
        absl::InfiniteFuture(),
        [&](Connection& connection) -> absl::Status {
          Statement select = *connection.Prepare("SELECT DISTINCT job FROM half");
          while (*select.Step()) seen.insert(static_cast<int>(select.Int64(0)));
          return absl::OkStatus();
        },
        [&](const absl::Status&) { answered.Notify(); });
    answered.WaitForNotification();
    found += static_cast<int>(seen.count(4));
    const std::string left = folders.folder() + "-left";
    disk.LeaveAfterCut(left, seed);
    EXPECT_THAT(Check(left, seen, 5), IsEmpty()) << "seed " << seed;
    (*second)->Stop();
  }
  EXPECT_EQ(found, 30);
}

// One operation on the disk fails, or up to four in a row. The jobs that fail are refused, no acknowledged job is lost,
// and afterwards the writer goes on by itself.
TEST(StorageFaults, OneOperationThatFailsLosesNothingAcknowledged) {
  std::mt19937_64 random(7);
  for (std::uint64_t at = 1; at <= 120; ++at) {
    PowerCuts folders(at);
    const std::uint64_t until = at + random() % 4;
    const int error = std::vector<int>{SQLITE_FULL, SQLITE_IOERR_WRITE, SQLITE_IOERR_FSYNC}[random() % 3];
    bool armed = false;
    std::uint64_t begin = 0;
    DiskOptions options;
    options.before = [&](const Op& op) {
      if (!armed || op.kind == OpKind::kRead || op.kind == OpKind::kOpen || op.kind == OpKind::kSharedMemory)
        return SQLITE_OK;
      return op.number >= begin + at && op.number <= begin + until ? error : SQLITE_OK;
    };
    Disk disk(folders.folder(), std::move(options));
    Promises promises;
    auto database = Open(folders.folder());
    ASSERT_TRUE(database.ok()) << database.status();
    disk.Locked([&] {
      begin = disk.changes();
      armed = true;
    });
    for (int job = 0; job < 30; job += 2) Work(**database, job, 2, promises);
    disk.Locked([&] { armed = false; });
    Work(**database, 40, 1, promises);
    EXPECT_EQ(promises.acknowledged().count(40), 1u) << "does not go on after operation " << at;
    const std::string left = folders.folder() + "-left";
    const std::set<int> acknowledged = promises.acknowledged();
    disk.LeaveAfterCut(left, at);
    EXPECT_THAT(Check(left, acknowledged, 41), IsEmpty()) << "operation " << at;
    (*database)->Stop();
  }
}

}  // namespace
}  // namespace hail::sqlite
