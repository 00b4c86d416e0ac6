// hail-check: judges a run of hail-sim from what its clients saw and what the services stored.
#include <cstdio>
#include <iostream>
#include <string>

#include "CLI/CLI.hpp"
#include "tests/tools/hail-check/judge.h"

namespace {

constexpr int kUsage = 2;

nlohmann::ordered_json ToJson(const std::vector<hail::check::Verdict>& verdicts, bool holds) {
  nlohmann::ordered_json json;
  json["holds"] = holds;
  for (const hail::check::Verdict& verdict : verdicts) {
    json["verdicts"].push_back({{"rule", verdict.rule},
                                {"name", verdict.name},
                                {"examined", verdict.examined},
                                {"violations", verdict.violations},
                                {"examples", verdict.examples}});
  }
  return json;
}

}  // namespace

int main(int argc, char** argv) {
  std::string ledgers_directory;
  std::string rider_db;
  std::string driver_db;
  bool json = false;
  CLI::App app{
      "Judges a run of hail-sim by the promises of README.md: reads the ledgers and, after the "
      "services "
      "have shut down, both databases.\nExit status: 0 all holds, 1 something does not, 2 nothing could be judged.",
      "hail-check"};
  app.set_version_flag("--version", "hail-check " HAIL_VERSION);
  app.add_option("ledgers", ledgers_directory, "the directory given to hail-sim --ledger")->required();
  app.add_option("--rider-db", rider_db, "rider-service's database (rider.db)")->required();
  app.add_option("--driver-db", driver_db, "driver-service's database (driver.db)")->required();
  app.add_flag("--json", json, "print the verdict as JSON");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  const auto ledgers = hail::check::ReadLedgers(ledgers_directory);
  const auto stores = hail::check::ReadStores(rider_db, driver_db);
  for (const absl::Status& status : {ledgers.status(), stores.status()}) {
    if (status.ok()) continue;
    std::fprintf(stderr, "hail-check: %s\n", std::string(status.message()).c_str());
    return kUsage;
  }
  const std::vector<hail::check::Verdict> verdicts = hail::check::Judge(*ledgers, *stores);
  bool holds = true;
  for (const hail::check::Verdict& verdict : verdicts) holds = holds && verdict.violations == 0;
  if (json) {
    std::cout << ToJson(verdicts, holds).dump(2) << "\n";
    return holds ? 0 : 1;
  }
  std::printf("rule  %-60s %10s %10s\n", "", "examined", "violations");
  for (const hail::check::Verdict& verdict : verdicts) {
    std::printf("%4d  %-60s %10lld %10lld\n", verdict.rule, verdict.name.c_str(),
                static_cast<long long>(verdict.examined), static_cast<long long>(verdict.violations));
    for (const std::string& example : verdict.examples) std::printf("        %s\n", example.c_str());
  }
  std::printf("%zu rides, %zu events, %zu offers stored. %s\n", stores->rides.size(), stores->events.size(),
              stores->offers.size(), holds ? "All holds." : "Something does not hold.");
  return holds ? 0 : 1;
}
