// `hail-bench match`: how long rides wait with nearest first, with batches by window, and with the optimum.
#pragma once

#include <string>
#include <vector>

namespace hail::bench {

struct MatchBenchOptions {
  // The folder with the recorded trips and traces.
  std::string data = "../shared/data";
  // "sf" or "nyc"; empty: both.
  std::string only;
  // The shares of the recorded fleets that drive, 0 .. 1. The whole fleet is plenty; 70 % are too few at the peak.
  std::vector<double> drivers_shares = {1, 0.7};
  // The number of repetitions of each replay. Each has other fractions of the recorded second or minute and, if only a
  // share of the fleet drives, other drivers.
  int seeds = 5;
  // Drivers wait where they dropped off, instead of driving to places of recent requests.
  bool drivers_stay = false;
  // Leaves out the optimum, which takes most of the time.
  bool no_optimum = false;
  // Files to write; none if empty.
  std::string report;
  std::string svg;
};

// Prints a table, and progress on stderr. Returns the exit status: 0, or 2 if data are absent or a file cannot be
// written.
int RunMatchBench(const MatchBenchOptions& options);

}  // namespace hail::bench
