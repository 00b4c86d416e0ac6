#include "tests/conformance/driver_store_conformance.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/errors/error.h"
#include "tests/conformance/same_driver.h"

namespace hail::driver {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST_P(DriverStoreConformance, ARegisteredDriverIsFoundAgainAfterReopening) {
  const absl::StatusOr<StoredDriver> registered = Register(MakeDriver("d1"));
  ASSERT_TRUE(registered.ok()) << registered.status();
  EXPECT_TRUE(SameProfile(registered->driver, MakeDriver("d1")));
  EXPECT_EQ(registered->driver.create_time, clock_.Read().domain);
  EXPECT_EQ(registered->driver.update_time, clock_.Read().domain);
  EXPECT_EQ(registered->availability, Availability::kOffline);
  EXPECT_TRUE(*Get("d1") == *registered);
  subject_->Reopen();
  const absl::StatusOr<StoredDriver> found = Get("d1");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_TRUE(*found == *registered);
}

// Each field has a value of its own.
TEST_P(DriverStoreConformance, EveryFieldComesBack) {
  const Driver full = {.driver_id = "d-1:ü",
                       .display_name = "O'Neill; DROP TABLE drivers",
                       .region_id = "zürich",
                       .vehicle = {.make = "a", .model = "b", .color = "c", .plate = "d", .seats = 8},
                       .product_ids = {"z", "a", "m"}};
  const Driver sparse = {.driver_id = "d2", .vehicle = {.plate = "p", .seats = 1}, .product_ids = {"one"}};
  for (const Driver& driver : {full, sparse}) {
    ASSERT_TRUE(Register(driver).ok());
    EXPECT_TRUE(SameProfile(Get(driver.driver_id)->driver, driver)) << driver.driver_id;
  }
}

TEST_P(DriverStoreConformance, AnUnknownDriverIsNotFound) {
  ASSERT_TRUE(Register(MakeDriver("d1")).ok());
  EXPECT_TRUE(HasReason(Get("nobody").status(), Reason::kDriverNotFound));
  EXPECT_EQ(Get("nobody").status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(HasReason(SetAvailabilityUnder({"nobody"}, Availability::kOnline).status(), Reason::kDriverNotFound));
  EXPECT_TRUE(HasReason(Session("nobody").status(), Reason::kDriverNotFound));
  EXPECT_FALSE(Get("nobody").ok()) << "setting the availability must not create a driver";
}

TEST_P(DriverStoreConformance, RegisteringAgainIsIdempotent) {
  const absl::Time first = clock_.Read().domain;
  ASSERT_TRUE(Register(MakeDriver("d1")).ok());
  ASSERT_TRUE(SetAvailability("d1", Availability::kOnline).ok());
  clock_.Advance(absl::Hours(1));
  const absl::StatusOr<StoredDriver> again = Register(MakeDriver("d1"));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->driver.create_time, first);
  EXPECT_EQ(again->driver.update_time, first);
  EXPECT_EQ(again->availability, Availability::kOnline) << "the desired availability is not part of the profile";
}

TEST_P(DriverStoreConformance, AnotherProfileUnderTheSameIdReplacesTheFirst) {
  const absl::Time first = clock_.Read().domain;
  ASSERT_TRUE(Register(MakeDriver("d1")).ok());
  ASSERT_TRUE(Register(MakeDriver("d2")).ok());
  ASSERT_TRUE(SetAvailability("d1", Availability::kOnline).ok());
  std::vector<Driver> others(8, MakeDriver("d1"));
  others[0].display_name = "other";
  others[1].region_id = "other";
  others[2].vehicle.make = "other";
  others[3].vehicle.model = "other";
  others[4].vehicle.color = "other";
  others[5].vehicle.plate = "other";
  others[6].vehicle.seats = 5;
  others[7].product_ids = {"comfort", "economy"};
  std::int64_t version = Get("d1")->driver.version;
  for (const Driver& other : others) {
    clock_.Advance(absl::Seconds(1));
    const absl::StatusOr<StoredDriver> replaced = Register(other);
    ASSERT_TRUE(replaced.ok()) << replaced.status();
    EXPECT_TRUE(SameProfile(replaced->driver, other));
    EXPECT_EQ(replaced->driver.create_time, first);
    EXPECT_EQ(replaced->driver.update_time, clock_.Read().domain);
    EXPECT_GT(replaced->driver.version, version);
    EXPECT_EQ(replaced->availability, Availability::kOnline) << "the desired availability is not part of the profile";
    version = replaced->driver.version;
    EXPECT_TRUE(*Get("d1") == *replaced);
  }
  subject_->Reopen();
  EXPECT_TRUE(SameProfile(Get("d1")->driver, others[7]));
  EXPECT_TRUE(SameProfile(Get("d2")->driver, MakeDriver("d2"))) << "another driver's profile";
}

TEST_P(DriverStoreConformance, OneRefusedRegistrationDoesNotHurtItsNeighbours) {
  ASSERT_TRUE(Register(MakeDriver("d0")).ok());
  ASSERT_TRUE(Register(MakeDriver("d1")).ok());
  ASSERT_TRUE(SetAvailability("d0", Availability::kOnline).ok());
  ASSERT_TRUE(SetAvailability("d1", Availability::kOnline).ok());
  Driver other = MakeDriver("d0");
  other.vehicle.plate = MakeDriver("d1").vehicle.plate;
  const auto is_refused = [](std::size_t i) { return i % 10 == 5; };
  const auto outcomes = AwaitAll(50, [&](std::size_t i, Done done) {
    store().Register(is_refused(i) ? other : MakeDriver("n" + std::to_string(i)), "", 0, clock_.Read().domain,
                     absl::InfiniteFuture(), [done](const Claimed& written) { done(Made(written)); });
  });
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    EXPECT_EQ(outcomes[i].ok(), !is_refused(i)) << i << outcomes[i].status();
    EXPECT_EQ(Get("n" + std::to_string(i)).ok(), !is_refused(i)) << i;
  }
}

TEST_P(DriverStoreConformance, OfRacingRegistrationsOfOneDriverOneStands) {
  const auto outcomes = AwaitAll(20, [&](std::size_t i, Done done) {
    Driver driver = MakeDriver("d1");
    driver.vehicle.plate = "plate-" + std::to_string(i);
    store().Register(driver, "", 0, clock_.Read().domain, absl::InfiniteFuture(),
                     [done](const Claimed& written) { done(Made(written)); });
  });
  const StoredDriver last = *Get("d1");
  int lasting = 0;
  for (const absl::StatusOr<StoredDriver>& outcome : outcomes) {
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    if (*outcome == last) ++lasting;
  }
  EXPECT_EQ(lasting, 1);
  EXPECT_EQ(last.driver.version, 19) << "each change raises the version";
}

// ---- Plates

TEST_P(DriverStoreConformance, APlateIsOnlineWithOneDriverAtATimeHoweverItIsSpelled) {
  Driver first = MakeDriver("d1"), second = MakeDriver("d2"), third = MakeDriver("d3");
  first.vehicle.plate = "TWIN 001";
  second.vehicle.plate = "twin-001.";
  // Bytes outside ASCII are part of the plate.
  third.vehicle.plate = "TWIN 001é";
  for (const Driver& driver : {first, second, third})
    ASSERT_TRUE(Register(driver).ok()) << "offline drivers may share a plate";
  ASSERT_TRUE(SetAvailability("d1", Availability::kOnline).ok());
  const absl::StatusOr<StoredDriver> refused = SetAvailability("d2", Availability::kOnline);
  EXPECT_TRUE(HasReason(refused.status(), Reason::kPlateInUse)) << refused.status();
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Get("d2")->availability, Availability::kOffline);
  EXPECT_TRUE(SetAvailability("d3", Availability::kOnline).ok());
  EXPECT_TRUE(SetAvailability("d1", Availability::kOnline).ok()) << "the driver's own plate";
  subject_->Reopen();
  EXPECT_TRUE(HasReason(SetAvailability("d2", Availability::kOnline).status(), Reason::kPlateInUse));
  ASSERT_TRUE(SetAvailability("d1", Availability::kOffline).ok());
  EXPECT_TRUE(SetAvailability("d2", Availability::kOnline).ok()) << "the car has changed hands";
  EXPECT_TRUE(HasReason(SetAvailability("d1", Availability::kOnline).status(), Reason::kPlateInUse));
}

TEST_P(DriverStoreConformance, EveryPunctuationOfAPlateIsLeftOut) {
  Driver plain = MakeDriver("d1"), spelled = MakeDriver("d2");
  plain.vehicle.plate = "AZ09";
  ASSERT_TRUE(Register(plain).ok());
  ASSERT_TRUE(SetAvailability("d1", Availability::kOnline).ok());
  for (int c = 0x20; c < 0x7f; ++c) {
    const bool counts = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    spelled.vehicle.plate = std::string("az") + static_cast<char>(c) + "09";
    ASSERT_TRUE(Register(spelled).ok());
    const absl::Status status = SetAvailability("d2", Availability::kOnline).status();
    EXPECT_EQ(status.ok(), counts) << spelled.vehicle.plate << status;
    if (status.ok()) {
      ASSERT_TRUE(SetAvailability("d2", Availability::kOffline).ok());
    }
  }
}

TEST_P(DriverStoreConformance, ADriverWhoIsOnlineDoesNotTakeAPlateThatIs) {
  ASSERT_TRUE(Register(MakeDriver("d1")).ok());
  ASSERT_TRUE(Register(MakeDriver("d2")).ok());
  ASSERT_TRUE(SetAvailability("d1", Availability::kOnline).ok());
  ASSERT_TRUE(SetAvailability("d2", Availability::kOnline).ok());
  Driver other = MakeDriver("d2");
  other.vehicle.plate = MakeDriver("d1").vehicle.plate;
  const absl::StatusOr<StoredDriver> refused = Register(other);
  EXPECT_TRUE(HasReason(refused.status(), Reason::kPlateInUse)) << refused.status();
  EXPECT_TRUE(SameProfile(Get("d2")->driver, MakeDriver("d2")));
  ASSERT_TRUE(SetAvailability("d2", Availability::kOffline).ok());
  EXPECT_TRUE(Register(other).ok());
  EXPECT_TRUE(HasReason(SetAvailability("d2", Availability::kOnline).status(), Reason::kPlateInUse));
}

TEST_P(DriverStoreConformance, OfRacingDriversWithOnePlateOneComesOnline) {
  for (int i = 0; i < 20; ++i) {
    Driver driver = MakeDriver("d" + std::to_string(i));
    driver.vehicle.plate = "ONE";
    ASSERT_TRUE(Register(driver).ok());
  }
  const auto outcomes = AwaitAll(20, [&](std::size_t i, Done done) {
    store().SetAvailability({"d" + std::to_string(i)}, Availability::kOnline, clock_.Read().domain,
                            absl::InfiniteFuture(), [done](const Claimed& written) { done(Made(written)); });
  });
  int online = 0;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i].ok()) {
      ++online;
    } else {
      EXPECT_TRUE(HasReason(outcomes[i].status(), Reason::kPlateInUse)) << outcomes[i].status();
    }
    EXPECT_EQ(Get("d" + std::to_string(i))->availability == Availability::kOnline, outcomes[i].ok());
  }
  EXPECT_EQ(online, 1);
}

TEST_P(DriverStoreConformance, TheWishIsDurable) {
  const absl::Time registered = clock_.Read().domain;
  ASSERT_TRUE(Register(MakeDriver("d1")).ok());
  ASSERT_TRUE(Register(MakeDriver("d2")).ok());
  clock_.Advance(absl::Minutes(1));
  const absl::StatusOr<StoredDriver> online = SetAvailability("d1", Availability::kOnline);
  ASSERT_TRUE(online.ok());
  EXPECT_EQ(online->availability, Availability::kOnline);
  EXPECT_EQ(online->driver.update_time, clock_.Read().domain);
  EXPECT_EQ(online->driver.create_time, registered);
  EXPECT_EQ(Get("d2")->availability, Availability::kOffline) << "another driver's availability";
  EXPECT_EQ(Get("d2")->driver.update_time, registered);
  subject_->Reopen();
  EXPECT_TRUE(*Get("d1") == *online);
  // The same desired availability again changes nothing.
  clock_.Advance(absl::Minutes(1));
  EXPECT_TRUE(*SetAvailability("d1", Availability::kOnline) == *online);
  const absl::StatusOr<StoredDriver> offline = SetAvailability("d1", Availability::kOffline);
  EXPECT_EQ(offline->availability, Availability::kOffline);
  EXPECT_EQ(offline->driver.update_time, clock_.Read().domain);
}

TEST_P(DriverStoreConformance, AChangeWhoseDeadlineHasPassedIsNotMade) {
  const absl::Time now = clock_.Read().wall;
  for (const absl::Time past : {now, now - absl::Seconds(1)}) {
    EXPECT_EQ(Register(MakeDriver("d1"), past).status().code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_FALSE(Get("d1").ok());
  }
  // The SQLite store may refuse a near deadline, if it expects too long a wait.
  ASSERT_TRUE(Register(MakeDriver("d1"), now + absl::Hours(1)).ok());
  EXPECT_EQ(SetAvailability("d1", Availability::kOnline, now).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Get("d1")->availability, Availability::kOffline);
}

TEST_P(DriverStoreConformance, TheOfferLogIsWrittenByTheTimeTheStoreIsClosed) {
  EXPECT_THAT(subject_->OfferLog(), IsEmpty());
  // More records than one job writes.
  for (int i = 0; i < 2000; ++i) store().AppendOfferLog(MakeRecord(i));
  const std::vector<OfferRecord> log = subject_->OfferLog();
  ASSERT_EQ(log.size(), 2000u);
  for (const OfferRecord& record : log) {
    EXPECT_TRUE(record == MakeRecord(std::stoi(record.offer_id.substr(1)))) << record.offer_id;
  }
  // The reopened store appends to the log.
  store().AppendOfferLog(MakeRecord(2000));
  EXPECT_EQ(subject_->OfferLog().size(), 2001u);
}

TEST_P(DriverStoreConformance, FindsWhatTheLogSaysOfAnOffer) {
  EXPECT_EQ(*FindOffer("o1"), std::nullopt);
  store().AppendOfferLog(MakeRecord(1));
  store().AppendOfferLog(MakeRecord(2));
  subject_->Reopen();
  EXPECT_EQ(*FindOffer("o1"), (LoggedOffer{"d1", "r1", OfferStatus::kRevoked, RevokeReason::kTaken}));
  EXPECT_EQ(*FindOffer("o2"), (LoggedOffer{"d1", "r1", OfferStatus::kDeclined, RevokeReason::kNone}));
  EXPECT_EQ(*FindOffer("o3"), std::nullopt);
}

TEST_P(DriverStoreConformance, ARecordThatCameTwiceIsKeptOnce) {
  store().AppendOfferLog(MakeRecord(1));
  OfferRecord again = MakeRecord(1);
  again.driver_id = "d2";
  store().AppendOfferLog(again);
  store().AppendOfferLog(MakeRecord(2));
  const std::vector<OfferRecord> log = subject_->OfferLog();
  ASSERT_EQ(log.size(), 2u);
  EXPECT_TRUE(log[0] == MakeRecord(1)) << "the first record";
  EXPECT_TRUE(log[1] == MakeRecord(2));
}

TEST_P(DriverStoreConformance, AReadSeesWhatWasReportedBeforeIt) {
  // The read is sent within the write's `done`.
  const absl::StatusOr<StoredDriver> found = Await([&](const Done& done) {
    store().Register(MakeDriver("d1"), "", 0, clock_.Read().domain, absl::InfiniteFuture(),
                     [&, done](const Claimed& registered) {
                       EXPECT_TRUE(registered.ok());
                       store().Get("d1", done);
                     });
  });
  EXPECT_TRUE(found.ok()) << found.status();
}

// ---- Sessions

TEST_P(DriverStoreConformance, EachClaimHasAHigherEpochAlsoAfterReopening) {
  ASSERT_TRUE(Register(MakeDriver("d1")).ok());
  ASSERT_TRUE(SetAvailability("d1", Availability::kOnline).ok());
  const Claimed first = Claim("d1", "a");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE(first->claimed);
  EXPECT_EQ(first->session.driver_id, "d1");
  EXPECT_EQ(first->session.replica, "a");
  EXPECT_GT(first->session.epoch, 0);
  EXPECT_TRUE(first->stored == *Get("d1")) << "the driver as stored, desired availability included";
  const Claimed second = ClaimIdle("d1", "a");
  EXPECT_TRUE(second->claimed) << "the replica owns the session already";
  EXPECT_GT(second->session.epoch, first->session.epoch);
  clock_.Advance(absl::Seconds(1));
  subject_->Reopen();
  EXPECT_GT(Claim("d1", "b")->session.epoch, second->session.epoch);
}

TEST_P(DriverStoreConformance, NobodyHasNoSession) {
  EXPECT_TRUE(HasReason(Claim("nobody", "a").status(), Reason::kDriverNotFound));
  EXPECT_TRUE(HasReason(ClaimIdle("nobody", "a").status(), Reason::kDriverNotFound));
}

TEST_P(DriverStoreConformance, AClaimChangesNothingElse) {
  ASSERT_TRUE(Register(MakeDriver("d1")).ok());
  const StoredDriver before = *Get("d1");
  clock_.Advance(absl::Minutes(1));
  ASSERT_TRUE(Claim("d1", "a", {"run", 1})->claimed);
  EXPECT_TRUE(*Get("d1") == before);
  EXPECT_TRUE(Register(MakeDriver("d1")).ok());
}

TEST_P(DriverStoreConformance, LeasesOfAStoreOfOneProcessAreNoMatter) {
  EXPECT_TRUE(Renew("a").ok());
  EXPECT_TRUE(EndLease("a").ok());
  EXPECT_TRUE(EndLease("b").ok()) << "b had no lease";
}

TEST_P(SharedDriverStore, TheLaterStreamHasTheSession) {
  ASSERT_TRUE(Renew("a").ok());
  EXPECT_EQ(Claim("d1", "a")->session, (SessionClaim{"d1", 1, "a", true}));
  const Claimed later = Claim("d1", "b");
  EXPECT_TRUE(later->claimed) << "a lease does not stop the driver's own app";
  EXPECT_EQ(later->session, (SessionClaim{"d1", 2, "b", true}));
  EXPECT_EQ(Claim("d2", "a")->session.epoch, 1) << "another driver's session";
}

TEST_P(SharedDriverStore, AStreamThatTheSameRunOpenedEarlierIsLate) {
  ASSERT_TRUE(Claim("d1", "a", {"run-1", 2})->claimed);
  const Claimed late = Claim("d1", "b", {"run-1", 1});
  ASSERT_TRUE(late.ok());
  EXPECT_FALSE(late->claimed);
  EXPECT_EQ(late->session, (SessionClaim{"d1", 1, "a", true})) << "the owner is unchanged";
  // The same stream again (its answer was lost), a later one, another run, an app without numbers.
  for (const Opening& opening : {Opening{"run-1", 2}, {"run-1", 3}, {"run-2", 1}, {"", 0}, {"run-1", 1}}) {
    EXPECT_TRUE(Claim("d1", "b", opening)->claimed) << opening.incarnation_id << opening.number;
  }
  // The claim of a unary call leaves the app's count unchanged.
  EXPECT_TRUE(ClaimIdle("d1", "b")->claimed);
  EXPECT_FALSE(ClaimIdle("d1", "b")->session.by_stream);
  EXPECT_FALSE(Claim("d1", "a", {"run-1", 0})->claimed);
}

TEST_P(SharedDriverStore, AUnaryCallDoesNotTakeASessionFromAReplicaThatLives) {
  ASSERT_TRUE(Renew("a").ok());
  ASSERT_TRUE(ClaimIdle("d1", "a")->claimed) << "no replica owns the session";
  const Claimed refused = ClaimIdle("d1", "b");
  ASSERT_TRUE(refused.ok());
  EXPECT_FALSE(refused->claimed);
  EXPECT_EQ(refused->session, (SessionClaim{"d1", 1, "a"}));
  EXPECT_TRUE(refused->stored == *Get("d1"));
  // The session that is gone is not the present one.
  EXPECT_FALSE(ClaimIdle("d1", "b", 7)->claimed);
  EXPECT_TRUE(ClaimIdle("d1", "b", 1)->claimed);
  // "b" has no lease.
  EXPECT_EQ(ClaimIdle("d1", "a")->session, (SessionClaim{"d1", 3, "a"}));
}

TEST_P(SharedDriverStore, ASessionIsItsReplicasWhileTheLeaseRuns) {
  ASSERT_TRUE(Renew("a").ok());
  ASSERT_TRUE(Claim("d1", "a")->claimed);
  ASSERT_TRUE(Claim("d2", "a")->claimed);
  ASSERT_FALSE(ClaimIdle("d1", "b")->claimed);
  subject_->EndOfLease("a");
  EXPECT_TRUE(ClaimIdle("d1", "b")->claimed);
  ASSERT_TRUE(Renew("a").ok());
  EXPECT_FALSE(ClaimIdle("d2", "b")->claimed) << "a's lease is valid again";
  ASSERT_TRUE(EndLease("a").ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(Renew("a"))) << "a renewal that was under way";
  EXPECT_TRUE(ClaimIdle("d2", "b")->claimed);
}

// ---- Writes under a session

TEST_P(SharedDriverStore, AWishIsStoredUnderTheLatestClaimOnly) {
  ASSERT_TRUE(Renew("a").ok());
  ASSERT_TRUE(Renew("b").ok());
  const SessionClaim first = Claim("d1", "a")->session;
  const Claimed made = SetAvailabilityUnder(first, Availability::kOnline);
  ASSERT_TRUE(made.ok() && made->claimed) << made.status();
  EXPECT_EQ(made->stored.availability, Availability::kOnline);
  EXPECT_EQ(made->session, first);

  const Claimed moved = Claim("d1", "b");
  EXPECT_TRUE(moved->stored == made->stored) << "the claim reads all earlier writes";
  for (const Availability desired : {Availability::kOffline, Availability::kOnline}) {
    const Claimed refused = SetAvailabilityUnder(first, desired);
    ASSERT_TRUE(refused.ok()) << refused.status();
    EXPECT_FALSE(refused->claimed) << "even if nothing would change";
    EXPECT_EQ(refused->session, moved->session) << "the answer names the owner";
    EXPECT_TRUE(refused->stored == made->stored);
  }
  EXPECT_TRUE(*Get("d1") == made->stored);
  EXPECT_TRUE(SetAvailabilityUnder(moved->session, Availability::kOffline)->claimed);

  // An earlier claim of the same replica does not count: its read may be older than later writes.
  const SessionClaim back = Claim("d1", "a")->session;
  EXPECT_FALSE(SetAvailabilityUnder(first, Availability::kOnline)->claimed);
  EXPECT_TRUE(SetAvailabilityUnder(back, Availability::kOnline)->claimed);
  EXPECT_FALSE(SetAvailabilityUnder({"d1", back.epoch, "b"}, Availability::kOnline)->claimed);
}

TEST_P(SharedDriverStore, OfAWishThatRacesAMoveTheMoveHasReadItOrItIsNotMade) {
  for (int round = 0; round < 20; ++round) {
    const SessionClaim held = Claim("d1", "a")->session;
    const Availability desired =
        Get("d1")->availability == Availability::kOnline ? Availability::kOffline : Availability::kOnline;
    Claimed written, moved;
    AwaitAll(2, [&](std::size_t i, Done done) {
      if (i == static_cast<std::size_t>(round % 2)) {
        store().SetAvailability(held, desired, clock_.Read().domain, absl::InfiniteFuture(), [&, done](Claimed got) {
          written = std::move(got);
          done(absl::UnknownError(""));
        });
      } else {
        store().ClaimSession("d1", "b", {}, [&, done](Claimed got) {
          moved = std::move(got);
          done(absl::UnknownError(""));
        });
      }
    });
    ASSERT_TRUE(written.ok() && moved.ok());
    EXPECT_EQ(moved->stored.availability == desired, written->claimed) << round;
    EXPECT_TRUE(*Get("d1") == moved->stored) << round;
  }
}

TEST_P(SharedDriverStore, AProfileIsReplacedUnderTheSession) {
  ASSERT_TRUE(Renew("a").ok());
  ASSERT_TRUE(Renew("b").ok());
  const SessionClaim held = Claim("d1", "a")->session;
  Driver other = MakeDriver("d1");
  other.vehicle.seats = 6;
  const Claimed refused = RegisterUnder("b", 0, other);
  ASSERT_TRUE(refused.ok()) << refused.status();
  EXPECT_FALSE(refused->claimed);
  EXPECT_EQ(refused->session, held) << "the answer names the owner to ask";
  EXPECT_TRUE(RegisterUnder("b", 0, MakeDriver("d1"))->claimed) << "the profile is the stored one";
  const Claimed made = RegisterUnder("a", held.epoch, other);
  ASSERT_TRUE(made->claimed);
  EXPECT_EQ(made->stored.driver.vehicle.seats, 6);
  EXPECT_EQ(made->session, held) << "the session goes on";
  EXPECT_TRUE(SetAvailabilityUnder(held, Availability::kOnline)->claimed);
}

TEST_P(SharedDriverStore, AProfileReplacedWithoutItsSessionEndsThat) {
  ASSERT_TRUE(Renew("a").ok());
  Driver other = MakeDriver("d1");
  other.vehicle.seats = 6;
  // The owner reported that it no longer has the session.
  const SessionClaim gone = Claim("d1", "a")->session;
  const Claimed made = RegisterUnder("b", gone.epoch, other);
  ASSERT_TRUE(made->claimed);
  EXPECT_EQ(made->session, (SessionClaim{"d1", gone.epoch + 1, ""}));
  EXPECT_FALSE(SetAvailabilityUnder(gone, Availability::kOnline)->claimed);
  EXPECT_THAT(*RecentClaims(), UnorderedElementsAre(made->session))
      << "so that a replica that still has the session learns of its end";

  // The owner is dead.
  const SessionClaim dead = Claim("d1", "a")->session;
  subject_->EndOfLease("a");
  other.vehicle.seats = 5;
  EXPECT_EQ(RegisterUnder("b", 0, other)->session, (SessionClaim{"d1", dead.epoch + 1, ""}));
  // Without an owner there is no session to end.
  other.vehicle.seats = 3;
  EXPECT_EQ(RegisterUnder("b", 0, other)->session, (SessionClaim{"d1", dead.epoch + 1, ""}));
}

TEST_P(SharedDriverStore, ALookClaimsNothing) {
  EXPECT_EQ(Session("d1")->session, (SessionClaim{"d1", 0, ""}));
  ASSERT_TRUE(Renew("a").ok());
  const Claimed held = Claim("d1", "a");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Session("d1")->session, held->session);
    EXPECT_TRUE(Session("d1")->stored == held->stored);
  }
  subject_->EndOfLease("a");
  EXPECT_EQ(Session("d1")->session.replica, "") << "no live replica owns the session";
  EXPECT_TRUE(SetAvailabilityUnder(held->session, Availability::kOnline)->claimed) << "its claim is still the latest";
}

TEST_P(SharedDriverStore, OfRacingClaimsEachIsACountOfItsOwn) {
  std::vector<std::int64_t> epochs;
  AwaitAll(20, [&](std::size_t i, Done done) {
    store().ClaimSession("d1", "r" + std::to_string(i), {}, [&, done](const Claimed& claimed) {
      EXPECT_TRUE(claimed->claimed);
      epochs.push_back(claimed->session.epoch);
      done(claimed->stored);
    });
  });
  std::sort(epochs.begin(), epochs.end());
  for (std::size_t i = 0; i < epochs.size(); ++i) EXPECT_EQ(epochs[i], static_cast<std::int64_t>(i + 1));
}

TEST_P(SharedDriverStore, RecentClaimsListsTheLatestClaimOfEachDriver) {
  EXPECT_THAT(*RecentClaims(), IsEmpty());
  ASSERT_TRUE(Claim("d1", "a")->claimed);
  ASSERT_TRUE(Claim("d1", "b")->claimed);
  ASSERT_TRUE(ClaimIdle("d2", "a")->claimed);
  EXPECT_THAT(*RecentClaims(),
              UnorderedElementsAre(SessionClaim{"d1", 2, "b", true}, SessionClaim{"d2", 1, "a", false}));
  EXPECT_THAT(*RecentClaims(absl::ZeroDuration()), IsEmpty());
}

}  // namespace
}  // namespace hail::driver
