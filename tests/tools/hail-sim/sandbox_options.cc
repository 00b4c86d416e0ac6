#include "tests/tools/hail-sim/sandbox_options.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/tools/hail-sim/placement.h"

namespace hail::sim {
namespace {

// Beyond it a driver would be on the way for half an hour.
constexpr double kLargestRadiusM = 10'000;
constexpr int kMostPeople = 500;
constexpr double kLongestEveryS = 3'600;

}  // namespace

absl::StatusOr<SandboxOptions> CheckSandbox(const SandboxArguments& arguments,
                                            const absl::StatusOr<RunOptions>& shared) {
  SandboxOptions options;
  std::vector<std::string> problems;
  const auto require = [&](bool holds, std::string problem) {
    if (!holds) problems.push_back(std::move(problem));
  };
  options.drivers = arguments.drivers.value_or(arguments.riders == 0 ? kSandboxDrivers : 0);
  options.riders = arguments.riders;
  if (shared.ok()) {
    options.run = *shared;
  } else {
    problems.emplace_back(shared.status().message());
  }
  require(!arguments.driver.empty() || options.drivers == 0, "--driver is required with drivers");
  require(!arguments.rider_internal.empty() || options.drivers == 0,
          "--rider-internal is required with drivers: they do not see the labels of rides");
  require(options.drivers >= 0 && options.drivers <= kMostPeople,
          absl::StrCat("--drivers must be between 0 and ", kMostPeople));
  require(options.riders >= 0 && options.riders <= kMostPeople,
          absl::StrCat("--riders must be between 0 and ", kMostPeople));
  require(options.drivers != 0 || options.riders != 0, "there are neither drivers nor riders");
  if (arguments.around.empty()) {
    problems.emplace_back("--around is required");
  } else {
    const absl::StatusOr<LatLng> around = ParsePlace(arguments.around);
    if (around.ok()) options.around = *around;
    require(around.ok(), absl::StrCat("--around ", around.status().message()));
  }
  require(arguments.radius_m > 0 && arguments.radius_m <= kLargestRadiusM,
          absl::StrCat("--radius must be above 0 and at most ", kLargestRadiusM, " metres"));
  require(arguments.every_s > 0 && arguments.every_s <= kLongestEveryS,
          absl::StrCat("--every must be above 0 and at most ", kLongestEveryS, " seconds"));
  if (!arguments.rider_script.empty()) {
    options.rider_script = FindRiderScript(arguments.rider_script);
    require(options.rider_script != nullptr,
            absl::StrCat("--rider-script must be one of ",
                         absl::StrJoin(RiderScripts(), ", ", [](std::string* out, const RiderScript& script) {
                           absl::StrAppend(out, script.name);
                         })));
    require(options.riders != 0, "--rider-script has no meaning without --riders");
  }
  for (const std::string& option : arguments.foreign) problems.push_back(option + " has no meaning with --sandbox");
  if (!problems.empty()) return absl::InvalidArgumentError(absl::StrJoin(problems, "\n"));
  options.run.run_id = arguments.run_id.empty() ? "sandbox" : arguments.run_id;
  options.rider_internal_address = arguments.rider_internal;
  options.radius_m = arguments.radius_m;
  options.every = absl::Seconds(arguments.every_s);
  return options;
}

}  // namespace hail::sim
