#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/errors/error.h"
#include "rider-service/codec/record_codec.h"
#include "rider-service/codec/ride_codec.h"
#include "rider-service/domain/record.pb.h"
#include "rider-service/domain/request_rules.h"
#include "rider-service/domain/view.h"
#include "tests/unit/rider-service/shown.h"
#include "tests/unit/rider-service/test_rides.h"

namespace hail::rider {
namespace {

// Rides that between them have every field.
std::vector<Ride> Samples() {
  std::vector<Ride> rides;
  for (const RideState state : kAllStates) rides.push_back(RideIn(state));
  Ride ride = RideIn(RideState::kEnrouteToPickup);
  ride.Edit()->set_quote_id("quote-1");
  ride = TakeStep(ride, Command(ride, trip::Cancel{}), RideRules(), kT0 + absl::Nanoseconds(123'456'789))->ride;
  rides.push_back(ride);
  ride = RideIn(RideState::kArrivedAtPickup);
  rides.push_back(CancelByRider(ride, CancelReason::kSafety, "note", kT0 + absl::Hours(1))->ride);
  return rides;
}

TEST(RecordCodec, KeepsEveryFieldOfARide) {
  for (const Ride& ride : Samples()) {
    const absl::StatusOr<Ride> back = RideFromBytes(RideBytes(ride), InternalsBytes(ride));
    ASSERT_TRUE(back.ok());
    EXPECT_EQ(*back, ride) << StateName(ride.state());
  }
}

TEST(RecordCodec, DamageIsAnErrorNotACrash) {
  EXPECT_TRUE(HasReason(RideFromBytes("\xFF\xFF", "").status(), Reason::kInternal));
  EXPECT_TRUE(HasReason(RideFromBytes("", "\xFF\xFF").status(), Reason::kInternal));
  EXPECT_TRUE(HasReason(EventFromBytes("\xFF\xFF").status(), Reason::kInternal));
  EXPECT_TRUE(HasReason(ProtoEventCodec().Decode("\xFF\xFF").status(), Reason::kInternal));
  EXPECT_TRUE(HasReason(ProtoEventCodec().Decode("").status(), Reason::kInternal));
}

TEST(RecordCodec, ARideThatLacksWhatItsStateNeedsIsDamage) {
  const auto refused = [](const Ride& ride) {
    return HasReason(RideFromBytes(RideBytes(ride), InternalsBytes(ride)).status(), Reason::kInternal);
  };
  for (const Ride& ride : Samples()) EXPECT_FALSE(refused(ride)) << StateName(ride.state());
  EXPECT_TRUE(refused(Ride()));
  Ride ride = RideIn(RideState::kMatching);
  ride.Edit()->clear_match_deadline();
  EXPECT_TRUE(refused(ride)) << "no deadline";
  ride = RideIn(RideState::kArrivedAtPickup);
  ride.Edit()->clear_assign_time();
  EXPECT_TRUE(refused(ride)) << "never assigned";
  ride = RideIn(RideState::kEnrouteToPickup);
  ride.Edit()->clear_driver();
  EXPECT_TRUE(refused(ride)) << "nobody drives";
  for (const std::int64_t number : {std::int64_t{0}, INT64_MAX, INT64_MIN}) {
    Ride numbered = RideIn(RideState::kMatching);
    numbered.Edit()->set_sequence(number);
    EXPECT_TRUE(refused(numbered)) << number;
    numbered = RideIn(RideState::kMatching);
    numbered.Edit()->set_epoch(number);
    EXPECT_TRUE(refused(numbered)) << number;
  }
  RideEvent event;
  event.ride = ride;
  EXPECT_TRUE(HasReason(EventFromBytes(EventBytes(event)).status(), Reason::kInternal));
  const ProtoEventCodec codec;
  EXPECT_TRUE(HasReason(codec.Decode(codec.Encode(event)).status(), Reason::kInternal));
  event.ride = RideIn(RideState::kMatching);
  event.former = ride;
  EXPECT_TRUE(HasReason(codec.Decode(codec.Encode(event)).status(), Reason::kInternal));
}

TEST(EventCodec, KeepsInternalsOfEventsButNotOfRides) {
  const Ride ride = RideIn(RideState::kEnrouteToPickup);
  RideEvent event = *TakeStep(ride, Command(ride, trip::Cancel{}), RideRules(), kT0)->event;
  event.driver_sequence = 42;
  const ProtoEventCodec codec;
  RideEvent expected = event;
  for (Ride* part : {&expected.ride, &*expected.former}) {
    part->EditInternals()->Clear();
  }
  const absl::StatusOr<RideEvent> back = codec.Decode(codec.Encode(event));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(*back, expected);
}

TEST(RecordCodec, AFormerRideSaysThatItsAssignmentEnded) {
  const Ride ride = RideIn(RideState::kEnrouteToPickup);
  const RideEvent event = *TakeStep(ride, Command(ride, trip::Cancel{}), RideRules(), kT0)->event;
  // An earlier version stores and publishes the former ride without the mark.
  Ride unmarked = *event.former;
  unmarked.Edit()->set_assignment_ended(false);
  const absl::StatusOr<Ride> kept = FormerFromBytes(RideBytes(unmarked));
  ASSERT_TRUE(kept.ok());
  EXPECT_TRUE(kept->assignment_ended());
  RideEvent published = event;
  published.former = unmarked;
  const ProtoEventCodec codec;
  EXPECT_TRUE(codec.Decode(codec.Encode(published))->former->assignment_ended());
}

TEST(Ride, CopiesShareItsMessagesUntilOneIsEdited) {
  Ride ride = Requested("ride-1");
  const Ride copy = ride;
  EXPECT_EQ(&copy.message(), &ride.message());
  ride.Edit()->set_ride_id("ride-2");
  EXPECT_EQ(copy.ride_id(), "ride-1");
  Ride::Message* const own = ride.Edit();
  EXPECT_EQ(ride.Edit(), own) << "the ride is the only owner";

  const std::string before = ride.bytes();
  EXPECT_EQ(&ride.bytes(), &Ride(ride).bytes()) << "serialized once";
  ride.Edit()->set_ride_id("ride-3");
  EXPECT_NE(ride.bytes(), before);
  Ride other;
  other = ride;
  other.EditInternals()->add_excluded_driver_ids("driver-1");
  EXPECT_TRUE(ride.excluded_driver_ids().empty());
  EXPECT_EQ(Ride().bytes(), "");
}

TEST(RideCodec, TimesAndDurationsOfEitherSign) {
  for (const absl::Time time :
       {kT0, kT0 + absl::Nanoseconds(1), absl::FromUnixSeconds(-1) + absl::Milliseconds(250), absl::UnixEpoch()}) {
    google::protobuf::Timestamp message;
    Encode(time, &message);
    EXPECT_GE(message.nanos(), 0);
    EXPECT_LT(message.nanos(), 1'000'000'000);
    EXPECT_EQ(DecodeTime(message), time);
  }
  for (const absl::Duration duration : {absl::ZeroDuration(), absl::Milliseconds(-1500), absl::Seconds(90)}) {
    google::protobuf::Duration message;
    Encode(duration, &message);
    EXPECT_EQ(DecodeDuration(message), duration);
  }
}

// --- Together with a later version ---

constexpr int kLaterField = 1000;

// Adds an unknown field to each message of a record, except to values (see money.proto, geo.proto).
void AddLaterFields(google::protobuf::Message* message) {
  const auto& fields = *message->GetReflection();
  fields.MutableUnknownFields(message)->AddVarint(kLaterField, 7);
  std::vector<const google::protobuf::FieldDescriptor*> set;
  fields.ListFields(*message, &set);
  for (const auto* field : set) {
    if (field->message_type() == nullptr || field->is_map()) continue;
    const std::string type(field->message_type()->full_name());
    if (type.starts_with("google.") || type == "hail.type.v1.Money" || type == "hail.type.v1.LatLng") continue;
    AddLaterFields(fields.MutableMessage(message, field));
  }
}

template <typename Message>
Message Parsed(const std::string& bytes) {
  Message message;
  EXPECT_TRUE(message.ParseFromString(bytes));
  return message;
}

TEST(RecordCodec, KeepsWhatALaterVersionStoredInEachMessage) {
  for (const Ride& sample : Samples()) {
    auto message = Parsed<hail::type::v1::Ride>(RideBytes(sample));
    AddLaterFields(&message);
    auto internals = Parsed<record::v1::RideInternals>(InternalsBytes(sample));
    AddLaterFields(&internals);
    const absl::StatusOr<Ride> ride = RideFromBytes(message.SerializeAsString(), internals.SerializeAsString());
    ASSERT_TRUE(ride.ok()) << ride.status();
    EXPECT_EQ(Parsed<hail::type::v1::Ride>(RideBytes(*ride)).DebugString(), message.DebugString());
    EXPECT_EQ(Parsed<record::v1::RideInternals>(InternalsBytes(*ride)).DebugString(), internals.DebugString());
    RideEvent event;
    event.ride = *ride;
    event.former = *ride;
    EXPECT_EQ(Parsed<hail::type::v1::RideEvent>(EventBytes(event)).ride().DebugString(), message.DebugString());
    const ProtoEventCodec codec;
    const absl::StatusOr<RideEvent> decoded = codec.Decode(codec.Encode(event));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(Parsed<hail::type::v1::Ride>(RideBytes(decoded->ride)).DebugString(), message.DebugString());
    const auto former = Parsed<hail::type::v1::Ride>(RideBytes(*decoded->former));
    EXPECT_EQ(former.GetReflection()->GetUnknownFields(former).field_count(), 1);

    // No view shows unknown fields, because their readers are unknown.
    for (const Ride& view : {RideForRider(*ride), RideForDriver(*ride), RideForOperator(*ride)}) {
      auto shown = Shown(view);
      const std::string bytes = shown.SerializeAsString();
      shown.DiscardUnknownFields();
      EXPECT_EQ(bytes, shown.SerializeAsString());
    }
  }
}

TEST(RecordCodec, KeepsNumbersOfALaterVersion) {
  const Ride ride = RideIn(RideState::kArrivedAtPickup);
  RideEvent event = *CancelByRider(ride, CancelReason::kOther, "", kT0 + absl::Hours(1))->event;
  event.message.set_type(static_cast<hail::type::v1::RideEventType>(77));
  event.set_reason(static_cast<CancelReason>(78));
  event.ride.set_cancellation({static_cast<CancelActor>(79), static_cast<CancelReason>(78), ""});
  const absl::StatusOr<RideEvent> back = EventFromBytes(EventBytes(event));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->type(), event.type());
  EXPECT_EQ(back->reason(), event.reason());
  EXPECT_EQ(back->ride.cancellation(), event.ride.cancellation());
}

TEST(RecordCodec, AStateOfALaterVersionIsNoDamage) {
  Ride ride = RideIn(RideState::kArrivedAtPickup);
  ride.set_state(static_cast<RideState>(6));
  const auto too_old = [](const absl::Status& status) {
    return absl::IsUnavailable(status) && HasReason(status, Reason::kReplicaTooOld);
  };
  EXPECT_TRUE(too_old(RideFromBytes(RideBytes(ride), InternalsBytes(ride)).status()));
  EXPECT_TRUE(too_old(FormerFromBytes(RideBytes(ride)).status()));
  RideEvent event;
  event.ride = ride;
  EXPECT_TRUE(too_old(EventFromBytes(EventBytes(event)).status()));
  const ProtoEventCodec codec;
  EXPECT_TRUE(too_old(codec.Decode(codec.Encode(event)).status()));
  event.ride = RideIn(RideState::kMatching);
  event.former = ride;
  EXPECT_TRUE(too_old(codec.Decode(codec.Encode(event)).status()));

  const absl::StatusOr<Ride> any = RideInAnyState(RideBytes(ride), InternalsBytes(ride));
  ASSERT_TRUE(any.ok()) << any.status();
  EXPECT_EQ(*any, ride);
  ride.Edit()->set_sequence(0);
  EXPECT_TRUE(HasReason(RideInAnyState(RideBytes(ride), InternalsBytes(ride)).status(), Reason::kInternal));
}

TEST(RideCodec, WhatAnAppAddsIsNotStored) {
  RideRequest request;
  for (Place* place : {request.mutable_pickup(), request.mutable_dropoff()}) {
    place->set_address("Civic Center");
    AddLaterFields(place);
  }
  AddLaterFields(&request);
  Ride ride = AskedFor(request, "1:abc");
  const std::string bytes = ride.bytes();
  ride.Edit()->DiscardUnknownFields();
  EXPECT_EQ(bytes, ride.bytes());
}

TEST(RideCodec, NumbersNobodyKnowsAreUnspecified) {
  EXPECT_EQ(DecodeState(static_cast<hail::type::v1::RideState>(77)), RideState::kUnspecified);
  EXPECT_EQ(DecodeReason(static_cast<hail::type::v1::CancelReason>(77)), CancelReason::kUnspecified);
}

}  // namespace
}  // namespace hail::rider
