#include "tests/tools/hail-check/evidence.h"

#include <sqlite3.h>

#include "gtest/gtest.h"
#include "tests/unit/temp_file.h"

namespace hail::check {
namespace {

using testing::TempDirectory;

TEST(ReadLedgers, ReadsAllThreeAndLeavesOutALineThatWasCutOff) {
  TempDirectory directory;
  directory.Write("riders.ndjson", "{\"kind\":\"event\",\"agent\":\"r\"}\n{\"kind\":\"ev");
  directory.Write("drivers.ndjson", "");
  directory.Write("plan.ndjson", "{\"kind\":\"run\",\"agent\":\"\"}\n");
  const auto ledgers = ReadLedgers(directory.path(""));
  ASSERT_TRUE(ledgers.ok()) << ledgers.status();
  EXPECT_EQ(ledgers->riders.size(), 1u);
  EXPECT_EQ(ledgers->drivers.size(), 0u);
  EXPECT_EQ(ledgers->plan.size(), 1u);
}

TEST(ReadLedgers, RefusesADamagedLineAndAMissingFile) {
  for (const char* line : {"nonsense", "[]", "{\"kind\":\"event\"}", "{\"kind\":1,\"agent\":\"r\"}",
                           "{\"kind\":\"event\",\"agent\":[\"r\"]}", "{\"kind\":\"event\",\"agent\":\"r\"}"}) {
    TempDirectory directory;
    directory.Write("riders.ndjson", std::string(line) + "\n");
    EXPECT_FALSE(ReadLedgers(directory.path("")).ok()) << "two are missing";
    directory.Write("drivers.ndjson", "");
    directory.Write("plan.ndjson", "");
    EXPECT_EQ(ReadLedgers(directory.path("")).ok(), std::string(line) == "{\"kind\":\"event\",\"agent\":\"r\"}")
        << line;
  }
}

TEST(ReadLedgers, SkipsAByteOrderMark) {
  TempDirectory directory;
  directory.Write("riders.ndjson", "\xef\xbb\xbf{\"kind\":\"event\",\"agent\":\"r\"}\n");
  directory.Write("drivers.ndjson", "");
  directory.Write("plan.ndjson", "");
  const auto ledgers = ReadLedgers(directory.path(""));
  ASSERT_TRUE(ledgers.ok()) << ledgers.status();
  EXPECT_EQ(ledgers->riders.size(), 1u);
}

void Execute(const std::string& path, const std::string& sql) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
  sqlite3_close(database);
}

TEST(ReadStores, ReadsRidesEventsAndOffers) {
  TempDirectory directory;
  Execute(
      directory.path("rider.db"),
      "PRAGMA journal_mode=WAL;"
      "CREATE TABLE rides(ride_id, rider_id, request_id, driver_id, state, sequence, epoch);"
      "CREATE TABLE events(ride_id, sequence, type, epoch, state, driver_id, driver_sequence, ended, event_time_us);"
      "INSERT INTO rides VALUES('a','r','q',NULL,9,2,1);"
      "INSERT INTO events VALUES('a',2,8,1,9,NULL,0,0,20),('a',1,1,1,2,NULL,0,0,10);");
  Execute(directory.path("driver.db"),
          "CREATE TABLE offers(offer_id, ride_id, epoch, driver_id, outcome);"
          "INSERT INTO offers VALUES('o','a',1,'d','EXPIRED');");
  const auto stores = ReadStores(directory.path("rider.db"), directory.path("driver.db"));
  ASSERT_TRUE(stores.ok()) << stores.status();
  ASSERT_EQ(stores->rides.size(), 1u);
  EXPECT_EQ(stores->rides[0].driver_id, "");
  EXPECT_EQ(stores->rides[0].state, 9);
  ASSERT_EQ(stores->events.size(), 2u);
  EXPECT_EQ(stores->events[0].sequence, 1);
  EXPECT_EQ(stores->events[1].time_us, 20);
  EXPECT_EQ(stores->offers[0].outcome, "EXPIRED");
}

TEST(ReadStores, RefusesWhatIsNotThere) {
  TempDirectory directory;
  EXPECT_FALSE(ReadStores(directory.path("rider.db"), directory.path("driver.db")).ok());
}

}  // namespace
}  // namespace hail::check
