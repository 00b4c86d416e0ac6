// Any sequence of commands on one ride, with a clock that may run backwards: only legal transitions, consecutive event
// numbers, epochs and times that never fall, final states that stay, and a ride that is stored unchanged.
#include <optional>
#include <set>
#include <string>

#include "rider-service/codec/record_codec.h"
#include "tests/fuzz/ride_model.h"

namespace hail::fuzz {
namespace {

using rider::Ride;
using rider::RideChange;
using rider::RideEventType;
using rider::RideState;

// The table of transitions, written a second time.
bool Legal(RideState before, RideEventType event, RideState after) {
  const bool has_driver = before == RideState::kEnrouteToPickup || before == RideState::kArrivedAtPickup ||
                          before == RideState::kEnrouteToDropoff;
  switch (event) {
    case RideEventType::kAssigned:
      return before == RideState::kMatching && after == RideState::kEnrouteToPickup;
    case RideEventType::kAssignmentSeen:
      return has_driver && after == before;
    case RideEventType::kArrivedAtPickup:
      return before == RideState::kEnrouteToPickup && after == RideState::kArrivedAtPickup;
    case RideEventType::kStarted:
      return before == RideState::kArrivedAtPickup && after == RideState::kEnrouteToDropoff;
    case RideEventType::kCompleted:
      return before == RideState::kEnrouteToDropoff && after == RideState::kCompleted;
    case RideEventType::kRedispatched:
      return before == RideState::kEnrouteToPickup && after == RideState::kMatching;
    case RideEventType::kCanceled:
      return (has_driver || before == RideState::kMatching) && after == RideState::kCanceled;
    case RideEventType::kUnfulfilled:
      return before == RideState::kMatching && after == RideState::kNoDriversAvailable;
    case RideEventType::kWaiting:
      return (before == RideState::kArrivedAtPickup || before == RideState::kEnrouteToDropoff) && after == before;
    case RideEventType::kRequested:
    case RideEventType::kUnspecified:
      return false;
  }
  return false;
}

void CheckPresent(const Ride& ride) {
  if (HasLiveDriver(ride.state())) {
    Require(ride.driver() != nullptr && ride.assign_time() && !ride.offer_id().empty(),
            "a ride under way has a driver");
    Require(!ride.match_deadline() && !ride.message().has_end_time(), "a ride under way neither waits nor is over");
    for (const std::string& excluded : ride.excluded_driver_ids()) {
      Require(excluded != ride.driver()->driver_id(), "a driver who gave the ride up does not get it again");
    }
  }
  if (ride.state() == RideState::kMatching) {
    Require(ride.driver() == nullptr && ride.offer_id().empty() && ride.match_deadline() && !ride.assign_time(),
            "a waiting ride is free");
  }
  if (IsFinal(ride.state()))
    Require(ride.message().has_end_time() && !ride.match_deadline(), "a ride that is over has ended");
  Require((ride.state() == RideState::kCanceled) == ride.cancellation().has_value(), "a cancellation cancels");
  Require((ride.state() == RideState::kCompleted) == ride.message().fare().has_final(), "a completed ride is paid");

  const auto stored = rider::RideFromBytes(rider::RideBytes(ride), rider::InternalsBytes(ride));
  Require(stored.ok() && *stored == ride, "a ride is read as it was stored");
}

void CheckChange(const Ride& before, const RideChange& change) {
  const Ride& after = change.ride;
  if (!change.changed) {
    Require(!change.event && after == before, "without a change the ride is the same");
    return;
  }
  Require(!IsFinal(before.state()), "a ride that is over does not change");
  Require(after.ride_id() == before.ride_id() && after.rider_id() == before.rider_id() &&
              after.message().pickup().SerializeAsString() == before.message().pickup().SerializeAsString() &&
              after.quoted_fare() == before.quoted_fare(),
          "a ride stays the same ride");
  Require(after.update_time() >= before.update_time(), "a ride's times do not run backwards");
  if (!change.event) {
    Ride raised = before;
    raised.Edit()->set_epoch(raised.epoch() + 1);
    Require(before.state() == RideState::kMatching && after == raised, "without an event only the epoch rises");
    return;
  }
  const rider::RideEvent& event = *change.event;
  Require(after.sequence() == before.sequence() + 1 && event.sequence() == after.sequence(),
          "an event has the next number");
  Require(event.ride == after && event.ride_id() == after.ride_id(), "an event carries the ride after it");
  Require(event.event_time() == after.update_time(), "an event has the time of the change");
  Require(Legal(before.state(), event.type(), after.state()), "a transition is legal",
          StateName(before.state()) + " to " + StateName(after.state()));
  if (after.state() != before.state()) Require(!after.message().has_wait(), "a wait ends with its state");
  const bool redispatched = event.type() == RideEventType::kRedispatched;
  Require(after.epoch() == before.epoch() + (redispatched ? 1 : 0), "the epoch rises with a re-dispatch and only then");
  Require(redispatched == event.former.has_value(), "the former ride is kept of a re-dispatch");
  if (before.driver() != nullptr || after.driver() != nullptr) {
    const std::string& whose = (before.driver() != nullptr ? before : after).driver()->driver_id();
    Require(event.driver_id == whose, "an event names the driver it concerns");
    Require(event.ended() == (redispatched || IsFinal(after.state())), "an event says when the assignment is over");
  } else {
    Require(event.driver_id.empty() && !event.ended(), "an event without a driver names none");
  }

  const rider::ProtoEventCodec codec;
  const auto decoded = codec.Decode(codec.Encode(event));
  Require(decoded.ok() && decoded->sequence() == event.sequence() && decoded->driver_id == event.driver_id &&
              decoded->ended() == event.ended() && decoded->former.has_value() == event.former.has_value(),
          "an event is read from the bus as it was written");
}

void Live(Input& input) {
  rider::RideRules rules;
  rules.max_redispatches = input.Below(4);
  absl::Time now = kStart;
  Ride ride = AskedFor("ride-1", rules, now).ride;
  Require(ride.sequence() == 1 && ride.epoch() == 1 && ride.state() == RideState::kMatching, "a ride begins");
  CheckPresent(ride);
  for (int i = 0; i < 200 && !input.empty(); ++i) {
    now += absl::Seconds(input.Below(256) - 64);
    const auto change = AnyCommand(input, ride, rules, now);
    if (!change.ok()) {
      Require(!change.status().message().empty(), "a refusal says why");
      continue;
    }
    CheckChange(ride, *change);
    ride = change->ride;
    CheckPresent(ride);
  }
}

}  // namespace
}  // namespace hail::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  hail::fuzz::Input input(data, size);
  hail::fuzz::Live(input);
  return 0;
}
