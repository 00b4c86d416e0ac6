#include "tests/tools/hail-sim/ride_scripts.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace hail::sim {
namespace {

constexpr RideScript kScripts[] = {
    {.name = "accept",
     .outcome = "A driver accepts at once, drives to the pickup, waits 10 s, and drives to the drop-off."},
    {.name = "decline-3",
     .outcome = "Three drivers decline; the fourth accepts, and the ride goes on as with `accept`.",
     .declines = 3},
    {.name = "cancel-before-arrival",
     .outcome = "The driver gives the ride up halfway to the pickup. It is MATCHING again, and the next driver goes on "
                "as with `accept`.",
     .given_up = 1},
    {.name = "cancel-at-pickup",
     .outcome = "The driver arrives, and cancels the ride after 10 s: CANCELED by the driver.",
     .at_pickup = DriverAct::kGiveUp},
    {.name = "wait-at-pickup",
     .outcome =
         "The driver arrives, and reports that the rider is not there (`Ride.wait`). After a minute the ride goes on.",
     .at_pickup = DriverAct::kWait},
    {.name = "never-move",
     .outcome = "The driver accepts and stands still. The ride stays ENROUTE_TO_PICKUP until the rider cancels it.",
     .to_pickup = DriverAct::kStandStill},
    {.name = "no-driver",
     .outcome = "Every driver declines: NO_DRIVERS_AVAILABLE after `ride.match_deadline` (2 minutes).",
     .declines = std::numeric_limits<int>::max()},
};

}  // namespace

absl::Span<const RideScript> RideScripts() { return kScripts; }

const RideScript* FindRideScript(std::optional<std::string_view> label) {
  if (!label) return &kScripts[0];
  const auto* found = std::find_if(std::begin(kScripts), std::end(kScripts),
                                   [&](const RideScript& script) { return *label == script.name; });
  return found == std::end(kScripts) ? nullptr : found;
}

std::string RideScriptNames() {
  return absl::StrJoin(kScripts, ", ",
                       [](std::string* out, const RideScript& script) { absl::StrAppend(out, script.name); });
}

DriverAct NextAct(const RideScript& script, DriverPhase phase, const RideSoFar& so_far) {
  switch (phase) {
    case DriverPhase::kOffered:
      return so_far.declines < script.declines ? DriverAct::kDecline : DriverAct::kGoOn;
    case DriverPhase::kToPickup:
      return so_far.given_up < script.given_up ? DriverAct::kGiveUp : script.to_pickup;
    case DriverPhase::kAtPickup:
      return script.at_pickup;
  }
  return DriverAct::kGoOn;
}

std::string RideScriptsTable() {
  std::string table = "| `sandbox` | outcome |\n|---|---|\n";
  for (const RideScript& script : kScripts) {
    absl::StrAppend(&table, "| `", script.name, "`", &script == &kScripts[0] ? ", or no label" : "", " | ",
                    script.outcome, " |\n");
  }
  return table;
}

}  // namespace hail::sim
