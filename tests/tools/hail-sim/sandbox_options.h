// The options of `hail-sim --sandbox`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/geo/lat_lng.h"
#include "tests/tools/hail-sim/options.h"
#include "tests/tools/hail-sim/rider_scripts.h"

namespace hail::sim {

// As given on the command line.
struct SandboxArguments {
  std::string driver;
  std::string rider_internal;
  std::string around;
  std::string rider_script;
  std::string run_id;
  double radius_m = 1'000;
  double every_s = 30;
  // Nullopt: not given.
  std::optional<int> drivers;
  int riders = 0;
  // Options that were given and have no meaning here.
  std::vector<std::string> foreign;
};

struct SandboxOptions {
  RunOptions run;
  // Where rides are read with their labels. Empty without drivers.
  std::string rider_internal_address;
  LatLng around;
  double radius_m = 0;
  int drivers = 0;
  int riders = 0;
  // Wall time between two requests of the scripted riders.
  absl::Duration every;
  // Null: all scripts in turn.
  const RiderScript* rider_script = nullptr;
};

inline constexpr int kSandboxDrivers = 8;

// `shared`: the options that a simulated city has, too, or their problem. INVALID_ARGUMENT lists all problems, one a
// line.
absl::StatusOr<SandboxOptions> CheckSandbox(const SandboxArguments& arguments,
                                            const absl::StatusOr<RunOptions>& shared);

}  // namespace hail::sim
