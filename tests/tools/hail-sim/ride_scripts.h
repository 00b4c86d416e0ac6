// The sandbox's drivers: what the label `sandbox` of a ride makes them do. The list is also the table in
// docs/sandbox.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/types/span.h"

namespace hail::sim {

// The label's key.
inline constexpr std::string_view kSandboxLabel = "sandbox";

// Where a driver has a choice.
enum class DriverPhase { kOffered, kToPickup, kAtPickup };

enum class DriverAct {
  // Accepts, drives, lets the rider in: whatever comes next.
  kGoOn,
  kDecline,
  // Halfway to the pickup, or at it.
  kGiveUp,
  // Stays in place, and goes on reporting the position.
  kStandStill,
  // Reports that the rider is not there, and goes on later.
  kWait,
};

struct RideScript {
  const char* name;
  // For people.
  const char* outcome;
  // The first so many drivers decline.
  int declines = 0;
  // The first so many drivers give the ride up on the way to the pickup.
  int given_up = 0;
  DriverAct to_pickup = DriverAct::kGoOn;
  DriverAct at_pickup = DriverAct::kGoOn;
};

// All scripts; the first is that of rides without the label.
absl::Span<const RideScript> RideScripts();

// The script of a ride with this label. Null: there is no script of that name.
const RideScript* FindRideScript(std::optional<std::string_view> label);

// The names of all scripts, with commas between.
std::string RideScriptNames();

// A ride's past.
struct RideSoFar {
  // Drivers who declined it, and drivers who gave it up.
  int declines = 0;
  int given_up = 0;
};

// What the driver does who is in `phase` of the ride.
DriverAct NextAct(const RideScript& script, DriverPhase phase, const RideSoFar& so_far);

// A Markdown table.
std::string RideScriptsTable();

}  // namespace hail::sim
