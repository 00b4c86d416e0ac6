#include "rider-service/domain/view.h"

namespace hail::rider {
namespace {

void ClearInternals(Ride& ride) {
  ride.request_fingerprint.clear();
  ride.excluded_driver_ids.clear();
  ride.cancellation_terms = {};
}

}  // namespace

Ride RideForRider(Ride ride) {
  ride.offer_id.clear();
  ClearInternals(ride);
  return ride;
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

Ride RideForDriver(Ride ride) {
  ride.rider_id.clear();
  ride.request_id.clear();
  ride.quote_id.clear();
  ride.labels.clear();
  ClearInternals(ride);
  return ride;
}

RideEvent EventForDriver(const RideEvent& event) {
  RideEvent view = event;
  view.ride = RideForDriver(event.former ? *event.former : event.ride);
  view.former.reset();
  return view;
}

}  // namespace hail::rider
