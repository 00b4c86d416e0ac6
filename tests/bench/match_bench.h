// `hail-bench match`: how long rides wait under nearest first, under batches with windows, and at the optimum.
#pragma once

#include <string>
#include <vector>

namespace hail::bench {

struct MatchBenchOptions {
  // Where the recorded trips and traces are.
  std::string data = "../shared/data";
  // "sf" or "nyc"; empty: both.
  std::string only;
  // Which shares of the recorded fleets drive, 0 .. 1. Of all there are plenty; seven in ten are too few at the peak.
  std::vector<double> drivers_shares = {1, 0.7};
  // How often each replay is repeated, each time with other fractions of the recorded second or minute and, of a share,
  // other drivers.
  int seeds = 5;
  // Drivers wait where they dropped off, instead of making for where rides were asked for lately.
  bool drivers_stay = false;
  // Leave out the optimum, which takes most of the time.
  bool no_optimum = false;
  // Files to write; empty: none.
  std::string report;
  std::string svg;
};

// Prints a table, progress on stderr. The exit status: 0, or 2 where the data are absent or a file cannot be written.
int RunMatchBench(const MatchBenchOptions& options);

}  // namespace hail::bench
