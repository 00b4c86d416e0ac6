// Requests and commands as they are decoded.
#include "rider-service/api/api_codec.h"

#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <variant>

#include "common/errors/error.h"
#include "tests/unit/rider-service/test_rides.h"

namespace hail::rider {
namespace {

using hail::driver::v1::AdvanceTripRequest;
using hail::internal::v1::RecordTripEventRequest;

RecordTripEventRequest Request() {
  RecordTripEventRequest request;
  request.set_driver_id("driver-1");
  request.set_ride_id("ride-1");
  request.set_epoch(3);
  request.set_leg(1);
  return request;
}

// The values of an enumeration of the contract but the first, each as "NAME NUMBER".
std::set<std::string> ValuesOf(const google::protobuf::EnumDescriptor& descriptor, const std::string& prefix) {
  std::set<std::string> values;
  for (int i = 1; i < descriptor.value_count(); ++i) {
    const std::string& name = descriptor.value(i)->name();
    values.insert(name.substr(prefix.size()) + " " + std::to_string(descriptor.value(i)->number()));
  }
  return values;
}

TEST(Contract, NamesStatesAndEventsAsTheDomainDoes) {
  std::set<std::string> states, events;
  for (const StateRow& row : kStates) {
    states.insert(std::string(row.name) + " " + std::to_string(static_cast<int>(row.state)));
  }
  for (const EventRow& row : kEvents) {
    events.insert(std::string(row.name) + " " + std::to_string(static_cast<int>(row.type)));
  }
  EXPECT_EQ(states, ValuesOf(*hail::type::v1::RideState_descriptor(), "RIDE_STATE_"));
  EXPECT_EQ(events, ValuesOf(*hail::type::v1::RideEventType_descriptor(), "RIDE_EVENT_TYPE_"));
}

// Goes through the contract itself, so that this fails for a command that is added to the contract only.
TEST(DecodeCommand, EachCommandOfTheContractIsOneOfTheDomain) {
  std::set<std::size_t> actions;
  const auto* oneof = AdvanceTripRequest::descriptor()->FindOneofByName("action");
  for (int i = 0; i < oneof->field_count(); ++i) {
    RecordTripEventRequest request = Request();
    AdvanceTripRequest* command = request.mutable_command();
    command->GetReflection()->MutableMessage(command, oneof->field(i));
    const auto decoded = DecodeCommand(request);
    ASSERT_TRUE(decoded.ok()) << oneof->field(i)->name() << ": " << decoded.status();
    EXPECT_FALSE(std::holds_alternative<trip::None>(decoded->action)) << oneof->field(i)->name();
    EXPECT_TRUE(actions.insert(decoded->action.index()).second) << oneof->field(i)->name();
  }
  EXPECT_EQ(actions.size() + 1, std::variant_size_v<TripAction>) << "no command of the contract has this action";
}

TEST(DecodeCommand, ACommandKeepsWhatItCarries) {
  RecordTripEventRequest request = Request();
  request.mutable_command()->mutable_cancel()->set_reason(hail::type::v1::CANCEL_REASON_SAFETY);
  request.mutable_command()->mutable_cancel()->set_note("no lights");
  const auto decoded = DecodeCommand(request);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->driver_id, "driver-1");
  EXPECT_EQ(decoded->epoch, 3);
  EXPECT_EQ(decoded->leg, 1);
  const auto& cancel = std::get<trip::Cancel>(decoded->action);
  EXPECT_EQ(cancel.reason, CancelReason::kSafety);
  EXPECT_EQ(cancel.note, "no lights");
}

TEST(DecodeCommand, AWaitKeepsItsReasonUnlessALaterVersionGaveIt) {
  using namespace hail::type::v1;
  RecordTripEventRequest request = Request();
  const auto decoded = [&](int reason) {
    request.mutable_command()->mutable_wait()->set_reason(static_cast<WaitReason>(reason));
    return std::get<trip::Wait>(DecodeCommand(request)->action).reason;
  };
  EXPECT_EQ(decoded(WAIT_REASON_TRAFFIC), WAIT_REASON_TRAFFIC);
  EXPECT_EQ(decoded(77), WAIT_REASON_UNSPECIFIED);
}

TEST(DecodeCommand, StepsOfADriverServiceOfTheVersionBeforeAreRead) {
  namespace pb = hail::internal::v1;
  const auto decode = [](pb::TripStep step) {
    RecordTripEventRequest request = Request();
    request.set_step(step);
    request.set_reason(hail::type::v1::CANCEL_REASON_OTHER);
    request.set_note("flat tyre");
    return DecodeCommand(request);
  };
  EXPECT_TRUE(std::holds_alternative<trip::Seen>(decode(pb::TRIP_STEP_SEEN)->action));
  EXPECT_TRUE(std::holds_alternative<trip::Arrive>(decode(pb::TRIP_STEP_ARRIVE)->action));
  EXPECT_TRUE(std::holds_alternative<trip::Start>(decode(pb::TRIP_STEP_START)->action));
  EXPECT_TRUE(std::holds_alternative<trip::Complete>(decode(pb::TRIP_STEP_COMPLETE)->action));
  const auto cancel = decode(pb::TRIP_STEP_CANCEL);
  EXPECT_EQ(std::get<trip::Cancel>(cancel->action).reason, CancelReason::kOther);
  EXPECT_EQ(std::get<trip::Cancel>(cancel->action).note, "flat tyre");
  EXPECT_TRUE(HasReason(decode(pb::TRIP_STEP_UNSPECIFIED).status(), Reason::kInvalidField));
}

// An earlier rider-service reads the step. This version uses the command.
TEST(DecodeCommand, TheCommandGoesBeforeTheStep) {
  RecordTripEventRequest request = Request();
  request.set_step(hail::internal::v1::TRIP_STEP_CANCEL);
  request.mutable_command()->mutable_seen();
  EXPECT_TRUE(std::holds_alternative<trip::Seen>(DecodeCommand(request)->action));
}

// Another replica may know the command, so the driver's app must not get an error that blames the command.
TEST(DecodeCommand, ACommandOfALaterVersionIsUnavailableHere) {
  AdvanceTripRequest later;
  later.GetReflection()->MutableUnknownFields(&later)->AddLengthDelimited(15, "");
  RecordTripEventRequest request = Request();
  *request.mutable_command() = later;
  EXPECT_TRUE(absl::IsUnavailable(DecodeCommand(request).status()));
}

// An offer shows what the ride's driver may read, with complete places.
TEST(EncodeStart, ShowsWhatADriverMayRead) {
  Ride ride = NewRide(Requested(), RideRules(), kT0).ride;
  ride.Edit()->set_rider_display_name("Ann");
  Place& pickup = *ride.Edit()->mutable_pickup();
  pickup.set_note("blue door");
  const std::string known = pickup.SerializeAsString();
  pickup.GetReflection()->MutableUnknownFields(&pickup)->AddLengthDelimited(1000, "for whom, nobody here knows");
  hail::internal::v1::StartDispatch start;
  Encode(DispatchScheduler::Start{&ride, absl::Seconds(100), absl::Seconds(15), {"driver-9"}}, &start);
  EXPECT_EQ(start.ride_id(), "ride-1");
  EXPECT_EQ(start.epoch(), 1);
  EXPECT_EQ(start.pickup().SerializeAsString(), known);
  EXPECT_EQ(start.dropoff().SerializeAsString(), ride.message().dropoff().SerializeAsString());
  EXPECT_EQ(start.offer().rider_display_name(), "Ann");
  EXPECT_EQ(DecodeMoney(start.fare()), ride.quoted_fare());
  EXPECT_EQ(DecodeDuration(start.trip_duration()), absl::Seconds(680));
  EXPECT_EQ(start.trip_distance_m(), 4100);
  EXPECT_EQ(DecodeDuration(start.remaining()), absl::Seconds(100));
  EXPECT_EQ(start.excluded_driver_ids_size(), 1);
}

using RequestRide = hail::rider::v1::RequestRideRequest;

RequestRide ValidRequest() {
  RequestRide message;
  message.set_rider_id("rider-1");
  message.set_request_id("request-1");
  for (hail::type::v1::Place* place : {message.mutable_pickup(), message.mutable_dropoff()}) {
    place->mutable_position()->set_latitude_deg(37.7749);
    place->mutable_position()->set_longitude_deg(-122.4194);
    place->set_address("Civic Center");
  }
  message.set_product_id("economy");
  message.set_seats(2);
  message.set_quote_token("token");
  (*message.mutable_labels())["trip"] = "t-1";
  return message;
}

// Adds an unknown field, as a client of a later release may send.
template <typename T>
T With(T message, int field, const std::string& value) {
  message.GetReflection()->MutableUnknownFields(&message)->AddLengthDelimited(field, value);
  return message;
}

// A repeat of a request that the first release stored has the same fingerprint.
TEST(RequestFingerprint, HasNothingFurtherThanTheFirstReleaseKnew) {
  EXPECT_EQ(FurtherFields(ValidRequest()), "");
  EXPECT_EQ(FurtherFields(RequestRide()), "");
  RequestRide empty;
  empty.mutable_pickup()->mutable_position();
  empty.mutable_dropoff();
  EXPECT_EQ(FurtherFields(empty), "");
}

TEST(RequestFingerprint, ALaterFieldAnywhereTellsRequestsApart) {
  const std::string base = RequestFingerprint(ValidRequest());
  EXPECT_EQ(RequestFingerprint(ValidRequest()), base);
  EXPECT_NE(RequestFingerprint(With(ValidRequest(), 90, "x")), base);
  EXPECT_EQ(RequestFingerprint(With(ValidRequest(), 90, "x")), RequestFingerprint(With(ValidRequest(), 90, "x")));
  EXPECT_NE(RequestFingerprint(With(ValidRequest(), 90, "x")), RequestFingerprint(With(ValidRequest(), 90, "y")));
  for (const auto place : {&RequestRide::mutable_pickup, &RequestRide::mutable_dropoff}) {
    RequestRide noted = ValidRequest();
    *(noted.*place)() = With(*(noted.*place)(), 90, "x");
    EXPECT_NE(RequestFingerprint(noted), base);
    RequestRide high = ValidRequest();
    *(high.*place)()->mutable_position() = With((high.*place)()->position(), 90, "x");
    EXPECT_NE(RequestFingerprint(high), base);
    EXPECT_NE(RequestFingerprint(high), RequestFingerprint(noted));
  }
}

// Replicas of two releases compute the same fingerprint, even if the older release does not know a field. The newer
// release encodes that field where the older one has it among its unknown fields, as long as new fields get new
// numbers.
TEST(RequestFingerprint, AKnownFieldIsEncodedAsAnUnknownOne) {
  RequestRide sent = With(ValidRequest(), 90, "x");
  RequestRide read;
  ASSERT_TRUE(read.ParseFromString(sent.SerializeAsString()));
  EXPECT_EQ(RequestFingerprint(read), RequestFingerprint(sent));
  // Field 90, length-delimited, one byte.
  EXPECT_EQ(FurtherFields(read), "\xD2\x05\x01x");

  RequestRide named = ValidRequest();
  named.set_rider_display_name("Ann");
  named.mutable_pickup()->set_note("blue door");
  RequestRide as_earlier = With(ValidRequest(), 9, "Ann");
  *as_earlier.mutable_pickup() = With(as_earlier.pickup(), 3, "blue door");
  EXPECT_EQ(RequestFingerprint(named), RequestFingerprint(as_earlier));
  EXPECT_NE(RequestFingerprint(named), RequestFingerprint(ValidRequest()));
}

}  // namespace
}  // namespace hail::rider
