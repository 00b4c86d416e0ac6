// Behaviour of SQLite's driver store alone. tests/conformance covers every driver store.
#include "driver-service/storage/sqlite_driver_store.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/errors/error.h"
#include "common/sqlite/connection.h"
#include "common/time/fake_clock.h"
#include "driver-service/storage/schema.h"
#include "tests/conformance/driver_store_calls.h"
#include "tests/conformance/temp_folder.h"

namespace hail::driver {
namespace {

class SqliteDriverStoreTest : public testing::Test, public DriverStoreCalls {
 protected:
  SqliteDriverStoreTest() { Open(); }

  DriverStore& store() override { return *store_; }
  const Clock& clock() override { return clock_; }

  void Open(std::size_t max_waiting_records = 50'000) {
    store_.reset();
    auto store =
        SqliteDriverStore::Open({.path = path(), .max_waiting_records = max_waiting_records}, &clock_, nullptr);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  std::string path() const { return folder_.path("driver.db"); }

  // Closes the store and returns the first column of the rows in its file.
  std::vector<std::string> Rows(const std::string& sql) {
    store_.reset();
    auto connection = sqlite::Connection::Open(path(), sqlite::Connection::Mode::kReadWrite);
    EXPECT_TRUE(connection.ok());
    auto select = (*connection)->Prepare(sql);
    EXPECT_TRUE(select.ok()) << select.status();
    std::vector<std::string> rows;
    while (*select->Step()) rows.emplace_back(select->Text(0));
    return rows;
  }

  FakeClock clock_;
  const TempFolder folder_;
  std::unique_ptr<SqliteDriverStore> store_;
};

// Other programs (hail-check) read these columns.
TEST_F(SqliteDriverStoreTest, ThePlainColumnsOfTheOfferLogSayItAll) {
  store_->AppendOfferLog(MakeRecord(7));
  store_->AppendOfferLog(MakeRecord(8));
  EXPECT_EQ(Rows("SELECT offer_id || '|' || ride_id || '|' || epoch || '|' || driver_id || '|' || outcome || '|' || "
                 "revoke_reason || '|' || received || '|' || made_time || '|' || settled_time || '|' || pickup_eta_us "
                 "|| '|' || pickup_distance_m FROM offers ORDER BY offer_id"),
            (std::vector<std::string>{"o7|r1|2|d1|REVOKED|TAKEN|1|1000000|2500000|90000000|412.5",
                                      "o8|r1|2|d1|DECLINED||1|1000000|2500000|90000000|412.5"}));
  EXPECT_EQ(Rows("SELECT count(*) FROM offers"), std::vector<std::string>{"2"});
}

TEST_F(SqliteDriverStoreTest, TheOfferLogDoesNotWaitAndCountsWhatItLoses) {
  Open(10);
  // Another writer holds the file: nothing can be written now.
  auto other = sqlite::Connection::Open(path(), sqlite::Connection::Mode::kReadWrite);
  ASSERT_TRUE(other.ok());
  ASSERT_TRUE((*other)->Execute("BEGIN IMMEDIATE").ok());
  for (int i = 0; i < 100; ++i) store_->AppendOfferLog(MakeRecord(i));  // returns at once
  const std::uint64_t lost = store_->lost_records();
  EXPECT_GE(lost, 89u);
  ASSERT_TRUE((*other)->Execute("COMMIT").ok());
  other->reset();
  EXPECT_EQ(Rows("SELECT count(*) FROM offers"), std::vector<std::string>{absl::StrCat(100 - lost)});
}

TEST_F(SqliteDriverStoreTest, AfterStoppingEverythingIsRefused) {
  store_->Stop();
  store_->Stop();
  EXPECT_TRUE(HasReason(Register(MakeDriver("d1")).status(), Reason::kStoreUnavailable));
  EXPECT_TRUE(HasReason(Get("d1").status(), Reason::kStoreUnavailable));
  store_->AppendOfferLog(MakeRecord(1));
  EXPECT_EQ(store_->lost_records(), 1u);
  EXPECT_EQ(store_->depth(), 0u);
}

// In a file of an earlier version, several drivers may be online with one plate. Only the driver updated last stays
// online.
TEST_F(SqliteDriverStoreTest, AFileOfBeforeOpensAlsoWherePlatesCollide) {
  store_.reset();
  ASSERT_EQ(std::remove(path().c_str()), 0);
  std::remove((path() + "-wal").c_str());
  std::remove((path() + "-shm").c_str());
  {
    auto connection = sqlite::Connection::Open(path(), sqlite::Connection::Mode::kReadWrite);
    ASSERT_TRUE(connection.ok()) << connection.status();
    ASSERT_TRUE((*connection)->Execute(kMigrations[0]).ok());
    const auto add = [&](const std::string& id, const std::string& plate, int online, int updated) {
      ASSERT_TRUE((*connection)
                      ->Execute(absl::StrCat("INSERT INTO drivers VALUES ('", id, "', '', 'sf', '', '', '', '", plate,
                                             "', 4, 'economy', ", online, ", 1, ", updated, ")"))
                      .ok());
    };
    add("d1", "twin 001-é", 1, 1);
    add("d2", "TWIN_001é", 1, 3);
    add("d3", "twin(001)é", 1, 2);
    add("d4", "TWIN001É", 1, 1);
    add("d5", "TWIN001é", 0, 9);
    add("d6", "--", 1, 1);
    add("d7", "- ", 1, 1);
    ASSERT_TRUE((*connection)->Execute("PRAGMA user_version = 1").ok());
  }
  Open();
  std::vector<std::string> online;
  for (const char* id : {"d1", "d2", "d3", "d4", "d5", "d6", "d7"}) {
    if (Get(id)->availability == Availability::kOnline) online.push_back(id);
  }
  EXPECT_EQ(online, (std::vector<std::string>{"d2", "d4", "d6", "d7"})) << "a plate without a letter is none";
  EXPECT_TRUE(HasReason(SetAvailability("d5", Availability::kOnline).status(), Reason::kPlateInUse));
  for (const char* id : {"d1", "d2", "d3", "d4", "d5"}) {
    EXPECT_EQ(Rows(absl::StrCat("SELECT plate_key FROM drivers WHERE driver_id = '", id, "'")),
              (std::vector<std::string>{id == std::string("d4") ? "TWIN001É" : "TWIN001é"}));
  }
}

TEST_F(SqliteDriverStoreTest, AFileThatCannotBeOpenedIsAnError) {
  EXPECT_FALSE(SqliteDriverStore::Open({.path = "/proc/no/such/place/driver.db"}, &clock_, nullptr).ok());
}

}  // namespace
}  // namespace hail::driver
