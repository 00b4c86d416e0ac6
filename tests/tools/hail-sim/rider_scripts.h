// The sandbox's riders: what each of them does with a ride. The list is also the table in docs/sandbox.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "hail/type/v1/ride.pb.h"

namespace hail::sim {

struct RiderScript {
  const char* name;
  // For people.
  const char* outcome;
  // The rider cancels in this state. UNSPECIFIED: never.
  hail::type::v1::RideState cancels_in = hail::type::v1::RIDE_STATE_UNSPECIFIED;
  // Notes to the driver at pickup and drop-off.
  bool notes = false;
  // Orders the region's products in turn; otherwise the cheapest.
  bool each_product = false;
};

// How long a rider who cancels is in the state before (domain time).
inline constexpr absl::Duration kRiderCancelsAfter = absl::Seconds(5);

absl::Span<const RiderScript> RiderScripts();

// Null: there is no script of that name.
const RiderScript* FindRiderScript(std::string_view name);

// The script of request number `request`, from 0: `only`, or all in turn.
const RiderScript& ScriptOfRequest(const RiderScript* only, int request);

// How long after the ride came into `state` the rider cancels it. Nullopt: not in this state.
std::optional<absl::Duration> CancelsAfter(const RiderScript& script, hail::type::v1::RideState state);

// A Markdown table.
std::string RiderScriptsTable();

}  // namespace hail::sim
