#include "rider-service/domain/view.h"

#include <optional>

namespace hail::rider {
namespace {

// A person who felt unsafe must not be exposed to the other side. Reasons of a later version may be as sensitive.
bool IsPrivate(CancelReason reason) { return reason == CancelReason::kSafety || reason > CancelReason::kOperator; }

// The reason of `writer` as `reader` may read it.
CancelReason ReasonFor(CancelActor reader, CancelActor writer, CancelReason reason) {
  return IsPrivate(reason) && writer != reader ? CancelReason::kUnspecified : reason;
}

// Reduces a cancellation to what `reader`, a rider or a driver, may read: no free text of the other side or an
// operator.
void KeepOwnWords(Ride& ride, CancelActor reader) {
  std::optional<Cancellation> cancellation = ride.cancellation();
  if (!cancellation) return;
  cancellation->reason = ReasonFor(reader, cancellation->actor, cancellation->reason);
  if (cancellation->actor != reader) cancellation->note.clear();
  ride.set_cancellation(*cancellation);
}

// The actor who gave the event's reason.
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
