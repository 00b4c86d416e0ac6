#include "rider-service/domain/view.h"

#include <optional>

namespace hail::rider {
namespace {

// That somebody felt unsafe is not for the one who frightened them. A reason of a later version may be as delicate.
bool IsPrivate(CancelReason reason) { return reason == CancelReason::kSafety || reason > CancelReason::kOperator; }

// A reason as `reader` may read what `writer` gave.
CancelReason ReasonFor(CancelActor reader, CancelActor writer, CancelReason reason) {
  return IsPrivate(reason) && writer != reader ? CancelReason::kUnspecified : reason;
}

// What `reader`, a rider or a driver, may read of a cancellation: of the other side's words, and of an operator's, no
// free text.
void KeepOwnWords(Ride& ride, CancelActor reader) {
  std::optional<Cancellation> cancellation = ride.cancellation();
  if (!cancellation) return;
  cancellation->reason = ReasonFor(reader, cancellation->actor, cancellation->reason);
  if (cancellation->actor != reader) cancellation->note.clear();
  ride.set_cancellation(*cancellation);
}

// Whose the event's reason is.
CancelActor ReasonGivenBy(const RideEvent& event) {
  if (const std::optional<Cancellation> cancellation = event.ride.cancellation()) return cancellation->actor;
  return IsSystemReason(event.reason()) ? CancelActor::kSystem : CancelActor::kDriver;
}

}  // namespace

Ride RideForRider(Ride ride) {
  KeepOwnWords(ride, CancelActor::kRider);
  ride.ShowTo(Viewer::kRider);
  return ride;
}

RideEvent EventForRider(const RideEvent& event) {
  RideEvent view;
  view.message = event.message;
  view.set_reason(ReasonFor(CancelActor::kRider, ReasonGivenBy(event), event.reason()));
  view.message.set_ended(false);
  view.ride = RideForRider(event.ride);
  return view;
}

Ride RideForDriver(Ride ride) {
  KeepOwnWords(ride, CancelActor::kDriver);
  ride.ShowTo(Viewer::kDriver);
  return ride;
}

RideEvent EventForDriver(const RideEvent& event) {
  RideEvent view;
  view.message = event.message;
  view.set_reason(ReasonFor(CancelActor::kDriver, ReasonGivenBy(event), event.reason()));
  view.ride = RideForDriver(event.former ? *event.former : event.ride);
  view.driver_id = event.driver_id;
  view.driver_sequence = event.driver_sequence;
  return view;
}

Ride RideForOperator(Ride ride) {
  ride.ShowTo(Viewer::kOperator);
  return ride;
}

}  // namespace hail::rider
