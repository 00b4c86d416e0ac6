// `hail-bench match`: how long rides wait under nearest first, under batches with windows, and at the optimum.
#pragma once

#include <string>
#include <vector>

namespace hail::bench {

struct MatchBenchOptions {
  // Where the recorded trips and traces are.
  std::string data = "../shared/data";
  // Which shares of the recorded fleets drive, 0 .. 1. Empty: all, and few enough to be scarce at the peak.
  std::vector<double> drivers_shares;
  // How often each replay is repeated, each time with other fractions of the recorded second or minute and, of a share,
  // other drivers.
  int seeds = 5;
  // Leave out the optimum, which takes most of the time.
  bool no_optimum = false;
  // Files to write; empty: none.
  std::string report;
  std::string svg;
};

// Prints a table, progress on stderr. The exit status: 0, or 2 where the data are absent or a file cannot be written.
int RunMatchBench(const MatchBenchOptions& options);

}  // namespace hail::bench
