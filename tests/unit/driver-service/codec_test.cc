// Conversions between the contract's messages and the core's types, both ways.
#include <google/protobuf/unknown_field_set.h>

#include <cmath>
#include <limits>
#include <map>

#include "common/errors/error.h"
#include "common/proto/time.h"
#include "driver-service/codec/driver_codec.h"
#include "driver-service/codec/internal_codec.h"
#include "driver-service/codec/replica_codec.h"
#include "driver-service/codec/ride_codec.h"
#include "gtest/gtest.h"
#include "tests/matchers.h"

namespace hail::driver {
namespace {

std::string FieldAtFault(const absl::Status& status) {
  const auto details = DetailsOf(status);
  return details.has_value() && details->reason == Reason::kInvalidField ? details->field : "none";
}

type::v1::Ride MakeRide(type::v1::RideState state) {
  type::v1::Ride ride;
  ride.set_ride_id("r1");
  ride.set_sequence(3);
  ride.set_epoch(2);
  ride.set_leg(1);
  ride.set_offer_id("o1");
  ride.set_state(state);
  ride.mutable_pickup()->mutable_position()->set_latitude_deg(37.5);
  ride.mutable_dropoff()->mutable_position()->set_longitude_deg(-122.5);
  ride.mutable_fare()->mutable_quoted()->set_micros(12'500'000);
  return ride;
}

internal::v1::StartDispatch MakeStart() {
  internal::v1::StartDispatch start;
  start.set_ride_id("r1");
  start.set_epoch(4);
  start.set_region_id("sf");
  start.set_product_id("xl");
  start.set_seats(5);
  start.mutable_pickup()->set_address("1 Market St");
  start.mutable_pickup()->set_note("blue door");
  start.mutable_pickup()->mutable_position()->set_latitude_deg(37.79);
  start.mutable_pickup()->mutable_position()->set_longitude_deg(-122.39);
  start.mutable_fare()->set_micros(9'000'000);
  start.set_trip_distance_m(4200);
  start.mutable_trip_duration()->set_seconds(600);
  start.mutable_remaining()->set_seconds(119);
  start.mutable_remaining()->set_nanos(500'000'000);
  start.mutable_offer_time()->set_seconds(12);
  start.mutable_offer()->set_rider_display_name("Ann");
  start.add_excluded_driver_ids("d9");
  return start;
}

TEST(RideCodec, KeepsTheMessageAndReadsWhatIsDecidedOn) {
  const type::v1::Ride proto = MakeRide(type::v1::RIDE_STATE_ENROUTE_TO_DROPOFF);
  const RideView ride = FromProto(proto);
  EXPECT_EQ(ride.ride_id, "r1");
  EXPECT_EQ(ride.sequence, 3);
  EXPECT_EQ(ride.epoch, 2);
  EXPECT_EQ(ride.leg, 1);
  EXPECT_EQ(ride.offer_id, "o1");
  EXPECT_EQ(ride.pickup.latitude_deg, 37.5);
  EXPECT_EQ(ride.dropoff.longitude_deg, -122.5);
  EXPECT_THAT(ToProto(ride), EqualsProto(proto));
}

TEST(RideCodec, ARideIsLiveWhileItHasADriver) {
  for (const auto& [state, live] :
       std::vector<std::pair<type::v1::RideState, bool>>{{type::v1::RIDE_STATE_UNSPECIFIED, false},
                                                         {type::v1::RIDE_STATE_MATCHING, false},
                                                         {type::v1::RIDE_STATE_ENROUTE_TO_PICKUP, true},
                                                         {type::v1::RIDE_STATE_ARRIVED_AT_PICKUP, true},
                                                         {type::v1::RIDE_STATE_ENROUTE_TO_DROPOFF, true},
                                                         // Reserved for later versions.
                                                         {static_cast<type::v1::RideState>(1), false},
                                                         {static_cast<type::v1::RideState>(6), true},
                                                         {type::v1::RIDE_STATE_COMPLETED, false},
                                                         {type::v1::RIDE_STATE_NO_DRIVERS_AVAILABLE, false},
                                                         {type::v1::RIDE_STATE_CANCELED, false}}) {
    EXPECT_EQ(FromProto(MakeRide(state)).live, live) << type::v1::RideState_Name(state);
  }
}

TEST(RideCodec, AnEventsNumberIsItsOwn) {
  type::v1::RideEvent event;
  event.set_ride_id("r1");
  event.set_sequence(4);
  *event.mutable_ride() = MakeRide(type::v1::RIDE_STATE_ENROUTE_TO_PICKUP);  // as the driver last had it, at 3
  const RideEventView view = FromProto(event);
  EXPECT_EQ(view.ride->sequence, 4);
  EXPECT_THAT(ToProto(view), EqualsProto(event));
}

TEST(RideCodec, Durations) {
  google::protobuf::Duration proto;
  Encode(absl::Milliseconds(1500), &proto);
  EXPECT_EQ(DecodeDuration(proto), absl::Milliseconds(1500));
  Encode(-absl::Milliseconds(1500), &proto);
  EXPECT_EQ(DecodeDuration(proto), -absl::Milliseconds(1500));
  EXPECT_LE(proto.nanos(), 0);
  google::protobuf::Duration bad;
  bad.set_seconds(1);
  bad.set_nanos(-1);
  EXPECT_EQ(DecodeDuration(bad), -absl::InfiniteDuration());
  bad.set_nanos(1'000'000'000);
  EXPECT_EQ(DecodeDuration(bad), absl::InfiniteDuration());
  bad.set_nanos(0);
  bad.set_seconds(std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(DecodeDuration(bad), absl::InfiniteDuration());
  // INT32_MIN, whose absolute value is no int32.
  bad.set_seconds(0);
  bad.set_nanos(std::numeric_limits<std::int32_t>::min());
  EXPECT_EQ(DecodeDuration(bad), -absl::InfiniteDuration());
}

TEST(DriverCodec, DriversThereAndBack) {
  const Driver driver{.driver_id = "d1",
                      .display_name = "Dora",
                      .region_id = "sf",
                      .vehicle = {"Toyota", "Prius", "white", "7ABC123", 4},
                      .product_ids = {"economy", "comfort"},
                      .create_time = absl::FromUnixMillis(1'700'000'000'250)};
  const v1::Driver proto = ToProto(driver);
  EXPECT_EQ(proto.create_time().seconds(), 1'700'000'000);
  EXPECT_EQ(proto.create_time().nanos(), 250'000'000);
  EXPECT_TRUE(SameProfile(FromProto(proto), driver));
  EXPECT_EQ(FromProto(proto).create_time, absl::UnixEpoch()) << "the caller's times are ignored";
}

// ---- UpdateDriver

Driver Dora() {
  return {.driver_id = "d1",
          .display_name = "Dora",
          .region_id = "sf",
          .vehicle = {"Toyota", "Prius", "white", "7ABC123", 4},
          .product_ids = {"economy"},
          .create_time = absl::FromUnixSeconds(1'700'000'000),
          .version = 7};
}

// All of Dora's fields with other values.
v1::UpdateDriverRequest UpdateOf(const std::vector<std::string>& paths) {
  v1::UpdateDriverRequest request;
  v1::Driver& driver = *request.mutable_driver();
  driver.set_driver_id("d1");
  driver.set_display_name("Diana");
  driver.set_region_id("nyc");
  driver.mutable_vehicle()->set_plate("8XYZ999");
  driver.mutable_vehicle()->set_seats(6);
  driver.add_product_ids("xl");
  driver.mutable_create_time()->set_seconds(1);
  request.mutable_update_mask()->mutable_paths()->Assign(paths.begin(), paths.end());
  return request;
}

TEST(DriverUpdate, ChangesWhatItsMaskNamesAndNothingElse) {
  const Driver all = *Updated(Dora(), UpdateOf({"*"}));
  EXPECT_EQ(all.vehicle, (Vehicle{.plate = "8XYZ999", .seats = 6})) << "replaced as a whole";
  EXPECT_TRUE(SameProfile(all, FromProto(UpdateOf({}).driver())));
  EXPECT_EQ(all.create_time, Dora().create_time);
  EXPECT_EQ(all.version, 7);

  Driver expected = Dora();
  expected.display_name = all.display_name;
  EXPECT_TRUE(SameProfile(*Updated(Dora(), UpdateOf({"display_name"})), expected));
  expected = Dora();
  expected.vehicle = all.vehicle;
  EXPECT_TRUE(SameProfile(*Updated(Dora(), UpdateOf({"vehicle"})), expected));
  expected = Dora();
  expected.region_id = all.region_id;
  expected.product_ids = all.product_ids;
  EXPECT_TRUE(SameProfile(*Updated(Dora(), UpdateOf({"region_id", "product_ids"})), expected));

  v1::UpdateDriverRequest nameless = UpdateOf({"display_name"});
  nameless.mutable_driver()->clear_display_name();
  EXPECT_EQ(Updated(Dora(), nameless)->display_name, "");
}

TEST(DriverUpdate, WithoutAMaskChangesWhatIsSet) {
  EXPECT_TRUE(SameProfile(*Updated(Dora(), UpdateOf({})), FromProto(UpdateOf({}).driver())));
  v1::UpdateDriverRequest request;
  request.mutable_driver()->set_driver_id("d1");
  EXPECT_TRUE(SameProfile(*Updated(Dora(), request), Dora()));
  request.mutable_driver()->set_region_id("nyc");
  Driver expected = Dora();
  expected.region_id = "nyc";
  EXPECT_TRUE(SameProfile(*Updated(Dora(), request), expected));
  request.mutable_driver()->mutable_vehicle();
  EXPECT_EQ(FieldAtFault(Updated(Dora(), request).status()), "driver.vehicle.plate") << "set, and empty";
}

TEST(DriverUpdate, NamesTheFieldAtFault) {
  for (const char* path : {"driver_id", "create_time", "update_time", "vehicle.color", "vehicle.", "rating", ""}) {
    EXPECT_EQ(FieldAtFault(Updated(Dora(), UpdateOf({"display_name", path})).status()), "update_mask.paths[1]") << path;
  }
  const auto fault = [](const char* path, auto change) {
    v1::UpdateDriverRequest request = UpdateOf({path});
    change(*request.mutable_driver());
    return FieldAtFault(Updated(Dora(), request).status());
  };
  EXPECT_EQ(fault("vehicle", [](v1::Driver& driver) { driver.clear_vehicle(); }), "driver.vehicle.plate");
  EXPECT_EQ(fault("vehicle", [](v1::Driver& driver) { driver.mutable_vehicle()->set_seats(9); }),
            "driver.vehicle.seats");
  EXPECT_EQ(fault("region_id", [](v1::Driver& driver) { driver.clear_region_id(); }), "driver.region_id");
  EXPECT_EQ(fault("product_ids", [](v1::Driver& driver) { driver.clear_product_ids(); }), "driver.product_ids");
  EXPECT_EQ(fault("display_name", [](v1::Driver& driver) { driver.mutable_vehicle()->set_seats(9); }), "none")
      << "not named";
}

TEST(DriverCodec, Availability) {
  EXPECT_EQ(*FromProto(ToProto(Availability::kOnline)), Availability::kOnline);
  EXPECT_EQ(*FromProto(ToProto(Availability::kOffline)), Availability::kOffline);
  EXPECT_EQ(FieldAtFault(FromProto(v1::AVAILABILITY_UNSPECIFIED).status()), "availability");
  EXPECT_EQ(FieldAtFault(FromProto(static_cast<v1::Availability>(77)).status()), "availability");
}

// Fields that rider-service adds to an offer reach the app through a driver-service that does not know them.
TEST(DriverCodec, AnOfferPassesOnWhatRiderServiceAddsToIt) {
  internal::v1::StartDispatch start = MakeStart();
  v1::Offer& made = *start.mutable_offer();
  made.GetReflection()->MutableUnknownFields(&made)->AddLengthDelimited(1000, "later");
  made.set_offer_id("not rider-service's to say");
  type::v1::Place& pickup = *start.mutable_pickup();
  pickup.GetReflection()->MutableUnknownFields(&pickup)->AddLengthDelimited(1000, "note");
  OfferView offer;
  offer.offer_id = "o1";
  offer.start = std::make_shared<const DispatchStart>(*FromProto(start));
  const v1::Offer shown = ToProto(offer);
  EXPECT_EQ(shown.offer_id(), "o1");
  EXPECT_EQ(shown.product_id(), "xl");
  const google::protobuf::UnknownFieldSet& later = shown.GetReflection()->GetUnknownFields(shown);
  ASSERT_EQ(later.field_count(), 1);
  EXPECT_EQ(later.field(0).length_delimited(), "later");
  EXPECT_EQ(shown.pickup().SerializeAsString(), pickup.SerializeAsString());
}

TEST(DriverCodec, AnOfferShowsTheRideAsRiderServiceDescribedIt) {
  OfferView offer;
  offer.offer_id = "o1";
  offer.start = std::make_shared<const DispatchStart>(*FromProto(MakeStart()));
  offer.remaining = absl::Seconds(15);
  offer.pickup_eta = absl::Seconds(90);
  offer.pickup_distance_m = 500;
  DriverState state;
  state.driver_id = "d1";
  state.status = DriverStatus::kOffered;
  state.availability = Availability::kOnline;
  state.offer = offer;
  state.session_epoch = 77;
  const v1::DriverState proto = ToProto(state);
  EXPECT_EQ(proto.status(), v1::DRIVER_STATUS_OFFERED);
  EXPECT_EQ(proto.availability(), v1::AVAILABILITY_ONLINE);
  EXPECT_EQ(proto.session_epoch(), 77);
  EXPECT_FALSE(proto.has_ride());
  EXPECT_EQ(proto.offer().ride_id(), "r1");
  EXPECT_EQ(proto.offer().epoch(), 4);
  EXPECT_EQ(proto.offer().remaining().seconds(), 15);
  EXPECT_EQ(proto.offer().pickup().address(), "1 Market St");
  EXPECT_EQ(proto.offer().pickup().note(), "blue door");
  EXPECT_EQ(proto.offer().rider_display_name(), "Ann");
  EXPECT_EQ(proto.offer().product_id(), "xl");
  EXPECT_EQ(proto.offer().seats(), 5);
  EXPECT_EQ(proto.offer().fare().micros(), 9'000'000);
  EXPECT_EQ(proto.offer().pickup_eta().seconds(), 90);
  EXPECT_EQ(proto.offer().trip_duration().seconds(), 600);
  EXPECT_EQ(proto.offer().status(), v1::OFFER_STATUS_PENDING);
}

TEST(DriverCodec, EachStatusAndReasonHasItsWord) {
  const std::pair<DriverStatus, v1::DriverStatus> statuses[] = {{DriverStatus::kOffline, v1::DRIVER_STATUS_OFFLINE},
                                                                {DriverStatus::kAvailable, v1::DRIVER_STATUS_AVAILABLE},
                                                                {DriverStatus::kOffered, v1::DRIVER_STATUS_OFFERED},
                                                                {DriverStatus::kReserved, v1::DRIVER_STATUS_RESERVED},
                                                                {DriverStatus::kOnTrip, v1::DRIVER_STATUS_ON_TRIP}};
  for (const auto& [domain, proto] : statuses) EXPECT_EQ(ToProto(DriverState{.status = domain}).status(), proto);
  const std::pair<BlockedBy, v1::BlockedBy> blocks[] = {{BlockedBy::kNothing, v1::BLOCKED_BY_UNSPECIFIED},
                                                        {BlockedBy::kNotConnected, v1::BLOCKED_BY_NOT_CONNECTED},
                                                        {BlockedBy::kNotSynced, v1::BLOCKED_BY_NOT_SYNCED},
                                                        {BlockedBy::kStalePosition, v1::BLOCKED_BY_STALE_POSITION}};
  for (const auto& [domain, proto] : blocks) EXPECT_EQ(ToProto(DriverState{.blocked_by = domain}).blocked_by(), proto);
  for (const OfferStatus status : {OfferStatus::kPending, OfferStatus::kConfirming, OfferStatus::kAccepted,
                                   OfferStatus::kDeclined, OfferStatus::kExpired, OfferStatus::kRevoked}) {
    EXPECT_EQ(v1::OfferStatus_Name(ToProto(OfferUpdate{.status = status}).status()),
              "OFFER_STATUS_" + OfferStatusName(status));
  }
  for (const RevokeReason reason :
       {RevokeReason::kTaken, RevokeReason::kRideCanceled, RevokeReason::kSuperseded, RevokeReason::kWentOffline}) {
    EXPECT_EQ(v1::OfferRevokeReason_Name(ToProto(OfferUpdate{.reason = reason}).reason()),
              "OFFER_REVOKE_REASON_" + RevokeReasonName(reason));
  }
}

TEST(DriverCodec, EachMessageOfTheCoreIsOneOfTheStream) {
  const auto ride = std::make_shared<const RideView>(FromProto(MakeRide(type::v1::RIDE_STATE_ENROUTE_TO_PICKUP)));
  type::v1::RideEvent event;
  event.set_sequence(4);
  OfferView offer;
  offer.start = std::make_shared<const DispatchStart>();
  EXPECT_EQ(ToProto(DriverMessage(Snapshot{DriverState{.ride = ride}})).snapshot().ride().ride_id(), "r1");
  EXPECT_EQ(ToProto(DriverMessage(FromProto(event))).event().sequence(), 4);
  EXPECT_TRUE(ToProto(DriverMessage(offer)).has_offer());
  EXPECT_EQ(ToProto(DriverMessage(OfferUpdate{.offer_id = "o1"})).offer_update().offer_id(), "o1");
  EXPECT_EQ(ToProto(DriverMessage(CaughtUp{4})).caught_up().sequence(), 4);
  EXPECT_TRUE(ToProto(DriverMessage(Reset{})).has_start_over());
  EXPECT_TRUE(ToProto(DriverMessage(Replaced{})).has_replaced());
}

TEST(DriverCodec, PositionsCountFromTheirAge) {
  const absl::Time received = absl::FromUnixSeconds(1'700'000'000);
  type::v1::Position position;
  position.mutable_location()->set_latitude_deg(37.5);
  position.mutable_location()->set_longitude_deg(-122.5);
  position.set_speed_mps(13);
  position.set_heading_deg(90);
  position.set_accuracy_m(5);
  position.mutable_age()->set_seconds(2);
  position.set_position_seq(8);
  const absl::StatusOr<Fix> fix = FromProto(position, 77, received, "p");
  ASSERT_TRUE(fix.ok()) << fix.status();
  EXPECT_EQ(fix->point, (LatLng{37.5, -122.5}));
  EXPECT_EQ(fix->observed, received - absl::Seconds(2));
  EXPECT_EQ(fix->session_epoch, 77);
  EXPECT_EQ(fix->position_seq, 8u);
  EXPECT_EQ(fix->speed_mps, 13);

  position.mutable_age()->set_seconds(-1);
  EXPECT_EQ(FieldAtFault(FromProto(position, 77, received, "p").status()), "p.age");
  position.mutable_age()->set_seconds(std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(FieldAtFault(FromProto(position, 77, received, "p").status()), "p.age");
  position.clear_age();
  position.set_speed_mps(NAN);
  EXPECT_EQ(FieldAtFault(FromProto(position, 77, received, "p").status()), "p.speed_mps");
  EXPECT_EQ(FieldAtFault(FromProto(type::v1::Position(), 77, received, "p").status()).substr(0, 10), "p.location");
}

TEST(DriverCodec, ACursorIsARideAndANumberOrNothing) {
  v1::OpenSession open;
  EXPECT_EQ(*FromProto(open), std::nullopt);
  open.mutable_cursor();
  EXPECT_EQ(*FromProto(open), std::nullopt);
  open.mutable_cursor()->set_sequence(3);
  EXPECT_EQ(FieldAtFault(FromProto(open).status()), "cursor.ride_id");
  open.mutable_cursor()->set_ride_id("r1");
  EXPECT_EQ(**FromProto(open), (RideCursor{"r1", 3}));
  open.mutable_cursor()->set_sequence(-1);
  EXPECT_EQ(FieldAtFault(FromProto(open).status()), "cursor.sequence");
}

TEST(InternalCodec, AStartIsReadAndKept) {
  const absl::StatusOr<DispatchStart> start = FromProto(MakeStart());
  ASSERT_TRUE(start.ok()) << start.status();
  EXPECT_EQ(start->ride_id, "r1");
  EXPECT_EQ(start->epoch, 4);
  EXPECT_EQ(start->region_id, "sf");
  EXPECT_EQ(start->product_id, "xl");
  EXPECT_EQ(start->seats, 5);
  EXPECT_EQ(start->pickup, (LatLng{37.79, -122.39}));
  EXPECT_EQ(start->remaining, absl::Milliseconds(119500));
  EXPECT_EQ(start->offer_time, absl::Seconds(12));
  EXPECT_EQ(start->excluded_driver_ids, std::vector<std::string>{"d9"});
  EXPECT_EQ(*start->encoded, MakeStart().SerializeAsString());
}

TEST(InternalCodec, AStartThatMakesNoSenseIsRefused) {
  const std::pair<std::string, void (*)(internal::v1::StartDispatch&)> cases[] = {
      {"start.ride_id", [](internal::v1::StartDispatch& s) { s.clear_ride_id(); }},
      {"start.epoch", [](internal::v1::StartDispatch& s) { s.set_epoch(0); }},
      {"start.seats", [](internal::v1::StartDispatch& s) { s.set_seats(0); }},
      {"start.remaining", [](internal::v1::StartDispatch& s) { s.mutable_remaining()->set_nanos(2'000'000'000); }},
      {"start.offer_time", [](internal::v1::StartDispatch& s) { s.clear_offer_time(); }},
  };
  for (const auto& [field, spoil] : cases) {
    internal::v1::StartDispatch start = MakeStart();
    spoil(start);
    EXPECT_EQ(FieldAtFault(FromProto(start).status()), field);
  }
  internal::v1::StartDispatch nowhere = MakeStart();
  nowhere.clear_pickup();
  EXPECT_FALSE(FromProto(nowhere).ok());
}

TEST(InternalCodec, LinkMessages) {
  DispatchStarted started;
  started.ride_id = "r1";
  started.epoch = 2;
  EXPECT_EQ(ToProto(LinkMessage(started)).started().epoch(), 2);
  DispatchExhausted exhausted;
  exhausted.ride_id = "r1";
  EXPECT_EQ(ToProto(LinkMessage(exhausted)).exhausted().ride_id(), "r1");
  OfferSettled settled;
  settled.driver_id = "d1";
  settled.outcome = OfferStatus::kExpired;
  EXPECT_EQ(ToProto(LinkMessage(settled)).settled().outcome(), internal::v1::OFFER_OUTCOME_EXPIRED);
  settled.outcome = OfferStatus::kDeclined;
  EXPECT_EQ(ToProto(LinkMessage(settled)).settled().outcome(), internal::v1::OFFER_OUTCOME_DECLINED);
  EXPECT_EQ(ToProto(LinkMessage(settled)).settled().driver_id(), "d1");
  const internal::v1::DispatchResponse set = ToProto(LinkMessage(WorkingSet{{{"r1", 1}, {"r2", 5}}}));
  ASSERT_EQ(set.working_set().rides_size(), 2);
  EXPECT_EQ(set.working_set().rides(1).epoch(), 5);
  EXPECT_TRUE(ToProto(LinkMessage(WorkingSet{})).has_working_set());
  EXPECT_EQ(FromProto(internal::v1::STOP_REASON_TAKEN), StopReason::kTaken);
  EXPECT_EQ(FromProto(internal::v1::STOP_REASON_RIDE_CANCELED), StopReason::kRideCanceled);
  EXPECT_EQ(FromProto(internal::v1::STOP_REASON_UNSPECIFIED), StopReason::kSuperseded);
}

TEST(InternalCodec, Confirmations) {
  ConfirmCall call;
  call.offer_id = "o1";
  call.ride_id = "r1";
  call.epoch = 3;
  call.driver = {.driver_id = "d1", .display_name = "Dora", .vehicle = {.plate = "7ABC123", .seats = 4}};
  call.pickup_eta = absl::Seconds(90);
  const internal::v1::ConfirmAssignmentRequest request = ToProto(call);
  EXPECT_EQ(request.ride_id(), "r1");
  EXPECT_EQ(request.epoch(), 3);
  EXPECT_EQ(request.offer_id(), "o1");
  EXPECT_EQ(request.driver().display_name(), "Dora");
  EXPECT_EQ(request.driver().vehicle().plate(), "7ABC123");
  EXPECT_EQ(request.pickup_eta().seconds(), 90);
  EXPECT_EQ(ToProto(FindCall{1, "d1", "o1"}).offer_id(), "o1");
}

TEST(InternalCodec, TheFeed) {
  const internal::v1::WatchDriversRequest subscribe = SubscribeMessage("d1", 5, RideCursor{"r1", 3});
  EXPECT_EQ(subscribe.subscribe().subscription(), 5);
  EXPECT_EQ(subscribe.subscribe().cursor().sequence(), 3);
  EXPECT_FALSE(SubscribeMessage("d1", 5, std::nullopt).subscribe().has_cursor());
  EXPECT_EQ(UnsubscribeMessage("d1").unsubscribe().driver_id(), "d1");

  internal::v1::DriverSnapshot snapshot;
  snapshot.set_driver_id("d1");
  snapshot.set_subscription(5);
  snapshot.set_reset(true);
  snapshot.add_missed()->set_sequence(4);
  EXPECT_EQ(FromProto(snapshot).ride, nullptr);
  *snapshot.mutable_ride() = MakeRide(type::v1::RIDE_STATE_ENROUTE_TO_PICKUP);
  const FeedSnapshot read = FromProto(snapshot);
  EXPECT_EQ(read.subscription, 5);
  EXPECT_TRUE(read.reset);
  ASSERT_EQ(read.missed.size(), 1u);
  EXPECT_EQ(read.missed[0].ride->sequence, 4);
  EXPECT_TRUE(read.ride->live);

  internal::v1::DriverEvent event;
  event.set_driver_id("d1");
  event.set_subscription(5);
  event.mutable_event()->set_ride_id("r1");
  event.set_ended(true);
  EXPECT_TRUE(FromProto(event).ended);
  EXPECT_EQ(FromProto(event).event.ride->ride_id, "r1");
}

TEST(DriverCodec, PositionsAreCountedByWhyTheyWereLeftOut) {
  EXPECT_EQ(ToProto(PositionTally{.taken = 3}).left_out_size(), 0);
  const v1::UpdateLocationResponse all =
      ToProto(PositionTally{.taken = 1, .older = 2, .too_far = 3, .inaccurate = 4, .impossible = 5});
  EXPECT_EQ(all.accepted(), 1);
  std::map<v1::PositionLeftOutReason, int> counts;
  for (const v1::PositionsLeftOut& left_out : all.left_out()) counts[left_out.reason()] += left_out.count();
  EXPECT_EQ(counts, (std::map<v1::PositionLeftOutReason, int>{{v1::POSITION_LEFT_OUT_REASON_OLDER, 2},
                                                              {v1::POSITION_LEFT_OUT_REASON_TOO_FAR, 3},
                                                              {v1::POSITION_LEFT_OUT_REASON_INACCURATE, 4},
                                                              {v1::POSITION_LEFT_OUT_REASON_IMPOSSIBLE, 5}}));
}

TEST(InternalCodec, PositionsPassedOnGrowOlder) {
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  Fix fix{.point = {37.5, -122.5}, .session_epoch = 77, .position_seq = 8, .observed = now - absl::Seconds(3)};
  fix.speed_mps = 12;
  const RideView ride = FromProto(MakeRide(type::v1::RIDE_STATE_ENROUTE_TO_PICKUP));
  const internal::v1::DriverLocation location = ToProto("d1", ride, fix, now, absl::Seconds(60));
  EXPECT_EQ(location.ride_id(), "r1");
  EXPECT_EQ(location.epoch(), 2);
  EXPECT_EQ(location.session_epoch(), 77);
  EXPECT_EQ(location.position().age().seconds(), 3);
  EXPECT_EQ(location.position().speed_mps(), 12);
  EXPECT_FALSE(location.position().has_heading_deg());
  EXPECT_EQ(location.eta().seconds(), 60);

  const SeenCar car{"d1", {37.5, -122.5},   45, std::make_shared<const CarProfile>(CarProfile{"sf", {"economy"}, 4}),
                    250,  absl::Seconds(30)};
  const internal::v1::FoundDriver found = ToProto(car);
  EXPECT_EQ(found.heading_deg(), 45);
  EXPECT_EQ(found.product_ids(0), "economy");
  EXPECT_EQ(found.distance_m(), 250);
  EXPECT_EQ(found.position().longitude_deg(), -122.5);
  EXPECT_EQ(found.eta().seconds(), 30);
}

// ---- Between replicas

const absl::Time kSaid = absl::FromUnixSeconds(1'700'000'000);

// Encodes `message` and decodes it as another replica does, 1 s later.
ReplicaMessage ThereAndBack(const ReplicaMessage& message) {
  const auto decoded = ReplicaMessageFromBytes(ReplicaBytes("me", message, kSaid), kSaid + absl::Seconds(1));
  EXPECT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->first, "me");
  return decoded->second;
}

TEST(ReplicaCodec, Presences) {
  DriverPresence full;
  full.driver_id = "d1";
  full.session_epoch = 7;
  full.number = 12;
  full.offerable = full.on_map = true;
  full.car = std::make_shared<const CarProfile>(CarProfile{"sf", {"economy", "xl"}, 6});
  full.fix = Fix{.point = {37.5, -122.5},
                 .session_epoch = 6,
                 .position_seq = 99,
                 .observed = kSaid - absl::Seconds(4),
                 .heading_deg = 90.0f};
  DriverPresence bare;
  bare.driver_id = "d2";
  bare.session_epoch = 1;
  DriverPresence offered;
  offered.driver_id = "d3";
  offered.session_epoch = 1;
  offered.on_map = true;
  const auto decoded = std::get<Presences>(ThereAndBack(Presences{{full, bare, offered}}));
  ASSERT_EQ(decoded.drivers.size(), 3u);
  const DriverPresence& seen = decoded.drivers[0];
  EXPECT_EQ(seen.driver_id, "d1");
  EXPECT_EQ(seen.session_epoch, 7);
  EXPECT_EQ(seen.number, 12u);
  EXPECT_TRUE(seen.offerable);
  EXPECT_EQ(seen.car->region_id, "sf");
  EXPECT_EQ(seen.car->product_ids, full.car->product_ids);
  EXPECT_EQ(seen.car->seats, 6);
  EXPECT_EQ(seen.fix->point.latitude_deg, 37.5);
  EXPECT_EQ(seen.fix->session_epoch, 6);
  EXPECT_EQ(seen.fix->position_seq, 99u);
  EXPECT_EQ(seen.fix->observed, kSaid - absl::Seconds(3)) << "computed from its age, not from the sender's clock";
  EXPECT_EQ(seen.fix->heading_deg, 90.0f);
  EXPECT_FALSE(seen.fix->speed_mps.has_value());
  EXPECT_FALSE(decoded.drivers[1].fix.has_value());
  EXPECT_TRUE(seen.on_map);
  EXPECT_FALSE(decoded.drivers[1].offerable);
  EXPECT_FALSE(decoded.drivers[1].on_map);
  EXPECT_FALSE(decoded.drivers[2].offerable);
  EXPECT_TRUE(decoded.drivers[2].on_map);
}

TEST(ReplicaCodec, ClaimsAndStarts) {
  const auto claimed = std::get<SessionClaimed>(ThereAndBack(SessionClaimed{"d1", 7, true}));
  EXPECT_TRUE(claimed.by_stream);
  EXPECT_EQ(claimed.driver_id, "d1");
  EXPECT_EQ(claimed.epoch, 7);
  EXPECT_EQ(std::get<RideStarted>(ThereAndBack(RideStarted{{"r1", 3}})), (RideEpoch{"r1", 3}));
}

TEST(ReplicaCodec, Offers) {
  RemoteOfferRequest ask;
  ask.offer_id = "o1";
  ask.driver_id = "d1";
  ask.start = std::make_shared<const DispatchStart>(*FromProto(MakeStart()));
  ask.remaining = absl::Milliseconds(1500);
  ask.ride_waited = absl::Seconds(3);
  ask.repeated = true;
  const auto asked = std::get<RemoteOfferRequest>(ThereAndBack(ask));
  EXPECT_EQ(asked.offer_id, "o1");
  EXPECT_EQ(asked.driver_id, "d1");
  EXPECT_EQ(asked.start->ride_id, "r1");
  EXPECT_EQ(asked.start->epoch, 4);
  EXPECT_EQ(*asked.start->encoded, *ask.start->encoded);
  EXPECT_EQ(asked.remaining, ask.remaining);
  EXPECT_EQ(asked.ride_waited, ask.ride_waited);
  EXPECT_TRUE(asked.repeated);
  for (const RevokeReason reason : {RevokeReason::kNone, RevokeReason::kTaken, RevokeReason::kRideCanceled,
                                    RevokeReason::kSuperseded, RevokeReason::kWentOffline}) {
    EXPECT_EQ(std::get<OfferWithdraw>(ThereAndBack(OfferWithdraw{"o1", reason})).reason, reason);
    EXPECT_EQ(std::get<RemoteOfferStatus>(ThereAndBack(RemoteOfferStatus{"o1", OfferStatus::kRevoked, reason})).reason,
              reason);
  }
  for (const OfferStatus status : {OfferStatus::kPending, OfferStatus::kConfirming, OfferStatus::kAccepted,
                                   OfferStatus::kDeclined, OfferStatus::kExpired, OfferStatus::kRevoked}) {
    EXPECT_EQ(std::get<RemoteOfferStatus>(ThereAndBack(RemoteOfferStatus{"o1", status})).status, status);
  }
  for (const RemoteOfferRejectReason ending :
       {RemoteOfferRejectReason::kNone, RemoteOfferRejectReason::kNotFree, RemoteOfferRejectReason::kUnknown,
        RemoteOfferRejectReason::kNotReceived, RemoteOfferRejectReason::kDriverRefused,
        RemoteOfferRejectReason::kDispatchOver}) {
    const RemoteOfferStatus sent{"o1", OfferStatus::kRevoked, RevokeReason::kNone, ending};
    EXPECT_EQ(std::get<RemoteOfferStatus>(ThereAndBack(sent)).ending, ending);
  }
}

TEST(ReplicaCodec, WhatNoReplicaSaysIsRefused) {
  EXPECT_FALSE(ReplicaMessageFromBytes("\xff", kSaid).ok());
  EXPECT_FALSE(ReplicaMessageFromBytes("", kSaid).ok());
  EXPECT_FALSE(ReplicaMessageFromBytes(ReplicaBytes("", SessionClaimed{"d1", 7}, kSaid), kSaid).ok());
  RemoteOfferRequest ask;
  ask.offer_id = "o1";
  ask.start = std::make_shared<const DispatchStart>();
  EXPECT_FALSE(ReplicaMessageFromBytes(ReplicaBytes("me", ask, kSaid), kSaid).ok());
}

TEST(ReplicaCodec, WhatNoCoreCanWorkWithIsRefused) {
  const auto refused = [](const ReplicaMessage& message) {
    return !ReplicaMessageFromBytes(ReplicaBytes("me", message, kSaid), kSaid).ok();
  };
  EXPECT_TRUE(refused(SessionClaimed{"d1", 0}));
  EXPECT_TRUE(refused(SessionClaimed{"", 1}));
  EXPECT_TRUE(refused(RideStarted{{"r1", std::numeric_limits<std::int64_t>::min()}}));
  EXPECT_TRUE(refused(RideStarted{{"", 1}}));
  EXPECT_TRUE(refused(OfferWithdraw{""}));
  EXPECT_TRUE(refused(RemoteOfferStatus{"two words"}));
  const auto ask = [](std::int64_t epoch, absl::Duration remaining, absl::Duration waited) {
    internal::v1::StartDispatch start = MakeStart();
    start.set_epoch(epoch);
    RemoteOfferRequest ask;
    ask.offer_id = "o1";
    ask.driver_id = "d1";
    const auto encoded = std::make_shared<const std::string>(start.SerializeAsString());
    ask.start = std::make_shared<const DispatchStart>(DispatchStart{.encoded = encoded});
    ask.remaining = remaining;
    ask.ride_waited = waited;
    return ask;
  };
  EXPECT_FALSE(refused(ask(4, absl::Seconds(1), absl::Seconds(1))));
  EXPECT_TRUE(refused(ask(std::numeric_limits<std::int64_t>::max(), absl::Seconds(1), absl::Seconds(1))));
  EXPECT_TRUE(refused(ask(4, absl::InfiniteDuration(), absl::Seconds(1))));
  EXPECT_TRUE(refused(ask(4, absl::Seconds(1), absl::Seconds(-1))));
  Presences none{{DriverPresence{.driver_id = "d1", .session_epoch = 0}}};
  EXPECT_TRUE(std::get<Presences>(ThereAndBack(none)).drivers.empty());
}

}  // namespace
}  // namespace hail::driver
