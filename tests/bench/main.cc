// hail-bench: measurements in one process, without the services.
#include "CLI/CLI.hpp"
#include "tests/bench/match_bench.h"

int main(int argc, char** argv) {
  constexpr int kUsage = 2;
  CLI::App app{"Measurements within one process. Exit status: 0, or 2 if nothing could be measured.", "hail-bench"};
  app.set_version_flag("--version", "hail-bench " HAIL_VERSION);
  app.require_subcommand(1);
  hail::bench::MatchBenchOptions options;
  CLI::App* match = app.add_subcommand(
      "match",
      "Replays a recorded day of San Francisco and an hour of New York against nearest-first matching, batches with "
      "windows, and the optimum per window. Domain time only: the same seeds give the same figures.");
  match->add_option("--data", options.data, "folder with the recorded trips and traces")->capture_default_str();
  match->add_option("--only", options.only, "sf or nyc")->check(CLI::IsMember({"sf", "nyc"}));
  match
      ->add_option("--drivers-share", options.drivers_shares,
                   "which share of the recorded fleet drives; may be repeated")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  match
      ->add_option("--seeds", options.seeds,
                   "how often each replay is repeated, with other fractions of recorded times")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  match->add_flag("--drivers-stay", options.drivers_stay,
                  "drivers wait where they dropped off, instead of making for where rides were asked for lately");
  match->add_flag("--no-optimum", options.no_optimum, "leave out the optimum per window, which takes most of the time");
  match->add_option("--report", options.report, "file for the report (JSON)");
  match->add_option("--svg", options.svg, "file for the plot (SVG)");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  return hail::bench::RunMatchBench(options);
}
