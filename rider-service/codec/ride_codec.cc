#include "rider-service/codec/ride_codec.h"

#include "rider-service/codec/visibility.h"

namespace hail::rider {
namespace {

namespace pb = hail::type::v1;

static_assert(static_cast<int>(RideState::kMatching) == pb::RIDE_STATE_MATCHING);
static_assert(static_cast<int>(RideState::kEnrouteToPickup) == pb::RIDE_STATE_ENROUTE_TO_PICKUP);
static_assert(static_cast<int>(RideState::kArrivedAtPickup) == pb::RIDE_STATE_ARRIVED_AT_PICKUP);
static_assert(static_cast<int>(RideState::kEnrouteToDropoff) == pb::RIDE_STATE_ENROUTE_TO_DROPOFF);
static_assert(static_cast<int>(RideState::kCompleted) == pb::RIDE_STATE_COMPLETED);
static_assert(static_cast<int>(RideState::kNoDriversAvailable) == pb::RIDE_STATE_NO_DRIVERS_AVAILABLE);
static_assert(static_cast<int>(RideState::kCanceled) == pb::RIDE_STATE_CANCELED);
static_assert(static_cast<int>(CancelActor::kSystem) == pb::CANCEL_ACTOR_SYSTEM);
static_assert(static_cast<int>(CancelReason::kOther) == pb::CANCEL_REASON_OTHER);
static_assert(static_cast<int>(CancelReason::kOperator) == pb::CANCEL_REASON_OPERATOR);
static_assert(static_cast<int>(RideEventType::kRequested) == pb::RIDE_EVENT_TYPE_REQUESTED);
static_assert(static_cast<int>(RideEventType::kUnfulfilled) == pb::RIDE_EVENT_TYPE_UNFULFILLED);

}  // namespace

void Encode(const Ride& ride, pb::Ride* out) {
  *out = ride.message();
  CutFor(ride.viewer(), out);
}

void Encode(const RideEvent& event, pb::RideEvent* out) {
  *out = event.message;
  *out->mutable_ride() = event.ride.message();
  CutFor(event.ride.viewer(), out);
}

RideState DecodeState(pb::RideState state) {
  return pb::RideState_IsValid(state) ? static_cast<RideState>(state) : RideState::kUnspecified;
}

CancelReason DecodeReason(pb::CancelReason reason) {
  return pb::CancelReason_IsValid(reason) ? static_cast<CancelReason>(reason) : CancelReason::kUnspecified;
}

}  // namespace hail::rider
