#include "tests/tools/hail-sim/rider_scripts.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace hail::sim {
namespace {

namespace tpb = hail::type::v1;

constexpr RiderScript kScripts[] = {
    {.name = "ride", .outcome = "The rider takes the ride to its end."},
    {.name = "note", .outcome = "Pickup and drop-off have an address and a note to the driver.", .notes = true},
    {.name = "each-product",
     .outcome = "The rider orders the region's products in turn; the other scripts order the cheapest.",
     .each_product = true},
    {.name = "cancel-while-matching",
     .outcome = "The rider cancels 5 s after the request, unless a driver accepted before: the offer is withdrawn "
                "(RIDE_CANCELED).",
     .cancels_in = tpb::RIDE_STATE_MATCHING},
    {.name = "cancel-before-pickup",
     .outcome = "The rider cancels 5 s after the assignment, while the driver is on the way.",
     .cancels_in = tpb::RIDE_STATE_ENROUTE_TO_PICKUP},
    {.name = "cancel-at-pickup",
     .outcome = "The rider cancels 5 s after the driver arrived.",
     .cancels_in = tpb::RIDE_STATE_ARRIVED_AT_PICKUP},
};

}  // namespace

absl::Span<const RiderScript> RiderScripts() { return kScripts; }

const RiderScript* FindRiderScript(std::string_view name) {
  const auto* found = std::find_if(std::begin(kScripts), std::end(kScripts),
                                   [&](const RiderScript& script) { return name == script.name; });
  return found == std::end(kScripts) ? nullptr : found;
}

const RiderScript& ScriptOfRequest(const RiderScript* only, int request) {
  return only != nullptr ? *only : kScripts[static_cast<std::size_t>(request) % std::size(kScripts)];
}

std::optional<absl::Duration> CancelsAfter(const RiderScript& script, tpb::RideState state) {
  if (state == tpb::RIDE_STATE_UNSPECIFIED || state != script.cancels_in) return std::nullopt;
  return kRiderCancelsAfter;
}

std::string RiderScriptsTable() {
  std::string table = "| `--rider-script` | the rider |\n|---|---|\n";
  for (const RiderScript& script : kScripts)
    absl::StrAppend(&table, "| `", script.name, "` | ", script.outcome, " |\n");
  return table;
}

}  // namespace hail::sim
