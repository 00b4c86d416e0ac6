// Behaviour of SQLite's ride store alone. tests/conformance covers every ride store.
#include "rider-service/storage/sqlite_ride_store.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "common/errors/error.h"
#include "common/sqlite/connection.h"
#include "tests/unit/rider-service/store_fixture.h"

namespace hail::rider {
namespace {

class SqliteRideStoreTest : public StoreFixture {
 protected:
  // Reads one number from the file, on another connection.
  std::int64_t Number(const std::string& sql) {
    auto db = *sqlite::Connection::Open(path(), sqlite::Connection::Mode::kReadOnly);
    auto query = *db->Prepare(sql);
    EXPECT_TRUE(*query.Step());
    return query.Int64(0);
  }
};

// Other programs (hail-check) read these columns besides the blobs.
TEST_F(SqliteRideStoreTest, ThePlainColumnsSayWhatTheBlobsSay) {
  ASSERT_TRUE(Create(Requested()).ok());
  EXPECT_EQ(Number("SELECT COUNT(*) FROM rides WHERE ride_id = 'ride-1' AND rider_id = 'rider-1' AND request_id ="
                   " 'request-1' AND quote_id IS NULL AND driver_id IS NULL AND offer_id IS NULL AND state = 2 AND"
                   " sequence = 1 AND epoch = 1 AND assign_time_us IS NULL AND match_deadline_us IS NOT NULL"),
            1);
  ASSERT_TRUE(Confirm("ride-1", "driver-1", "offer-1").ok());
  EXPECT_EQ(Number("SELECT COUNT(*) FROM rides WHERE driver_id = 'driver-1' AND offer_id = 'offer-1' AND state = 3 AND"
                   " sequence = 2 AND epoch = 1 AND seen = 0 AND assign_time_us IS NOT NULL AND"
                   " match_deadline_us IS NULL"),
            1);
  ASSERT_TRUE(Take("ride-1", trip::Seen{}).ok());
  EXPECT_EQ(Number("SELECT seen FROM rides"), 1);
  EXPECT_EQ(Number("SELECT COUNT(*) FROM events WHERE ride_id = 'ride-1' AND driver_id = 'driver-1'"), 2);
  EXPECT_EQ(Number("SELECT COUNT(*) FROM events"), 3);
  const auto raise = [](const Ride& ride) -> absl::StatusOr<RideChange> { return RaiseEpoch(ride, 2); };
  ASSERT_TRUE(Take("ride-1", trip::Cancel{}).ok());
  ASSERT_TRUE(Change("ride-1", raise).ok());
  EXPECT_EQ(Number("SELECT epoch FROM rides"), 3);
  EXPECT_EQ(Number("SELECT COUNT(*) FROM rides WHERE driver_id IS NULL AND offer_id IS NULL AND seen = 0"), 1);
  EXPECT_EQ(Number("SELECT COUNT(*) FROM events WHERE ended = 1 AND former IS NOT NULL"), 1);
}

// A file of the previous version, whose events do not name the offers.
TEST_F(SqliteRideStoreTest, RidesGivenUpInAnEarlierVersionAreFound) {
  ASSERT_TRUE(Create(Requested()).ok());
  ASSERT_TRUE(Confirm("ride-1", "driver-1", "offer-1").ok());
  ASSERT_TRUE(Take("ride-1", trip::Cancel{}).ok());
  store_.reset();
  {
    auto db = *sqlite::Connection::Open(path(), sqlite::Connection::Mode::kReadWrite);
    ASSERT_TRUE(db->Execute("DROP INDEX rides_in_detail;"
                            "ALTER TABLE rides DROP COLUMN coarse;"
                            "DROP INDEX events_given_up;"
                            "DROP INDEX events_assigned;"
                            "ALTER TABLE events DROP COLUMN offer_id;"
                            "CREATE INDEX rides_of_driver ON rides (driver_id, assign_time_us, ride_id);"
                            "PRAGMA user_version = 2")
                    .ok());
  }
  Open();
  const auto by_offer = [&](const std::string& offer_id) {
    return *Await<std::optional<Ride>>([&](auto done) { store_->ByOffer("driver-1", offer_id, done); });
  };
  ASSERT_TRUE(by_offer("offer-1"));
  EXPECT_TRUE(by_offer("offer-1")->assignment_ended());
  EXPECT_FALSE(by_offer("offer-2"));
  const RidePage page = *Await<RidePage>([&](auto done) {
    store_->ListOfDriver({"driver-1", std::nullopt, "", 2}, done);
  });
  ASSERT_EQ(page.rides.size(), 1u);
  EXPECT_TRUE(page.rides[0].assignment_ended());
}

// The unique indexes work without the checks that precede them.
TEST_F(SqliteRideStoreTest, EachUniqueIndexHoldsByItself) {
  Ride ride = Requested();
  ride.Edit()->set_quote_id("quote-1");
  ASSERT_TRUE(Create(ride).ok());
  ASSERT_TRUE(Confirm("ride-1", "driver-1", "offer-1").ok());
  store_.reset();
  auto db = *sqlite::Connection::Open(path(), sqlite::Connection::Mode::kReadWrite);
  const auto insert = [&](const std::string& values) {
    return db->Execute(
        "INSERT INTO rides (ride_id, rider_id, request_id, quote_id, driver_id, state, sequence, epoch, seen,"
        " create_time_us, update_time_us, ride, internals) VALUES (" +
        values + ", 1, 1, 0, 0, 0, x'', x'')");
  };
  EXPECT_TRUE(sqlite::UniqueViolation(insert("'ride-1', 'r2', 'q2', NULL, NULL, 2"))) << "ride_id";
  EXPECT_TRUE(sqlite::UniqueViolation(insert("'r', 'rider-1', 'request-1', NULL, NULL, 9"))) << "request";
  EXPECT_TRUE(sqlite::UniqueViolation(insert("'r', 'r2', 'q2', 'quote-1', NULL, 9"))) << "quote";
  EXPECT_TRUE(sqlite::UniqueViolation(insert("'r', 'rider-1', 'q2', NULL, NULL, 2"))) << "live ride of rider";
  EXPECT_TRUE(sqlite::UniqueViolation(insert("'r', 'r2', 'q2', NULL, 'driver-1', 5"))) << "live ride of driver";
  EXPECT_TRUE(insert("'r', 'rider-1', 'q2', NULL, 'driver-1', 7").ok()) << "the index leaves out ended rides";
  EXPECT_TRUE(sqlite::UniqueViolation(db->Execute(
      "INSERT INTO events SELECT ride_id, sequence, type, epoch, state, NULL, 0, ended, event_time_us, event, former,"
      " offer_id FROM events WHERE sequence = 2")))
      << "event of a ride";
  EXPECT_TRUE(sqlite::UniqueViolation(db->Execute(
      "INSERT INTO events SELECT ride_id, 99, type, epoch, state, driver_id, driver_sequence, ended, event_time_us,"
      " event, former, offer_id FROM events WHERE sequence = 2")))
      << "event of a driver";
}

TEST_F(SqliteRideStoreTest, WhatWasAnsweredSurvivesAnAbruptEnd) {
  store_.reset();
  std::fflush(nullptr);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    // No destructor, no flush, no checkpoint: as if killed right after the answers, with one more write under way.
    Open();
    if (!store_) _exit(3);
    const bool ok =
        Create(Requested()).ok() && Confirm("ride-1", "driver-1", "offer-1").ok() && Take("ride-1", trip::Seen{}).ok();
    store_->Change(
        "ride-1", [](const Ride&) -> absl::StatusOr<RideChange> { _exit(0); }, absl::InfiniteFuture(),
        [](absl::StatusOr<Changed>) {});
    absl::SleepFor(absl::Seconds(30));
    _exit(ok ? 4 : 5);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  Open();
  const std::optional<Ride> ride = Find("ride-1");
  ASSERT_TRUE(ride);
  EXPECT_EQ(ride->sequence(), 3);
  EXPECT_TRUE(ride->seen_time());
  EXPECT_EQ(Log("ride-1", 0)->events.size(), 3u);
  // The store continues from there.
  ASSERT_TRUE(Take("ride-1", trip::Arrive{}).ok());
  EXPECT_EQ(Log("ride-1", 3)->events[0].driver_sequence, 3);
}

TEST_F(SqliteRideStoreTest, AfterStopEverythingIsRefused) {
  store_->Stop();
  EXPECT_TRUE(HasReason(Create(Requested()).status(), Reason::kStoreUnavailable));
  EXPECT_TRUE(HasReason(Log("ride-1", 0).status(), Reason::kStoreUnavailable));
}

TEST_F(SqliteRideStoreTest, ANewerFileIsRefused) {
  store_.reset();
  {
    auto db = *sqlite::Connection::Open(path(), sqlite::Connection::Mode::kReadWrite);
    ASSERT_TRUE(db->Execute("PRAGMA user_version = 99").ok());
  }
  sqlite::DatabaseOptions options;
  options.path = path();
  EXPECT_EQ(SqliteRideStore::Open(options, &clock_, nullptr).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(SqliteRideStoreTest, DamagedRowsAreErrors) {
  ASSERT_TRUE(Create(Requested()).ok());
  ASSERT_TRUE(Confirm("ride-1", "driver-1", "offer-1").ok());
  store_.reset();
  {
    auto db = *sqlite::Connection::Open(path(), sqlite::Connection::Mode::kReadWrite);
    ASSERT_TRUE(db->Execute("UPDATE events SET event = x'FFFF' WHERE sequence = 2").ok());
  }
  Open();
  EXPECT_TRUE(HasReason(Log("ride-1", 0).status(), Reason::kInternal));
  EXPECT_TRUE(HasReason(CatchUp("driver-1", Cursor{"ride-1", 0}).status(), Reason::kInternal));
  store_.reset();
  {
    auto db = *sqlite::Connection::Open(path(), sqlite::Connection::Mode::kReadWrite);
    ASSERT_TRUE(db->Execute("UPDATE rides SET ride = x'FFFF'").ok());
  }
  Open();
  EXPECT_TRUE(HasReason(Log("ride-1", 0).status(), Reason::kInternal));
  EXPECT_TRUE(HasReason(CatchUp("driver-1").status(), Reason::kInternal));
  EXPECT_TRUE(HasReason(Take("ride-1", trip::Seen{}).status(), Reason::kInternal));
  EXPECT_TRUE(HasReason(Create(Requested("ride-2")).status(), Reason::kInternal));
  EXPECT_TRUE(HasReason(Create(Requested("ride-2", "rider-1", "request-2")).status(), Reason::kInternal));
  EXPECT_FALSE(Await<std::vector<Ride>>([&](auto done) { store_->Dispatchable(done); }).ok());
}

}  // namespace
}  // namespace hail::rider
