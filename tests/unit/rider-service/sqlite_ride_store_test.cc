#include "rider-service/storage/sqlite_ride_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <string>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "common/errors/error.h"
#include "common/sqlite/connection.h"
#include "tests/unit/rider-service/store_fixture.h"

namespace hail::rider {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

class SqliteRideStoreTest : public StoreFixture {
 protected:
  // A number straight from the file, by another connection.
  std::int64_t Number(const std::string& sql) {
    auto db = *sqlite::Connection::Open(path(), sqlite::Connection::Mode::kReadOnly);
    auto query = *db->Prepare(sql);
    EXPECT_TRUE(*query.Step());
    return query.Int64(0);
  }
  std::vector<std::string> Ids(const RidePage& page) {
    std::vector<std::string> ids;
    for (const Ride& ride : page.rides) ids.push_back(ride.ride_id);
    return ids;
  }
  absl::StatusOr<DriverCatchUp> CatchUp(const std::string& driver_id, std::optional<Cursor> cursor = std::nullopt) {
    return Await<DriverCatchUp>([&](auto done) { store_->ReadDriver(driver_id, cursor, done); });
  }
};

// --- Create ---

TEST_F(SqliteRideStoreTest, KeepsARideAndItsFirstEvent) {
  const absl::StatusOr<Created> created = Create(Requested());
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_FALSE(created->existed);
  EXPECT_EQ(created->event->sequence, 1);
  EXPECT_EQ(Find("ride-1"), created->ride);
  EXPECT_FALSE(Find("ride-2"));
  const RideLog log = *Log("ride-1", 0);
  ASSERT_EQ(log.events.size(), 1u);
  EXPECT_EQ(log.events[0].type, RideEventType::kRequested);
  EXPECT_EQ(log.events[0].driver_sequence, 0);
}

TEST_F(SqliteRideStoreTest, OneRequestIdOneRide) {
  ASSERT_TRUE(Create(Requested()).ok());
  ASSERT_TRUE(Confirm("ride-1", "driver-1", "offer-1").ok());
  const absl::StatusOr<Created> again = Create(Requested("ride-2"));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->existed);
  EXPECT_FALSE(again->event);
  EXPECT_EQ(again->ride.ride_id, "ride-1");
  EXPECT_EQ(again->ride.state, RideState::kEnrouteToPickup) << "as it is now";

  Ride other = Requested("ride-3");
  other.request_fingerprint = "1:other";
  const absl::Status reused = Create(other).status();
  EXPECT_TRUE(HasReason(reused, Reason::kRequestIdReused)) << reused;
  EXPECT_EQ(reused.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Number("SELECT COUNT(*) FROM rides"), 1);

  // Kept as long as the ride, also when it is over.
  ASSERT_TRUE(Take("ride-1", TripStep::kArrive).ok());
  ASSERT_TRUE(Take("ride-1", TripStep::kStart).ok());
  ASSERT_TRUE(Change("ride-1", [](const Ride& ride) { return Resolve(ride, Resolution::kComplete, "ops", kT0); }).ok());
  EXPECT_TRUE(Create(Requested("ride-4"))->existed);
  // Another rider's key is another key.
  EXPECT_FALSE(Create(Requested("ride-5", "rider-2", "request-1"))->existed);
}

TEST_F(SqliteRideStoreTest, OneLiveRidePerRider) {
  ASSERT_TRUE(Create(Requested()).ok());
  const absl::Status busy = Create(Requested("ride-2", "rider-1", "request-2")).status();
  ASSERT_TRUE(HasReason(busy, Reason::kRiderBusy)) << busy;
  EXPECT_EQ(DetailsOf(busy)->metadata.at("ride_id"), "ride-1");
  ASSERT_TRUE(
      Change("ride-1", [](const Ride& ride) { return CancelByRider(ride, CancelReason::kOther, "", kT0); }).ok());
  // Refused, it used nothing up.
  EXPECT_TRUE(Create(Requested("ride-2", "rider-1", "request-2")).ok());
}

TEST_F(SqliteRideStoreTest, AQuoteIsUsedOnce) {
  Ride first = Requested();
  first.quote_id = "quote-1";
  Ride second = Requested("ride-2", "rider-2");
  second.quote_id = "quote-1";
  ASSERT_TRUE(Create(first).ok());
  EXPECT_TRUE(HasReason(Create(second).status(), Reason::kQuoteUsed));
  second.quote_id = "quote-2";
  EXPECT_TRUE(Create(second).ok());
  // Any number without one.
  EXPECT_TRUE(Create(Requested("ride-3", "rider-3")).ok());
  EXPECT_TRUE(Create(Requested("ride-4", "rider-4")).ok());
}

// The indexes hold even where the checks before them would not.
TEST_F(SqliteRideStoreTest, EachUniqueIndexHoldsByItself) {
  Ride ride = Requested();
  ride.quote_id = "quote-1";
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
  EXPECT_TRUE(insert("'r', 'rider-1', 'q2', NULL, 'driver-1', 7").ok()) << "ended ones are outside";
  EXPECT_TRUE(sqlite::UniqueViolation(db->Execute(
      "INSERT INTO events SELECT ride_id, sequence, type, epoch, state, NULL, 0, ended, event_time_us, event, former"
      " FROM events WHERE sequence = 2")))
      << "event of a ride";
  EXPECT_TRUE(sqlite::UniqueViolation(db->Execute(
      "INSERT INTO events SELECT ride_id, 99, type, epoch, state, driver_id, driver_sequence, ended, event_time_us,"
      " event, former FROM events WHERE sequence = 2")))
      << "event of a driver";
}

// --- Change ---

TEST_F(SqliteRideStoreTest, RowAndEventChangeTogether) {
  ASSERT_TRUE(Create(Requested()).ok());
  const absl::StatusOr<Changed> changed = Confirm("ride-1", "driver-1", "offer-1");
  ASSERT_TRUE(changed.ok()) << changed.status();
  EXPECT_TRUE(changed->changed);
  EXPECT_EQ(changed->event->driver_id, "driver-1");
  EXPECT_EQ(changed->event->driver_sequence, 1);
  EXPECT_EQ(Find("ride-1"), changed->ride);
  EXPECT_EQ(Number("SELECT COUNT(*) FROM rides WHERE driver_id = 'driver-1' AND offer_id = 'offer-1' AND state = 3 AND"
                   " sequence = 2 AND epoch = 1 AND seen = 0 AND assign_time_us IS NOT NULL AND"
                   " match_deadline_us IS NULL"),
            1);
  ASSERT_TRUE(Take("ride-1", TripStep::kSeen).ok());
  EXPECT_EQ(Number("SELECT seen FROM rides"), 1);
  EXPECT_EQ(Number("SELECT COUNT(*) FROM events WHERE ride_id = 'ride-1' AND driver_id = 'driver-1'"), 2);
}

TEST_F(SqliteRideStoreTest, RefusalsAndUnchangedStoreNothing) {
  ASSERT_TRUE(Create(Requested()).ok());
  EXPECT_TRUE(HasReason(Change("ride-9", [](const Ride& r) { return CancelByRider(r, {}, "", kT0); }).status(),
                        Reason::kRideNotFound));
  EXPECT_TRUE(HasReason(Take("ride-1", TripStep::kArrive).status(), Reason::kRideNotFound));
  ASSERT_TRUE(Confirm("ride-1", "driver-1", "offer-1").ok());
  const absl::StatusOr<Changed> replay = Confirm("ride-1", "driver-1", "offer-1");
  ASSERT_TRUE(replay.ok());
  EXPECT_FALSE(replay->changed);
  EXPECT_FALSE(replay->event);
  EXPECT_EQ(Number("SELECT COUNT(*) FROM events"), 2);
}

TEST_F(SqliteRideStoreTest, ADriverHasOneLiveRide) {
  ASSERT_TRUE(Create(Requested("ride-1", "rider-1")).ok());
  ASSERT_TRUE(Create(Requested("ride-2", "rider-2")).ok());
  ASSERT_TRUE(Confirm("ride-1", "driver-1", "offer-1").ok());
  EXPECT_TRUE(HasReason(Confirm("ride-2", "driver-1", "offer-2").status(), Reason::kDriverBusy));
  EXPECT_EQ(Find("ride-2")->state, RideState::kMatching);
  EXPECT_EQ(Number("SELECT COUNT(*) FROM events WHERE ride_id = 'ride-2'"), 1);
  // Given up, it is free again.
  ASSERT_TRUE(Take("ride-1", TripStep::kCancel).ok());
  EXPECT_TRUE(Confirm("ride-2", "driver-1", "offer-2").ok());
}

TEST_F(SqliteRideStoreTest, AnEpochRisesWithoutAnEvent) {
  ASSERT_TRUE(Create(Requested()).ok());
  const auto raise = [](const Ride& ride) -> absl::StatusOr<RideChange> { return RaiseEpoch(ride, 1); };
  const absl::StatusOr<Changed> raised = Change("ride-1", raise);
  ASSERT_TRUE(raised.ok());
  EXPECT_TRUE(raised->changed);
  EXPECT_EQ(Number("SELECT epoch FROM rides"), 2);
  EXPECT_EQ(Number("SELECT COUNT(*) FROM events"), 1);
  EXPECT_FALSE(Change("ride-1", raise)->changed);
}

TEST_F(SqliteRideStoreTest, ALateWriteIsNotBegun) {
  const absl::Time past = clock_.Read().wall - absl::Milliseconds(1);
  EXPECT_EQ(Create(Requested(), past).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_FALSE(Find("ride-1"));
  ASSERT_TRUE(Create(Requested()).ok());
  const auto cancel = [](const Ride& ride) { return CancelByRider(ride, CancelReason::kOther, "", kT0); };
  EXPECT_EQ(Change("ride-1", cancel, past).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Find("ride-1")->state, RideState::kMatching);
}

// A decision made on a row that moves under it is made again on the new row.
TEST_F(SqliteRideStoreTest, ALostRaceIsDecidedAgain) {
  ASSERT_TRUE(Create(Requested()).ok());
  ASSERT_TRUE(Confirm("ride-1", "driver-1", "offer-1").ok());
  int calls = 0;
  const absl::StatusOr<Changed> changed = Change("ride-1", [&](const Ride& ride) -> absl::StatusOr<RideChange> {
    absl::StatusOr<RideChange> change = TakeStep(ride, Command(ride, TripStep::kSeen), rules_, kT0);
    // As if another writer came between: a change of another ride's row leaves this one's guard without a match.
    if (++calls == 1) change->ride.ride_id = "ride-gone";
    return change;
  });
  ASSERT_TRUE(changed.ok()) << changed.status();
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(changed->ride.sequence, 3);
  EXPECT_EQ(Number("SELECT COUNT(*) FROM events"), 3);
}

TEST_F(SqliteRideStoreTest, ARaceThatIsNeverWonIsGivenUp) {
  ASSERT_TRUE(Create(Requested()).ok());
  const absl::Status status = Change("ride-1", [](const Ride& ride) -> absl::StatusOr<RideChange> {
                                RideChange change = RaiseEpoch(ride, 1);
                                change.ride.ride_id = "ride-gone";
                                return change;
                              }).status();
  EXPECT_TRUE(HasReason(status, Reason::kStoreUnavailable)) << status;
  EXPECT_EQ(Number("SELECT epoch FROM rides"), 1);
}

TEST_F(SqliteRideStoreTest, OneRefusedCommandDoesNotHurtItsBatchNeighbours) {
  // The first job holds the writer until all are queued, so that the rest share a batch.
  ASSERT_TRUE(Create(Requested("ride-0", "rider-0")).ok());
  absl::Notification queued;
  absl::BlockingCounter left(1 + 40);
  store_->Change(
      "ride-0",
      [&](const Ride& ride) -> absl::StatusOr<RideChange> {
        queued.WaitForNotification();
        return RaiseEpoch(ride, 1);
      },
      absl::InfiniteFuture(), [&](absl::StatusOr<Changed>) { left.DecrementCount(); });
  std::vector<absl::Status> outcomes(40);
  for (int i = 0; i < 40; ++i) {
    // Every other one is by a rider who has a live ride by then.
    const std::string rider = "rider-" + std::to_string(1 + i / 2);
    const std::string id = std::to_string(1 + i);
    store_->Create(NewRide(Requested("ride-" + id, rider, "request-" + id), rules_, kT0), absl::InfiniteFuture(),
                   [&, i](absl::StatusOr<Created> created) {
                     outcomes[i] = std::move(created).status();
                     left.DecrementCount();
                   });
  }
  queued.Notify();
  left.Wait();
  for (int i = 0; i < 40; ++i) {
    if (i % 2 == 0) {
      EXPECT_TRUE(outcomes[i].ok()) << i << outcomes[i];
    } else {
      EXPECT_TRUE(HasReason(outcomes[i], Reason::kRiderBusy)) << i << outcomes[i];
    }
  }
  EXPECT_EQ(Number("SELECT COUNT(*) FROM rides"), 21);
  EXPECT_EQ(Number("SELECT COUNT(*) FROM events"), 21);
}

TEST_F(SqliteRideStoreTest, RacingConfirmationsOfOneRideHaveOneWinner) {
  ASSERT_TRUE(Create(Requested()).ok());
  absl::BlockingCounter left(20);
  std::atomic<int> won = 0;
  for (int i = 0; i < 20; ++i) {
    const std::string id = std::to_string(i);
    store_->Change(
        "ride-1",
        [id](const Ride& ride) {
          return Assign(ride, {1, Driver("driver-" + id), "offer-" + id, {}}, kT0);
        },
        absl::InfiniteFuture(),
        [&](absl::StatusOr<Changed> changed) {
          if (changed.ok()) ++won;
          left.DecrementCount();
        });
  }
  left.Wait();
  EXPECT_EQ(won, 1);
  EXPECT_EQ(Number("SELECT COUNT(*) FROM events"), 2);
}

// --- After the end of the process ---

TEST_F(SqliteRideStoreTest, EverythingIsThereAfterReopening) {
  ASSERT_TRUE(Create(Requested()).ok());
  const Ride before = Confirm("ride-1", "driver-1", "offer-1")->ride;
  const std::string key = *Await<std::string>([&](auto done) { store_->QuoteKey(done); });
  store_->Stop();
  store_.reset();
  Open();
  EXPECT_EQ(Find("ride-1"), before);
  EXPECT_EQ(*Await<std::string>([&](auto done) { store_->QuoteKey(done); }), key);
  EXPECT_TRUE(Create(Requested("ride-2"))->existed);
  EXPECT_TRUE(HasReason(Create(Requested("ride-2", "rider-1", "request-2")).status(), Reason::kRiderBusy));
  EXPECT_FALSE(Confirm("ride-1", "driver-1", "offer-1")->changed) << "a replay after the restart";
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
    const bool ok = Create(Requested()).ok() && Confirm("ride-1", "driver-1", "offer-1").ok() &&
                    Take("ride-1", TripStep::kSeen).ok();
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
  EXPECT_EQ(ride->sequence, 3);
  EXPECT_TRUE(ride->seen_time);
  EXPECT_EQ(Log("ride-1", 0)->events.size(), 3u);
  // And goes on from there.
  ASSERT_TRUE(Take("ride-1", TripStep::kArrive).ok());
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

// --- Reads ---

TEST_F(SqliteRideStoreTest, FindsRidesByWhatIsKnownOfThem) {
  ASSERT_TRUE(Create(Requested("ride-1", "rider-1")).ok());
  ASSERT_TRUE(Create(Requested("ride-2", "rider-2")).ok());
  ASSERT_TRUE(Confirm("ride-2", "driver-2", "offer-2").ok());
  using Found = std::optional<Ride>;
  const auto by_request = [&](const std::string& rider, const std::string& request) {
    return *Await<Found>([&](auto done) { store_->ByRequest(rider, request, done); });
  };
  EXPECT_EQ(by_request("rider-1", "request-1")->ride_id, "ride-1");
  EXPECT_FALSE(by_request("rider-3", "request-1"));

  const auto active = [&](const std::string& rider) {
    return *Await<Found>([&](auto done) { store_->ActiveOfRider(rider, done); });
  };
  EXPECT_EQ(active("rider-2")->ride_id, "ride-2");
  ASSERT_TRUE(Change("ride-2", [](const Ride& ride) { return CancelByRider(ride, {}, "", kT0); }).ok());
  EXPECT_FALSE(active("rider-2"));

  const auto by_offer = [&](const std::string& driver, const std::string& offer) {
    return *Await<Found>([&](auto done) { store_->ByOffer(driver, offer, done); });
  };
  EXPECT_EQ(by_offer("driver-2", "offer-2")->state, RideState::kCanceled) << "whatever became of it";
  EXPECT_FALSE(by_offer("driver-1", "offer-2")) << "another driver's";
  EXPECT_FALSE(by_offer("driver-2", "offer-9"));
}

TEST_F(SqliteRideStoreTest, ListsARidersRidesLatestFirstPageByPage) {
  for (int i = 1; i <= 5; ++i) {
    const std::string id = std::to_string(i);
    ASSERT_TRUE(Create(Requested("ride-" + id, "rider-1", "request-" + id)).ok());
    if (i == 5) break;
    ASSERT_TRUE(Change("ride-" + id, [](const Ride& ride) { return CancelByRider(ride, {}, "", kT0); }).ok());
  }
  ASSERT_TRUE(Create(Requested("ride-6", "rider-2", "request-6")).ok());
  const auto list = [&](RiderListing listing) {
    return *Await<RidePage>([&](auto done) { store_->ListOfRider(listing, done); });
  };
  RidePage page = list({"rider-1", {}, "", 2});
  EXPECT_THAT(Ids(page), ElementsAre("ride-5", "ride-4"));
  EXPECT_TRUE(page.more);
  page = list({"rider-1", {}, "ride-4", 3});
  EXPECT_THAT(Ids(page), ElementsAre("ride-3", "ride-2", "ride-1"));
  EXPECT_FALSE(page.more);
  EXPECT_THAT(Ids(list({"rider-1", {RideState::kMatching}, "", 20})), ElementsAre("ride-5"));
  EXPECT_THAT(Ids(list({"rider-1", {RideState::kMatching, RideState::kCanceled}, "ride-3", 1})), ElementsAre("ride-2"));
  EXPECT_THAT(Ids(list({"rider-9", {}, "", 20})), IsEmpty());
}

TEST_F(SqliteRideStoreTest, ListsADriversRidesLatestAssignmentFirst) {
  // Assigned in the order 2, 1, 3 (1 and 3 at the same instant).
  const std::vector<std::pair<std::string, int>> assignments = {{"2", 1}, {"1", 2}, {"3", 2}};
  for (const auto& [id, second] : assignments) {
    ASSERT_TRUE(Create(Requested("ride-" + id, "rider-" + id)).ok());
    ASSERT_TRUE(Change("ride-" + id, [&, id = id, second = second](const Ride& ride) {
                  return Assign(ride, Offer(ride, "driver-1", "offer-" + id), kT0 + absl::Seconds(second));
                }).ok());
    ASSERT_TRUE(Change("ride-" + id, [](const Ride& r) { return CancelByRider(r, {}, "", kT0); }).ok());
  }
  const auto list = [&](DriverListing listing) {
    return *Await<RidePage>([&](auto done) { store_->ListOfDriver(listing, done); });
  };
  const RidePage page = list({"driver-1", std::nullopt, "", 2});
  EXPECT_THAT(Ids(page), ElementsAre("ride-3", "ride-1"));
  EXPECT_TRUE(page.more);
  const RidePage rest = list({"driver-1", page.rides.back().assign_time, "ride-1", 2});
  EXPECT_THAT(Ids(rest), ElementsAre("ride-2"));
  EXPECT_FALSE(rest.more);
  EXPECT_THAT(Ids(list({"driver-2", std::nullopt, "", 2})), IsEmpty());
}

TEST_F(SqliteRideStoreTest, ReadsALogAfterACursor) {
  ASSERT_TRUE(Create(Requested()).ok());
  ASSERT_TRUE(Confirm("ride-1", "driver-1", "offer-1").ok());
  ASSERT_TRUE(Take("ride-1", TripStep::kCancel).ok());
  EXPECT_THAT(Log("ride-1", std::nullopt)->events, IsEmpty());
  const RideLog log = *Log("ride-1", 1);
  ASSERT_EQ(log.events.size(), 2u);
  EXPECT_EQ(log.ride.sequence, 3);
  const RideEvent& last = log.events[1];
  EXPECT_EQ(last.type, RideEventType::kRedispatched);
  EXPECT_EQ(last.driver_id, "driver-1");
  EXPECT_TRUE(last.ended);
  ASSERT_TRUE(last.former);
  EXPECT_EQ(last.former->driver->driver_id, "driver-1");
  EXPECT_FALSE(log.events[0].former);
  EXPECT_THAT(Log("ride-1", 7)->events, IsEmpty());
  EXPECT_TRUE(HasReason(Log("ride-9", 0).status(), Reason::kRideNotFound));
}

TEST_F(SqliteRideStoreTest, ADriversEventsAreNumberedOverAllRides) {
  for (const std::string id : {"1", "2"}) {
    ASSERT_TRUE(Create(Requested("ride-" + id, "rider-" + id)).ok());
    ASSERT_TRUE(Confirm("ride-" + id, "driver-1", "offer-" + id).ok());
    ASSERT_TRUE(Take("ride-" + id, TripStep::kCancel).ok());
  }
  // Somebody else's, in between.
  ASSERT_TRUE(Confirm("ride-1", "driver-2", "offer-3").ok());
  const auto events = *Await<std::vector<RideEvent>>([&](auto done) { store_->ReadDriverEvents("driver-1", 1, done); });
  ASSERT_EQ(events.size(), 3u);
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].driver_sequence, static_cast<std::int64_t>(i) + 2);
    EXPECT_EQ(events[i].driver_id, "driver-1");
  }
  const auto numbers = *Await<std::map<std::string, std::int64_t>>([&](auto done) {
    store_->DriverSequences({"driver-1", "driver-2", "driver-3"}, done);
  });
  EXPECT_THAT(numbers, UnorderedElementsAre(Pair("driver-1", 4), Pair("driver-2", 1), Pair("driver-3", 0)));
}

TEST_F(SqliteRideStoreTest, CatchesADriverUp) {
  EXPECT_EQ(CatchUp("driver-1")->driver_sequence, 0);
  EXPECT_FALSE(CatchUp("driver-1")->ride);
  ASSERT_TRUE(Create(Requested("ride-1", "rider-1")).ok());
  ASSERT_TRUE(Create(Requested("ride-2", "rider-2")).ok());
  ASSERT_TRUE(Confirm("ride-1", "driver-1", "offer-1").ok());
  ASSERT_TRUE(Take("ride-1", TripStep::kSeen).ok());
  ASSERT_TRUE(Take("ride-1", TripStep::kCancel).ok());
  ASSERT_TRUE(Confirm("ride-1", "driver-2", "offer-2").ok());
  ASSERT_TRUE(Confirm("ride-2", "driver-1", "offer-3").ok());

  const DriverCatchUp fresh = *CatchUp("driver-1");
  EXPECT_EQ(fresh.driver_sequence, 4);
  EXPECT_EQ(fresh.ride->ride_id, "ride-2");
  EXPECT_THAT(fresh.missed, IsEmpty());
  EXPECT_FALSE(fresh.reset);

  // The rest of the cursor's ride while it was this driver's: not what driver-2 did with it.
  const DriverCatchUp resumed = *CatchUp("driver-1", Cursor{"ride-1", 2});
  ASSERT_EQ(resumed.missed.size(), 2u);
  EXPECT_EQ(resumed.missed[0].sequence, 3);
  EXPECT_EQ(resumed.missed[1].sequence, 4);
  EXPECT_FALSE(resumed.reset);
  EXPECT_FALSE(CatchUp("driver-1", Cursor{"ride-1", 4})->reset);
  EXPECT_FALSE(CatchUp("driver-1", Cursor{"", 0})->reset) << "none yet";

  for (const Cursor& nonsense : {Cursor{"ride-1", 5}, Cursor{"ride-9", 1}}) {
    const DriverCatchUp reset = *CatchUp("driver-1", nonsense);
    EXPECT_TRUE(reset.reset);
    EXPECT_THAT(reset.missed, IsEmpty());
    EXPECT_EQ(reset.ride->ride_id, "ride-2");
  }
  EXPECT_TRUE(CatchUp("driver-3", Cursor{"ride-1", 2})->reset) << "never this driver's";
}

TEST_F(SqliteRideStoreTest, TellsSequencesOfManyAtOnce) {
  ASSERT_TRUE(Create(Requested("ride-1", "rider-1")).ok());
  ASSERT_TRUE(Create(Requested("ride-2", "rider-2")).ok());
  ASSERT_TRUE(Confirm("ride-2", "driver-1", "offer-1").ok());
  const auto numbers = *Await<std::map<std::string, std::int64_t>>([&](auto done) {
    store_->Sequences({"ride-1", "ride-2", "ride-9"}, done);
  });
  EXPECT_THAT(numbers, UnorderedElementsAre(Pair("ride-1", 1), Pair("ride-2", 2)));
}

TEST_F(SqliteRideStoreTest, FindsWhatNeedsLookingAfter) {
  for (int i = 1; i <= 5; ++i) {
    const std::string id = std::to_string(i);
    ASSERT_TRUE(Create(Requested("ride-" + id, "rider-" + id)).ok());
    if (i > 1) {
      ASSERT_TRUE(Confirm("ride-" + id, "driver-" + id, "offer-" + id).ok());
    }
  }
  ASSERT_TRUE(Take("ride-3", TripStep::kSeen, "driver-3").ok());
  ASSERT_TRUE(Take("ride-4", TripStep::kArrive, "driver-4").ok());
  ASSERT_TRUE(Change("ride-5", [](const Ride& r) { return CancelByRider(r, {}, "", kT0); }).ok());
  const auto found = Await<std::vector<Ride>>([&](auto done) { store_->Dispatchable(done); });
  ASSERT_TRUE(found.ok());
  std::set<std::string> ids;
  for (const Ride& ride : *found) ids.insert(ride.ride_id);
  EXPECT_THAT(ids, ElementsAre("ride-1", "ride-2"));

  const auto live = *Await<std::map<RideState, LiveRides>>([&](auto done) { store_->CountLive(done); });
  const auto count = [](std::int64_t n) { return ::testing::Field(&LiveRides::count, n); };
  EXPECT_THAT(live,
              UnorderedElementsAre(Pair(RideState::kMatching, count(1)), Pair(RideState::kEnrouteToPickup, count(2)),
                                   Pair(RideState::kArrivedAtPickup, count(1))));
  EXPECT_EQ(live.at(RideState::kMatching).oldest, (*found)[0].update_time);
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
  EXPECT_TRUE(HasReason(Take("ride-1", TripStep::kSeen).status(), Reason::kInternal));
  EXPECT_TRUE(HasReason(Create(Requested("ride-2")).status(), Reason::kInternal));
  EXPECT_TRUE(HasReason(Create(Requested("ride-2", "rider-1", "request-2")).status(), Reason::kInternal));
  EXPECT_FALSE(Await<std::vector<Ride>>([&](auto done) { store_->Dispatchable(done); }).ok());
}

}  // namespace
}  // namespace hail::rider
