// The misbehaviour of people and phones, and their use of the API: all probabilities.
#pragma once

namespace hail::sim {

struct Odds {
  // Per offer: the driver declines it; the driver does not answer.
  double decline = 0;
  double ignore = 0;
  // Per assignment: the driver gives it up, in two of three cases before arriving.
  double driver_cancel = 0;
  // Per ride: the rider cancels it, at some time between the request and the trip's likely end.
  double rider_cancel = 0;
  // Per ride at the rider, per offer and per assignment at the driver: the connection drops once, and is resumed.
  double disconnect = 0;
  // Per trip: afterwards the driver takes a break, a few minutes offline.
  double pause = 0.01;
  // Per command: the unary twin is called instead of the stream's command.
  double unary = 0.1;
  // Per driver: the app receives by WatchDriver and sends by unary calls alone, as a page in a browser does.
  double driver_watch = 0.1;
  // Per ride: WatchRide and CancelRide instead of StreamRide.
  double watch = 0.5;
};

}  // namespace hail::sim
