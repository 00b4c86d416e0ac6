#include "rider-service/domain/view.h"

namespace hail::rider {
namespace {

void ClearInternals(Ride& ride) {
  ride.request_fingerprint.clear();
  ride.excluded_driver_ids.clear();
  ride.cancellation_terms = {};
}

}  // namespace

Ride RideForRider(const Ride& ride) {
  Ride view = ride;
  view.offer_id.clear();
  ClearInternals(view);
  return view;
}

RideEvent EventForRider(const RideEvent& event) {
  RideEvent view = event;
  view.ride = RideForRider(event.ride);
  view.driver_id.clear();
  view.driver_sequence = 0;
  view.ended = false;
  view.former.reset();
  return view;
}

Ride RideForDriver(const Ride& ride) {
  Ride view = ride;
  view.rider_id.clear();
  view.request_id.clear();
  view.quote_id.clear();
  view.labels.clear();
  ClearInternals(view);
  return view;
}

RideEvent EventForDriver(const RideEvent& event) {
  RideEvent view = event;
  view.ride = RideForDriver(event.former ? *event.former : event.ride);
  view.former.reset();
  return view;
}

}  // namespace hail::rider
