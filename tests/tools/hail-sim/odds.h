// How badly people and phones behave, and how they use the API: all probabilities.
#pragma once

namespace hail::sim {

struct Odds {
  // Per offer: says no; does not answer.
  double decline = 0;
  double ignore = 0;
  // Per assignment: the driver gives it up, two in three times before arriving.
  double driver_cancel = 0;
  // Per ride: the rider calls it off, somewhere between the request and the trip's likely end.
  double rider_cancel = 0;
  // Per ride at the rider, per offer and per assignment at the driver: the connection drops once, and is resumed.
  double disconnect = 0;
  // Per trip: the driver takes a break after it, a few minutes offline.
  double pause = 0.01;
  // Per command: the unary twin is called instead of the stream's command.
  double unary = 0.1;
  // Per ride: WatchRide and CancelRide instead of StreamRide.
  double watch = 0.5;
};

}  // namespace hail::sim
