#include "rider-service/domain/view.h"

namespace hail::rider {
namespace {

void PrepareFor(Viewer viewer, Ride& ride) {
  ride.viewer = viewer;
  ride.request_fingerprint.clear();
  ride.excluded_driver_ids.clear();
  ride.cancellation_terms = {};
  ride.unknown_internals.clear();
}

// That somebody felt unsafe is not for the one who frightened them. A reason of a later version may be as delicate.
bool IsPrivate(CancelReason reason) { return reason == CancelReason::kSafety || reason > CancelReason::kOperator; }

// A reason as `reader` may read what `writer` gave.
CancelReason ReasonFor(CancelActor reader, CancelActor writer, CancelReason reason) {
  return IsPrivate(reason) && writer != reader ? CancelReason::kUnspecified : reason;
}

// What `reader`, a rider or a driver, may read of a cancellation: of the other side's words, and of an operator's, no
// free text.
void KeepOwnWords(Ride& ride, CancelActor reader) {
  if (!ride.cancellation) return;
  Cancellation& cancellation = *ride.cancellation;
  cancellation.reason = ReasonFor(reader, cancellation.actor, cancellation.reason);
  if (cancellation.actor != reader) cancellation.note.clear();
}

// Whose the event's reason is.
CancelActor ReasonGivenBy(const RideEvent& event) {
  if (event.ride.cancellation) return event.ride.cancellation->actor;
  return IsSystemReason(event.reason) ? CancelActor::kSystem : CancelActor::kDriver;
}

}  // namespace

Ride RideForRider(Ride ride) {
  KeepOwnWords(ride, CancelActor::kRider);
  PrepareFor(Viewer::kRider, ride);
  return ride;
}

RideEvent EventForRider(const RideEvent& event) {
  RideEvent view = event;
  view.reason = ReasonFor(CancelActor::kRider, ReasonGivenBy(event), event.reason);
  view.ride = RideForRider(event.ride);
  view.driver_id.clear();
  view.driver_sequence = 0;
  view.ended = false;
  view.former.reset();
  return view;
}

Ride RideForDriver(Ride ride) {
  KeepOwnWords(ride, CancelActor::kDriver);
  PrepareFor(Viewer::kDriver, ride);
  return ride;
}

RideEvent EventForDriver(const RideEvent& event) {
  RideEvent view = event;
  view.reason = ReasonFor(CancelActor::kDriver, ReasonGivenBy(event), event.reason);
  view.ride = RideForDriver(event.former ? *event.former : event.ride);
  view.former.reset();
  return view;
}

Ride RideForOperator(Ride ride) {
  PrepareFor(Viewer::kOperator, ride);
  return ride;
}

}  // namespace hail::rider
