#include "rider-service/api/commit_log.h"

#include <iterator>
#include <optional>
#include <string>
#include <string_view>

#include "absl/strings/ascii.h"
#include "common/logging/log.h"
#include "common/logging/person_tag.h"

namespace hail::rider {
namespace {

// The name in logs and metrics.
std::string NameOf(RideEventType type) { return absl::AsciiStrToLower(EventName(type)); }

std::string_view CanceledBy(const Ride& ride) {
  const std::optional<Cancellation> cancellation = ride.cancellation();
  if (!cancellation) return "";
  switch (cancellation->actor) {
    case CancelActor::kRider:
      return "rider";
    case CancelActor::kDriver:
      return "driver";
    case CancelActor::kSystem:
      return cancellation->reason == CancelReason::kOperator ? "operator" : "system";
    case CancelActor::kUnspecified:
      break;
  }
  return "unspecified";
}

std::vector<metrics::Counter> CountersByType(const metrics::CounterFamily& family) {
  std::vector<metrics::Counter> counters;
  for (int type = 0; type <= static_cast<int>(std::rbegin(kEvents)->type); ++type) {
    counters.push_back(family.Of({{"type", NameOf(static_cast<RideEventType>(type))}}));
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
  events_.at(static_cast<std::size_t>(event->type())).Add();
  if (event->type() == RideEventType::kAssigned && ride.assign_time()) {
    match_seconds_.Observe(absl::ToDoubleSeconds(*ride.assign_time() - ride.create_time()));
  }
  if (event->type() == RideEventType::kArrivedAtPickup && ride.arrive_time()) {
    pickup_wait_seconds_.Observe(absl::ToDoubleSeconds(*ride.arrive_time() - ride.create_time()));
  }
  if (LogEnabled(LogLevel::kInfo)) {
    // The state alone does not show the actor: CANCELED may come from the rider, the driver or an operator.
    Log(LogLevel::kInfo, "ride_" + NameOf(event->type()),
        {{"ride_id", ride.ride_id()},
         {"rider", PersonTag(ride.rider_id())},
         {"driver", PersonTag(event->driver_id)},
         {"sequence", event->sequence()},
         {"epoch", ride.epoch()},
         {"canceled_by", CanceledBy(ride)}});
  }
}

}  // namespace hail::rider
