#include "tests/tools/hail-check/history.h"

#include <algorithm>

namespace hail::check {

std::string Text(const nlohmann::json& line, const char* field) {
  const auto value = line.find(field);
  return value != line.end() && value->is_string() ? value->get<std::string>() : "";
}

std::int64_t Number(const nlohmann::json& line, const char* field) {
  const auto value = line.find(field);
  return value != line.end() && value->is_number_integer() ? value->get<std::int64_t>() : 0;
}

std::string StateName(int state) {
  switch (state) {
    case kMatching:
      return "RIDE_STATE_MATCHING";
    case kEnroutePickup:
      return "RIDE_STATE_ENROUTE_TO_PICKUP";
    case kArrived:
      return "RIDE_STATE_ARRIVED_AT_PICKUP";
    case kEnrouteDropoff:
      return "RIDE_STATE_ENROUTE_TO_DROPOFF";
    case kCompleted:
      return "RIDE_STATE_COMPLETED";
    case kNoDrivers:
      return "RIDE_STATE_NO_DRIVERS_AVAILABLE";
    case kCanceled:
      return "RIDE_STATE_CANCELED";
    default:
      return "state " + std::to_string(state);
  }
}

std::string TypeName(int type) {
  switch (type) {
    case kRequested:
      return "RIDE_EVENT_TYPE_REQUESTED";
    case kAssigned:
      return "RIDE_EVENT_TYPE_ASSIGNED";
    case kSeen:
      return "RIDE_EVENT_TYPE_ASSIGNMENT_SEEN";
    case kArrivedEvent:
      return "RIDE_EVENT_TYPE_ARRIVED_AT_PICKUP";
    case kStarted:
      return "RIDE_EVENT_TYPE_STARTED";
    case kCompletedEvent:
      return "RIDE_EVENT_TYPE_COMPLETED";
    case kRedispatched:
      return "RIDE_EVENT_TYPE_REDISPATCHED";
    case kCanceledEvent:
      return "RIDE_EVENT_TYPE_CANCELED";
    case kUnfulfilled:
      return "RIDE_EVENT_TYPE_UNFULFILLED";
    case kWaiting:
      return "RIDE_EVENT_TYPE_WAITING";
    default:
      return "type " + std::to_string(type);
  }
}

History::History(const Ledgers& read_ledgers, const Stores& read_stores) : ledgers(read_ledgers), stores(read_stores) {
  for (const StoredRide& ride : stores.rides) rides[ride.ride_id] = &ride;
  for (const StoredEvent& event : stores.events) {
    events[event.ride_id].push_back(&event);
    if (!event.driver_id.empty()) driver_events[event.driver_id].push_back(&event);
  }
  for (auto& [ride, log] : events) {
    std::sort(log.begin(), log.end(), [](const auto* a, const auto* b) { return a->sequence < b->sequence; });
  }
  for (auto& [driver, log] : driver_events) {
    std::sort(log.begin(), log.end(),
              [](const auto* a, const auto* b) { return a->driver_sequence < b->driver_sequence; });
  }
  for (const nlohmann::json& line : ledgers.riders) {
    if (line["kind"] == "acknowledged") {
      acknowledged[{line["agent"], Text(line, "request_id")}].insert(Text(line, "ride_id"));
    }
  }
  // A run that ended by itself has a report; without one the simulator was killed.
  interrupted = true;
  for (const nlohmann::json& line : ledgers.plan) {
    if (line["kind"] != "report") continue;
    const auto said = line.find("interrupted");
    interrupted = said == line.end() || !said->is_boolean() || said->get<bool>();
  }
}

const StoredEvent* History::Event(const std::string& ride_id, std::int64_t sequence) const {
  const auto log = events.find(ride_id);
  if (log == events.end()) return nullptr;
  const auto event = std::find_if(log->second.begin(), log->second.end(),
                                  [&](const StoredEvent* stored) { return stored->sequence == sequence; });
  return event == log->second.end() ? nullptr : *event;
}

bool History::Assigned(const std::string& ride_id, std::int64_t epoch, const std::string& driver_id) const {
  const auto log = events.find(ride_id);
  if (log == events.end()) return false;
  return std::any_of(log->second.begin(), log->second.end(), [&](const StoredEvent* event) {
    return event->type == kAssigned && event->epoch == epoch && event->driver_id == driver_id;
  });
}

bool History::TakenBack(const std::string& ride_id, std::int64_t epoch, const std::string& driver_id) const {
  const auto log = events.find(ride_id);
  if (log == events.end()) return false;
  bool assigned = false;
  for (const StoredEvent* event : log->second) {
    if (event->type == kAssigned && event->epoch == epoch && event->driver_id == driver_id) {
      assigned = true;
    } else if (assigned && event->type != kSeen) {
      return event->type == kRedispatched || event->type == kCanceledEvent;
    }
  }
  return false;
}

}  // namespace hail::check
