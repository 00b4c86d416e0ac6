#include "tests/conformance/people_conformance.h"

#include <gmock/gmock.h>

#include "common/errors/error.h"
#include "common/ids/uuid.h"

namespace hail::rider {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

std::vector<RideLog> PeopleConformance::Export(PersonKind kind, const std::string& id) {
  std::vector<RideLog> all;
  std::string token;
  do {
    auto page = *Await<People::Exported>([&](auto done) { people_.Export(kind, id, token, done); });
    for (RideLog& log : page.rides) all.push_back(std::move(log));
    token = page.next_page_token;
  } while (!token.empty());
  return all;
}

std::vector<std::string> PeopleConformance::Stored(const std::vector<std::string>& words) {
  const std::string everything = subject_->Everything();
  std::vector<std::string> found;
  for (const std::string& word : words) {
    if (everything.find(word) != std::string::npos) found.push_back(word);
  }
  return found;
}

void PeopleConformance::Live(const std::string& ride_id, const std::string& rider_id, const std::string& first,
                             const std::string& second) {
  Ride ride = Requested(ride_id, rider_id, "request-of-" + rider_id + "-" + ride_id);
  Ride::Message& record = *ride.Edit();
  record.set_quote_id("quote-of-" + rider_id + "-" + ride_id);
  record.set_rider_display_name("Zebedia");
  record.mutable_pickup()->set_address("Wisteria Lane 7");
  record.mutable_pickup()->set_note("ring at Quux");
  record.mutable_dropoff()->set_note("left of Grault");
  (*record.mutable_labels())["garply"] = "waldo";
  ride.EditInternals()->set_request_fingerprint("fingerprint-of-" + rider_id);
  ASSERT_TRUE(Create(ride).ok());
  ASSERT_TRUE(Confirm(ride_id, first, "offer-a-" + ride_id).ok());
  ASSERT_TRUE(Take(ride_id, trip::Cancel{CancelReason::kOther, "Fred is rude"}, first).ok());
  ASSERT_TRUE(Confirm(ride_id, second, "offer-b-" + ride_id).ok());
  ASSERT_TRUE(Take(ride_id, trip::Arrive{}, second).ok());
  ASSERT_TRUE(Take(ride_id, trip::Cancel{CancelReason::kOther, "Plugh is no-one"}, second).ok());
}

TEST_P(PeopleConformance, AnErasedRiderIsNowhere) {
  Live("ride-1", "ann@example.com");
  Live("ride-2", "ann@example.com");
  Live("ride-3", "bob");
  const RideLog before = *Log("ride-1", 0);

  EXPECT_EQ(*Erase(PersonKind::kRider, "ann@example.com"), 2);

  const Ride ride = *Find("ride-1");
  EXPECT_THAT(ride.rider_id(), StartsWith("erased-"));
  EXPECT_NE(ride.rider_id(), Find("ride-2")->rider_id());
  const RideLog log = *Log("ride-1", 0);
  ASSERT_EQ(log.events.size(), before.events.size());
  for (std::size_t i = 0; i < log.events.size(); ++i) {
    const RideEvent& event = log.events[i];
    EXPECT_EQ(event.sequence(), before.events[i].sequence());
    EXPECT_EQ(event.type(), before.events[i].type());
    EXPECT_EQ(event.event_time(), before.events[i].event_time());
    EXPECT_EQ(event.driver_id, before.events[i].driver_id);
    EXPECT_EQ(event.driver_sequence, before.events[i].driver_sequence);
    EXPECT_EQ(event.ride.rider_id(), ride.rider_id());
  }
  // For tax and insurance.
  EXPECT_EQ(ride.quoted_fare(), before.ride.quoted_fare());
  EXPECT_EQ(ride.driver()->display_name(), "Dana");
  EXPECT_DOUBLE_EQ(ride.message().pickup().position().latitude_deg(), 37.77);
  EXPECT_DOUBLE_EQ(ride.message().dropoff().position().longitude_deg(), -122.39);

  EXPECT_THAT(Export(PersonKind::kRider, "ann@example.com"), IsEmpty());
  ASSERT_EQ(*Erase(PersonKind::kRider, "bob"), 1);
  EXPECT_THAT(Stored({"ann@example", "bob", "Zebedia", "Wisteria", "Quux", "Grault", "garply", "waldo", "Fred", "Plugh",
                      "fingerprint-of", "request-of", "quote-of", "Dana"}),
              ElementsAre("Dana"));
}

TEST_P(PeopleConformance, AnErasedDriverIsNowhere) {
  Live("ride-1", "ann", "dan@example.com", "eve@example.com");
  Live("ride-2", "ann", "eve@example.com", "dan@example.com");
  ASSERT_FALSE(Await<std::optional<Ride>>([&](auto done) {
                 store().ByOffer("dan@example.com", "no-offer", done);
               })->has_value());
  const RideLog before = *Log("ride-1", 0);

  EXPECT_EQ(*Erase(PersonKind::kDriver, "dan@example.com"), 2);

  const Ride ride = *Find("ride-1");
  EXPECT_EQ(ride.driver()->driver_id(), "eve@example.com");
  EXPECT_THAT(ride.excluded_driver_ids(), ElementsAre(StartsWith("erased-")));
  EXPECT_THAT(Find("ride-2")->driver()->driver_id(), StartsWith("erased-"));
  EXPECT_EQ(Find("ride-2")->driver()->vehicle().plate(), "");
  // The rider's own.
  EXPECT_EQ(ride.rider_id(), "ann");
  EXPECT_EQ(ride.message().pickup().address(), "Wisteria Lane 7");
  const RideLog log = *Log("ride-1", 0);
  ASSERT_EQ(log.events.size(), before.events.size());
  EXPECT_THAT(Stored({"dan@example.com"}), IsEmpty());
  EXPECT_EQ(*Erase(PersonKind::kDriver, "eve@example.com"), 2);
  EXPECT_THAT(Stored({"Dana", "7ABC123", "Prius", "Fred", "Plugh"}), IsEmpty());
  // A driver of that id begins anew.
  EXPECT_EQ(DriverSequences({"eve@example.com"}).at("eve@example.com"), 0);
  Live("ride-3", "ann", "driver-3", "eve@example.com");
  EXPECT_EQ(*Erase(PersonKind::kDriver, "eve@example.com"), 1);
}

TEST_P(PeopleConformance, NobodyIsErasedFromALiveRide) {
  Live("ride-1", "ann");
  ASSERT_TRUE(Create(Requested("ride-2", "ann", "request-2")).ok());
  ASSERT_TRUE(Confirm("ride-2", "driver-1", "offer-1").ok());
  ASSERT_TRUE(Take("ride-2", trip::Cancel{}, "driver-1").ok());

  const absl::Status rider = Erase(PersonKind::kRider, "ann").status();
  EXPECT_TRUE(HasReason(rider, Reason::kRiderBusy)) << rider;
  // The driver gave the live ride up, and stays excluded from it.
  const absl::Status driver = Erase(PersonKind::kDriver, "driver-1").status();
  EXPECT_TRUE(HasReason(driver, Reason::kDriverBusy)) << driver;
  EXPECT_EQ(Find("ride-1")->rider_id(), "ann");
  EXPECT_EQ(*Await<bool>([&](auto done) {
    subject_->one().RewriteRide(
        "ride-2", [](RideLog log) { return log; }, false, done);
  }),
            false);

  ASSERT_TRUE(CallOff("ride-2").ok());
  EXPECT_EQ(*Erase(PersonKind::kRider, "ann"), 2);
  EXPECT_EQ(*Erase(PersonKind::kDriver, "driver-1"), 2);
}

TEST_P(PeopleConformance, AnErasureIsIdempotent) {
  Live("ride-1", "ann");
  EXPECT_EQ(*Erase(PersonKind::kRider, "ann"), 1);
  const Ride ride = *Find("ride-1");
  EXPECT_EQ(*Erase(PersonKind::kRider, "ann"), 0);
  EXPECT_EQ(*Erase(PersonKind::kRider, "nobody"), 0);
  EXPECT_EQ(*Find("ride-1"), ride);
  EXPECT_EQ(Erase(PersonKind::kRider, "").status().code(), absl::StatusCode::kInvalidArgument);
}

// Each reads the ride before the other has written it.
TEST_P(PeopleConformance, ErasuresAtTwoProcessesDoNotUndoEachOther) {
  People elsewhere = PeopleOf(subject_->other());
  for (int i = 0; i < 50; ++i) Live("ride-" + std::to_string(i), "ann@e", "dan@e", "eve@e");
  const auto erased = AwaitAll<int>(3, [&](std::size_t i, Done<int> done) {
    if (i == 0) return people_.Erase(PersonKind::kRider, "ann@e", std::move(done));
    elsewhere.Erase(PersonKind::kDriver, i == 1 ? "dan@e" : "eve@e", std::move(done));
  });
  for (const absl::StatusOr<int>& result : erased) EXPECT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(Stored({"ann@e", "dan@e", "eve@e", "Dana", "Wisteria"}), IsEmpty());
}

// More rides than one batch and one page have.
TEST_P(PeopleConformance, ManyRidesAreExportedAndErased) {
  std::vector<std::string> ids;
  for (int i = 100; i < 170; ++i) {
    ids.push_back("ride-" + std::to_string(i));
    Live(ids.back(), "ann");
  }
  std::vector<std::string> exported;
  for (const RideLog& log : Export(PersonKind::kRider, "ann")) exported.push_back(log.ride.ride_id());
  EXPECT_EQ(exported, ids);
  EXPECT_EQ(*Erase(PersonKind::kRider, "ann"), 70);
}

TEST_P(PeopleConformance, AnExportHasWhatThePersonMaySee) {
  Live("ride-1", "ann", "dan", "eve@example.com");
  const std::vector<RideLog> of_ann = Export(PersonKind::kRider, "ann");
  ASSERT_THAT(of_ann, SizeIs(1));
  EXPECT_THAT(of_ann[0].events, SizeIs(6));
  EXPECT_EQ(of_ann[0].ride.viewer(), Viewer::kRider);
  EXPECT_EQ(of_ann[0].ride.cancellation()->note, "");

  const std::vector<RideLog> of_eve = Export(PersonKind::kDriver, "eve@example.com");
  ASSERT_THAT(of_eve, SizeIs(1));
  EXPECT_THAT(of_eve[0].events, SizeIs(3));
  EXPECT_EQ(of_eve[0].ride.cancellation()->note, "Plugh is no-one");

  // The ride went on without him.
  const std::vector<RideLog> of_dan = Export(PersonKind::kDriver, "dan");
  ASSERT_THAT(of_dan, SizeIs(1));
  EXPECT_THAT(of_dan[0].events, SizeIs(2));
  EXPECT_EQ(of_dan[0].ride.viewer(), Viewer::kDriver);
  EXPECT_EQ(of_dan[0].ride.driver()->driver_id(), "dan");
  EXPECT_TRUE(of_dan[0].ride.assignment_ended());
}

TEST_P(PeopleConformance, OldRidesLoseTheirPersons) {
  const auto id_at = [](absl::Time wall) { return UuidV7(wall, [] { return std::uint64_t{0}; }); };
  const std::string old = id_at(kT0);
  const std::string old_and_live = id_at(kT0 + absl::Seconds(1));
  const std::string recent = id_at(kT0 + absl::Hours(1));
  Live(old, "ann");
  ASSERT_TRUE(Create(Requested(old_and_live, "ann", "request-2")).ok());
  Live(recent, "bob");
  ASSERT_EQ(*Erase(PersonKind::kRider, "bob"), 1);
  Live(id_at(kT0 + absl::Hours(2)), "carl");

  const auto coarsen = [&](absl::Time before, const std::string& after) {
    return *Await<People::Coarsened>([&](auto done) { people_.Coarsen(id_at(before), after, done); });
  };
  const People::Coarsened first = coarsen(kT0 + absl::Hours(1), "");
  EXPECT_EQ(first.rides, 1);
  EXPECT_EQ(first.failed, 0) << first.error;
  EXPECT_EQ(first.after, old);
  EXPECT_THAT(Find(old)->rider_id(), StartsWith("erased-"));
  EXPECT_THAT(Find(old)->driver()->driver_id(), StartsWith("erased-"));
  EXPECT_EQ(Find(old_and_live)->rider_id(), "ann");
  EXPECT_EQ(Find(recent)->driver()->driver_id(), "driver-2");
  EXPECT_EQ(coarsen(kT0 + absl::Hours(1), first.after).after, "");

  // A pseudonym stays; the drivers go.
  const std::string pseudonym = Find(recent)->rider_id();
  EXPECT_EQ(coarsen(kT0 + absl::Hours(2), "").rides, 1);
  EXPECT_EQ(Find(recent)->rider_id(), pseudonym);
  EXPECT_THAT(Find(recent)->driver()->driver_id(), StartsWith("erased-"));
  EXPECT_EQ(coarsen(kT0 + absl::Hours(2), "").rides, 0);
}

TEST_P(PeopleConformance, ThePseudonymsStayTheSame) {
  const auto key = [&](RideDatabase& database) {
    return *Await<std::string>([&](auto done) { database.PseudonymKey(done); });
  };
  EXPECT_THAT(key(subject_->one()), SizeIs(32));
  EXPECT_EQ(key(subject_->one()), key(subject_->other()));
  EXPECT_NE(key(subject_->one()), QuoteKey());
}

}  // namespace hail::rider
