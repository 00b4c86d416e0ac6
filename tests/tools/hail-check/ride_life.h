// A ride's life for the judges of a run: hail-check and the judge of the simulation. Written independently of
// rider-service's table, so that it can find faults in it.
#pragma once

namespace hail::check {

// hail.type.v1.RideState and RideEventType, as numbers in the store.
enum State {
  kMatching = 2,
  kEnroutePickup = 3,
  kArrived = 4,
  kEnrouteDropoff = 5,
  kCompleted = 7,
  kNoDrivers = 8,
  kCanceled = 9
};
enum Type {
  kRequested = 1,
  kAssigned = 2,
  kSeen = 3,
  kArrivedEvent = 4,
  kStarted = 5,
  kCompletedEvent = 6,
  kRedispatched = 7,
  kCanceledEvent = 8,
  kUnfulfilled = 9,
  kWaiting = 10
};

constexpr bool IsFinal(int state) { return state == kCompleted || state == kNoDrivers || state == kCanceled; }
constexpr bool HasDriver(int state) { return state == kEnroutePickup || state == kArrived || state == kEnrouteDropoff; }

// Whether an event of that type may lead from state `from` to state `to`; `from` 0 is the beginning of the ride.
constexpr bool IsLegal(int type, int from, int to) {
  switch (type) {
    case kRequested:
      return from == 0 && to == kMatching;
    case kAssigned:
      return from == kMatching && to == kEnroutePickup;
    case kSeen:
      return from == kEnroutePickup && to == from;
    case kArrivedEvent:
      return from == kEnroutePickup && to == kArrived;
    case kStarted:
      return from == kArrived && to == kEnrouteDropoff;
    case kCompletedEvent:
      return from == kEnrouteDropoff && to == kCompleted;
    case kRedispatched:
      return from == kEnroutePickup && to == kMatching;
    case kCanceledEvent:
      return (from == kMatching || HasDriver(from)) && to == kCanceled;
    case kUnfulfilled:
      return from == kMatching && to == kNoDrivers;
    case kWaiting:
      return (from == kArrived || from == kEnrouteDropoff) && to == from;
    default:
      return false;
  }
}

}  // namespace hail::check
