#include "rider-service/domain/erasure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/rider-service/test_rides.h"

namespace hail::rider {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;

const Pseudonyms kPseudonyms("key");

// A completed ride with one event.
RideLog Completed() {
  RideLog log;
  log.ride = RideIn(RideState::kCompleted);
  RideEvent event;
  event.message.set_ride_id(log.ride.ride_id());
  event.message.set_sequence(log.ride.sequence());
  event.driver_id = "driver-1";
  event.ride = log.ride;
  log.events.push_back(std::move(event));
  return log;
}

TEST(ErasureTest, APseudonymDependsOnPersonRoleRideAndKey) {
  const std::string one = kPseudonyms.Of(PersonKind::kRider, "ann", "ride-1");
  EXPECT_THAT(one, MatchesRegex("erased-[0-9a-f]+"));
  EXPECT_EQ(one.size(), 7u + 32u);
  EXPECT_EQ(one, Pseudonyms("key").Of(PersonKind::kRider, "ann", "ride-1"));
  EXPECT_NE(one, kPseudonyms.Of(PersonKind::kRider, "bob", "ride-1"));
  EXPECT_NE(one, kPseudonyms.Of(PersonKind::kDriver, "ann", "ride-1"));
  EXPECT_NE(one, kPseudonyms.Of(PersonKind::kRider, "ann", "ride-2"));
  EXPECT_NE(one, Pseudonyms("other").Of(PersonKind::kRider, "ann", "ride-1"));
}

// Only fields that are known to be nobody's stay. A field that is added to the contract must be sorted in here: what a
// person can be known by goes in WithoutRider or WithoutDriver.
TEST(ErasureTest, WhatStaysOfARideIsKnown) {
  const Ride ride = WithoutPersons(Completed(), kPseudonyms).ride;
  std::vector<const google::protobuf::FieldDescriptor*> set;
  ride.message().GetReflection()->ListFields(ride.message(), &set);
  std::vector<std::string> names;
  for (const auto* field : set) names.push_back(field->name());
  EXPECT_THAT(names,
              ::testing::ElementsAre("ride_id", "rider_id", "region_id", "product_id", "state", "sequence", "epoch",
                                     "leg", "pickup", "dropoff", "seats", "fare", "driver", "request_id", "offer_id",
                                     "create_time", "update_time", "assign_time", "seen_time", "arrive_time",
                                     "start_time", "end_time", "distance_m", "trip_duration", "pickup_eta"));
  EXPECT_EQ(ride.request_id(), ride.ride_id());
  EXPECT_EQ(Ride::Message::descriptor()->field_count(), 35) << "is the new field about a person?";
  EXPECT_EQ(Place::descriptor()->field_count(), 3) << "is the new field about a person?";
  EXPECT_EQ(hail::type::v1::RideEvent::descriptor()->field_count(), 7) << "is the new field about a person?";
  EXPECT_EQ(Ride::Internals::descriptor()->field_count(), 4) << "is the new field about a person?";
}

TEST(ErasureTest, FieldsOfALaterVersionGo) {
  RideLog log = Completed();
  const auto add = [](google::protobuf::Message* message) {
    message->GetReflection()->MutableUnknownFields(message)->AddLengthDelimited(999, "from the future");
  };
  add(log.ride.Edit());
  add(log.ride.Edit()->mutable_pickup());
  add(log.ride.EditInternals());
  add(&log.events[0].message);
  add(log.events[0].ride.Edit());
  for (const RideLog& erased : {WithoutRider(log, kPseudonyms), WithoutDriver(log, "driver-1", kPseudonyms)}) {
    EXPECT_THAT(erased.ride.bytes(), Not(HasSubstr("future")));
    EXPECT_THAT(erased.ride.internals().SerializeAsString(), Not(HasSubstr("future")));
    EXPECT_THAT(erased.events[0].message.SerializeAsString(), Not(HasSubstr("future")));
    EXPECT_THAT(erased.events[0].ride.bytes(), Not(HasSubstr("future")));
  }
}

TEST(ErasureTest, AnotherDriverStays) {
  const RideLog log = WithoutDriver(Completed(), "driver-2", kPseudonyms);
  EXPECT_EQ(log.ride.driver()->display_name(), "Dana");
  EXPECT_EQ(log.events[0].driver_id, "driver-1");
}

TEST(ErasureTest, AllPersonsGoOnce) {
  const RideLog once = WithoutPersons(Completed(), kPseudonyms);
  EXPECT_EQ(once.ride.driver()->display_name(), "");
  EXPECT_EQ(once.events[0].driver_id, once.ride.driver()->driver_id());
  EXPECT_THAT(once.ride.message().labels(), IsEmpty());
  const RideLog twice = WithoutPersons(once, kPseudonyms);
  EXPECT_EQ(twice.ride, once.ride);
  EXPECT_EQ(twice.events[0], once.events[0]);
}

}  // namespace
}  // namespace hail::rider
