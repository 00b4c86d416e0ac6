#include "rider-service/api/commit_log.h"

#include <string>
#include <string_view>

#include "common/logging/log.h"

namespace hail::rider {
namespace {

std::string_view EventName(RideEventType type) {
  switch (type) {
    case RideEventType::kRequested:
      return "requested";
    case RideEventType::kAssigned:
      return "assigned";
    case RideEventType::kAssignmentSeen:
      return "assignment_seen";
    case RideEventType::kArrivedAtPickup:
      return "arrived_at_pickup";
    case RideEventType::kStarted:
      return "started";
    case RideEventType::kCompleted:
      return "completed";
    case RideEventType::kRedispatched:
      return "redispatched";
    case RideEventType::kCanceled:
      return "canceled";
    case RideEventType::kUnfulfilled:
      return "unfulfilled";
    case RideEventType::kUnspecified:
      break;
  }
  return "unspecified";
}

std::string_view CanceledBy(const Ride& ride) {
  if (!ride.cancellation) return "";
  switch (ride.cancellation->actor) {
    case CancelActor::kRider:
      return "rider";
    case CancelActor::kDriver:
      return "driver";
    case CancelActor::kSystem:
      return ride.cancellation->reason == CancelReason::kOperator ? "operator" : "system";
    case CancelActor::kUnspecified:
      break;
  }
  return "unspecified";
}

std::vector<metrics::Counter> CountersByType(const metrics::CounterFamily& family) {
  std::vector<metrics::Counter> counters;
  for (int type = 0; type <= static_cast<int>(RideEventType::kUnfulfilled); ++type) {
    counters.push_back(family.Of({{"type", std::string(EventName(static_cast<RideEventType>(type)))}}));
  }
  return counters;
}

}  // namespace

CommitLog::CommitLog(metrics::Registry* registry)
    : events_(CountersByType(registry->Counters("ride_events_total", "Events committed, by type."))),
      match_seconds_(
          registry->Histograms("match_seconds", "From request to assignment, domain time.", metrics::WaitBounds())
              .Of()),
      pickup_wait_seconds_(registry
                               ->Histograms("pickup_wait_seconds",
                                            "From request to arrival at the pickup, domain time.",
                                            metrics::WaitBounds())
                               .Of()) {}

void CommitLog::OnCommitted(const Ride& ride, const RideEvent* event) {
  if (event == nullptr) return;
  events_.at(static_cast<std::size_t>(event->type)).Add();
  if (event->type == RideEventType::kAssigned && ride.assign_time) {
    match_seconds_.Observe(absl::ToDoubleSeconds(*ride.assign_time - ride.create_time));
  }
  if (event->type == RideEventType::kArrivedAtPickup && ride.arrive_time) {
    pickup_wait_seconds_.Observe(absl::ToDoubleSeconds(*ride.arrive_time - ride.create_time));
  }
  if (LogEnabled(LogLevel::kInfo)) {
    // Whose doing: CANCELED alone could be the rider's, the driver's or an operator's.
    Log(LogLevel::kInfo, "ride_" + std::string(EventName(event->type)),
        {{"ride_id", ride.ride_id},
         {"rider_id", ride.rider_id},
         {"request_id", ride.request_id},
         {"driver_id", event->driver_id},
         {"sequence", event->sequence},
         {"epoch", ride.epoch},
         {"canceled_by", CanceledBy(ride)}});
  }
}

}  // namespace hail::rider
