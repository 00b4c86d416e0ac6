// A database of one table in a folder of its own.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "common/sqlite/database.h"
#include "common/time/fake_clock.h"

namespace hail::sqlite {

class DatabaseFixture : public ::testing::Test {
 protected:
  DatabaseFixture() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hail-sqlite-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~DatabaseFixture() override { std::filesystem::remove_all(folder_); }

  std::string path() const { return (folder_ / "data" / "test.db").string(); }

  static std::vector<Migration> Migrations() {
    return {
        {"CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT NOT NULL, live INTEGER NOT NULL DEFAULT 1);"
         "CREATE UNIQUE INDEX item_live_name ON item(name) WHERE live = 1;"}};
  }

  std::unique_ptr<Database> Open(DatabaseOptions options = {}, Observer* observer = nullptr) {
    options.path = path();
    absl::StatusOr<std::unique_ptr<Database>> database = Database::Open(options, Migrations(), &clock_, observer);
    EXPECT_TRUE(database.ok()) << database.status();
    return *std::move(database);
  }

  static Job Insert(std::int64_t id, std::string name) {
    return [id, name = std::move(name)](Connection& connection) -> absl::Status {
      absl::StatusOr<Statement> insert = connection.Prepare("INSERT INTO item(id, name) VALUES(?, ?)");
      if (!insert.ok()) return insert.status();
      return insert->BindAll(id, name).Run();
    };
  }

  // Runs a job on `target` (writer or readers) and returns the status that its `done` got.
  template <typename Target>
  static absl::Status Do(Target& target, Job job, Deadline deadline = absl::InfiniteFuture()) {
    absl::Notification answered;
    absl::Status outcome;
    target.Submit(deadline, std::move(job), [&](absl::Status status) {
      outcome = std::move(status);
      answered.Notify();
    });
    answered.WaitForNotification();
    return outcome;
  }

  // The names in the table, by id.
  static std::vector<std::string> Names(Database& database) {
    std::vector<std::string> names;
    const absl::Status status = Do(database.readers(), [&names](Connection& connection) -> absl::Status {
      absl::StatusOr<Statement> select = connection.Prepare("SELECT name FROM item ORDER BY id");
      if (!select.ok()) return select.status();
      while (true) {
        absl::StatusOr<bool> row = select->Step();
        if (!row.ok()) return row.status();
        if (!*row) return absl::OkStatus();
        names.emplace_back(select->Text(0));
      }
    });
    EXPECT_TRUE(status.ok()) << status;
    return names;
  }

  FakeClock clock_;
  std::filesystem::path folder_;
};

}  // namespace hail::sqlite
