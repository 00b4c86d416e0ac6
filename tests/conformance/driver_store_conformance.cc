#include "tests/conformance/driver_store_conformance.h"

#include <gmock/gmock.h>

#include <cstddef>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/errors/error.h"
#include "tests/conformance/same_driver.h"

namespace hail::driver {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

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

// One of each field, none like its neighbours.
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
  EXPECT_TRUE(HasReason(SetAvailability("nobody", Availability::kOnline).status(), Reason::kDriverNotFound));
  EXPECT_FALSE(Get("nobody").ok()) << "the wish made nobody somebody";
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
  EXPECT_EQ(again->availability, Availability::kOnline) << "the wish is not part of the profile";
}

TEST_P(DriverStoreConformance, AnotherProfileUnderTheSameIdIsRefused) {
  ASSERT_TRUE(Register(MakeDriver("d1")).ok());
  std::vector<Driver> others(8, MakeDriver("d1"));
  others[0].display_name = "other";
  others[1].region_id = "other";
  others[2].vehicle.make = "other";
  others[3].vehicle.model = "other";
  others[4].vehicle.color = "other";
  others[5].vehicle.plate = "other";
  others[6].vehicle.seats = 5;
  others[7].product_ids = {"comfort", "economy"};
  for (const Driver& other : others) {
    const absl::StatusOr<StoredDriver> refused = Register(other);
    EXPECT_TRUE(HasReason(refused.status(), Reason::kDriverExists)) << refused.status();
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kAlreadyExists);
  }
  EXPECT_TRUE(SameProfile(Get("d1")->driver, MakeDriver("d1")));
}

TEST_P(DriverStoreConformance, OneRefusedRegistrationDoesNotHurtItsNeighbours) {
  ASSERT_TRUE(Register(MakeDriver("d0")).ok());
  Driver other = MakeDriver("d0");
  other.display_name = "somebody else";
  const auto is_refused = [](std::size_t i) { return i % 10 == 5; };
  const auto outcomes = AwaitAll(50, [&](std::size_t i, Done done) {
    store().Register(is_refused(i) ? other : MakeDriver("n" + std::to_string(i)), clock_.Read().domain,
                     absl::InfiniteFuture(), std::move(done));
  });
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    EXPECT_EQ(outcomes[i].ok(), !is_refused(i)) << i << outcomes[i].status();
    EXPECT_EQ(Get("n" + std::to_string(i)).ok(), !is_refused(i)) << i;
  }
}

TEST_P(DriverStoreConformance, RacingRegistrationsOfOneDriverHaveOneWinner) {
  const auto outcomes = AwaitAll(20, [&](std::size_t i, Done done) {
    Driver driver = MakeDriver("d1");
    driver.vehicle.plate = "plate-" + std::to_string(i);
    store().Register(driver, clock_.Read().domain, absl::InfiniteFuture(), std::move(done));
  });
  std::vector<std::string> winners;
  for (const absl::StatusOr<StoredDriver>& outcome : outcomes) {
    if (outcome.ok()) {
      winners.push_back(outcome->driver.vehicle.plate);
    } else {
      EXPECT_TRUE(HasReason(outcome.status(), Reason::kDriverExists)) << outcome.status();
    }
  }
  EXPECT_THAT(winners, ElementsAre(Get("d1")->driver.vehicle.plate));
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
  EXPECT_EQ(Get("d2")->availability, Availability::kOffline) << "another's";
  EXPECT_EQ(Get("d2")->driver.update_time, registered);
  subject_->Reopen();
  EXPECT_TRUE(*Get("d1") == *online);
  // The same wish again changes nothing.
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
  // One that is near is SQLite's to refuse, if it thinks that the wait is too long.
  ASSERT_TRUE(Register(MakeDriver("d1"), now + absl::Hours(1)).ok());
  EXPECT_EQ(SetAvailability("d1", Availability::kOnline, now).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Get("d1")->availability, Availability::kOffline);
}

TEST_P(DriverStoreConformance, TheOfferLogIsWrittenByTheTimeTheStoreIsClosed) {
  EXPECT_THAT(subject_->OfferLog(), IsEmpty());
  // More than go into one job.
  for (int i = 0; i < 2000; ++i) store().AppendOfferLog(MakeRecord(i));
  const std::vector<OfferRecord> log = subject_->OfferLog();
  ASSERT_EQ(log.size(), 2000u);
  for (const OfferRecord& record : log) {
    EXPECT_TRUE(record == MakeRecord(std::stoi(record.offer_id.substr(1)))) << record.offer_id;
  }
  // It goes on where it was.
  store().AppendOfferLog(MakeRecord(2000));
  EXPECT_EQ(subject_->OfferLog().size(), 2001u);
}

TEST_P(DriverStoreConformance, ARecordThatCameTwiceIsKeptOnce) {
  store().AppendOfferLog(MakeRecord(1));
  OfferRecord again = MakeRecord(1);
  again.driver_id = "d2";
  store().AppendOfferLog(again);
  store().AppendOfferLog(MakeRecord(2));
  const std::vector<OfferRecord> log = subject_->OfferLog();
  ASSERT_EQ(log.size(), 2u);
  EXPECT_TRUE(log[0] == MakeRecord(1)) << "as it came first";
  EXPECT_TRUE(log[1] == MakeRecord(2));
}

TEST_P(DriverStoreConformance, AReadSeesWhatWasReportedBeforeIt) {
  // Asked for within the write's `done`.
  const absl::StatusOr<StoredDriver> found = Await([&](const Done& done) {
    store().Register(MakeDriver("d1"), clock_.Read().domain, absl::InfiniteFuture(),
                     [&, done](const absl::StatusOr<StoredDriver>& registered) {
                       EXPECT_TRUE(registered.ok());
                       store().Get("d1", done);
                     });
  });
  EXPECT_TRUE(found.ok()) << found.status();
}

}  // namespace
}  // namespace hail::driver
