// hail-load: an overload of requests, from a separate process.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "common/rpc/tls.h"
#include "tests/tools/hail-load/authorize.h"
#include "tests/tools/hail-load/connections.h"
#include "tests/tools/hail-load/fleet.h"
#include "tests/tools/hail-load/offers.h"
#include "tests/tools/hail-load/overload.h"
#include "tests/tools/hail-load/position_load.h"
#include "tests/tools/hail-load/reach.h"
#include "tests/tools/hail-load/request_load.h"
#include "tests/tools/hail-load/watch_load.h"
#include "tests/tools/hail-load/watched_process.h"
#include "tests/tools/tls_options.h"

namespace {

constexpr int kUsage = 2;

// Parses texts of the form NAME=PID.
bool ParseProcesses(const std::vector<std::string>& texts, std::vector<hail::load::WatchedProcess>& processes) {
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    hail::load::WatchedProcess process;
    if (equals == std::string::npos || !absl::SimpleAtoi(text.substr(equals + 1), &process.pid)) return false;
    process.name = text.substr(0, equals);
    processes.push_back(process);
  }
  return true;
}

int Conclude(const absl::StatusOr<hail::load::Judged>& judged, const std::string& report_file) {
  if (!judged.ok()) {
    std::cerr << "hail-load: " << std::string(judged.status().message()) << "\n";
    return kUsage;
  }
  const std::string report = judged->report.dump(2) + "\n";
  std::cout << report << std::flush;
  if (!report_file.empty()) std::ofstream(report_file) << report;
  for (const std::string& complaint : judged->complaints) std::cerr << "hail-load: " << complaint << "\n";
  return judged->complaints.empty() ? 0 : 1;
}

// Makes the rider ids of different runs differ.
std::string RunId() { return absl::StrCat("load-", absl::ToUnixMillis(absl::Now())); }

int Print(const hail::load::Answers& answers) {
  nlohmann::ordered_json report = {{"per_second", answers.per_second}, {"failed", answers.failed}};
  for (const auto& [name, share] : {std::pair("p50", 0.5), {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}}) {
    report[absl::StrCat(name, "_ms")] = absl::ToDoubleMilliseconds(answers.took.Quantile(share));
  }
  std::cout << report.dump() << "\n";
  return answers.took.count() > 0 ? 0 : 1;
}

nlohmann::ordered_json Milliseconds(const hail::load::Histogram& histogram) {
  nlohmann::ordered_json quantiles;
  for (const auto& [name, share] : {std::pair("p50", 0.5), {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}}) {
    quantiles[absl::StrCat(name, "_ms")] = absl::ToDoubleMilliseconds(histogram.Quantile(share));
  }
  return quantiles;
}

int Print(const hail::load::Offers& offers) {
  const nlohmann::ordered_json report = {
      {"offer", Milliseconds(offers.offer)},   {"position", Milliseconds(offers.position)},
      {"answer", Milliseconds(offers.answer)}, {"offers", offers.offer.count()},
      {"positions", offers.position.count()},  {"failed", offers.failed},
      {"without_offer", offers.without_offer}};
  std::cout << report.dump() << "\n";
  return offers.offer.count() > 0 ? 0 : 1;
}

int Print(const hail::load::Watches& watches) {
  const nlohmann::ordered_json report = {{"arrival", Milliseconds(watches.arrival)},
                                         {"events", watches.arrival.count()},
                                         {"missing", watches.missing},
                                         {"kib_per_watch", watches.kib_per_watch}};
  std::cout << report.dump() << "\n";
  return watches.missing == 0 ? 0 : 1;
}

absl::Duration SecondsOf(double seconds) { return absl::Seconds(seconds); }

}  // namespace

int main(int argc, char** argv) {
  // As the services do, because Debian's abseil is built for debugging.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  CLI::App app{
      "Loads Hail's public API as people do who do not know of each other: calls are sent when their time has come, "
      "whatever became of those before, and latencies count from that instant.\n"
      "Exit status: 0 all that is promised held; 1 something did not; 2 the load could not be played.",
      "hail-load"};
  app.set_version_flag("--version", "hail-load " HAIL_VERSION);
  app.require_subcommand(1);
  // The options before the command are accepted after it, too.
  app.fallthrough();
  hail::TokenSource::Options tokens;
  app.add_option("--token-key", tokens.key,
                 "folder of a key (hailctl token), or its file, that signs a token for each rider and driver");
  app.add_option("--token-file", tokens.file,
                 "file with one token for all calls, a server's; read again when it changes");
  hail::rpc::ChannelTls tls;
  hail::AddTlsOptions(app, &tls);
  std::vector<std::string> processes;
  std::string report;
  std::string svg;
  const auto common = [&](CLI::App* command) {
    command->add_option("--watch", processes, "NAME=PID of a process whose memory and processor time are watched");
    command->add_option("--report", report, "file for the report (JSON), which is printed too");
    command->add_option("--svg", svg, "file for a plot (SVG)");
  };
  const auto seconds = [](CLI::App* command, const char* name, absl::Duration& value, const char* what) {
    command
        ->add_option_function<double>(
            name, [&value](double given) { value = SecondsOf(given); }, what)
        ->check(CLI::PositiveNumber);
  };

  hail::load::OverloadPlan overload;
  CLI::App* const requests = app.add_subcommand(
      "overload", "Measures how many RequestRide calls a second are answered, then sends twice as many.");
  requests->add_option("--rider", overload.rider_address, "rider-service's public address")->required();
  requests->add_option("--connections", overload.connections, "connections")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  requests->add_option("--callers", overload.callers, "calls in flight while the capacity is measured")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  requests->add_option("--factor", overload.factor, "how many times the capacity is sent")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  seconds(requests, "--deadline", overload.deadline, "seconds a call may take. Default: 1");
  seconds(requests, "--measure", overload.measure, "seconds for measuring the capacity. Default: 10");
  seconds(requests, "--length", overload.overload, "seconds of overload. Default: 60");
  seconds(requests, "--after", overload.after, "seconds of a little load after it. Default: 15");
  common(requests);

  hail::load::FleetPlan fleet;
  CLI::App* const drivers = app.add_subcommand("fleet", "A fleet that loses its connections and comes back at once.");
  drivers->add_option("--rider", fleet.rider_address, "rider-service's public address")->required();
  drivers->add_option("--driver", fleet.driver_address, "driver-service's public address")->required();
  drivers->add_option("--driver-metrics", fleet.driver_metrics, "driver-service's metrics_listen")->required();
  drivers->add_option("--drivers", fleet.drivers, "how many")->check(CLI::Range(1, 100'000))->capture_default_str();
  drivers->add_option("--connections", fleet.connections, "connections they share")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  drivers->add_option("--rides", fleet.rides, "rides under way")->check(CLI::Range(1, 10'000))->capture_default_str();
  drivers->add_option("--kill", fleet.kill,
                      "process of driver-service to kill, instead of cutting the connections; another program must "
                      "start it again at the same address");
  seconds(drivers, "--within", fleet.within, "seconds over which they come back. Default: 1");
  seconds(drivers, "--back-within", fleet.back_within, "seconds after which all must be back. Default: 30");
  common(drivers);

  std::string rider;
  int connections = 8;
  int callers = 64;
  double length = 5;
  double warm_up = 2;
  int calls = 20;
  const auto many = [&](CLI::App* command) {
    command->add_option("--connections", connections, "connections")->check(CLI::Range(1, 1000))->capture_default_str();
    command->add_option("--length", length, "seconds that count")->check(CLI::PositiveNumber)->capture_default_str();
    command->add_option("--warm-up", warm_up, "seconds before them")->capture_default_str();
  };
  CLI::App* const rides = app.add_subcommand("rides", "RequestRide in a closed loop: how many a second, and how long.");
  rides->add_option("--rider", rider, "rider-service's public address")->required();
  rides->add_option("--callers", callers, "calls in flight")->check(CLI::Range(1, 10'000))->capture_default_str();
  many(rides);
  int quoting = 256;
  CLI::App* const quotes = app.add_subcommand("quotes", "QuoteRide in a closed loop: how many a second, and how long.");
  quotes->add_option("--rider", rider, "rider-service's public address")->required();
  quotes->add_option("--callers", callers, "calls in flight")->check(CLI::Range(1, 10'000))->capture_default_str();
  quotes->add_option("--riders", quoting, "riders who call in turn, each with one token")
      ->check(CLI::Range(1, 50'000))
      ->capture_default_str();
  many(quotes);
  double rate = 1000;
  CLI::App* const paced = app.add_subcommand("paced", "RequestRide at a fixed rate, whatever comes back.");
  paced->add_option("--rider", rider, "rider-service's public address")->required();
  paced->add_option("--rate", rate, "calls a second")->check(CLI::PositiveNumber)->required();
  many(paced);
  CLI::App* const spaced = app.add_subcommand("spaced", "RequestRide calls a second apart.");
  spaced->add_option("--rider", rider, "rider-service's public address")->required();
  spaced->add_option("--calls", calls, "how many")->check(CLI::Range(1, 1000))->capture_default_str();
  hail::load::PositionPlan positions;
  CLI::App* const moves = app.add_subcommand("positions", "Positions over drivers' streams, as fast as they are read.");
  moves->add_option("--driver", positions.driver_address, "driver-service's public address")->required();
  moves->add_option("--drivers", positions.drivers, "how many")->check(CLI::Range(1, 100'000))->capture_default_str();
  moves->add_option("--per-message", positions.per_message, "positions in a message")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  moves->add_option("--rate", positions.rate, "positions a second of all together. Default: as fast as they are read")
      ->check(CLI::PositiveNumber);
  moves->add_option("--watch", processes, "NAME=PID of the server, to tell what it spends");
  moves->add_flag("!--floor", positions.register_drivers, "the other end is hail-floor: register nobody");
  many(moves);

  hail::load::ReachPlan reach;
  CLI::App* const reaching = app.add_subcommand(
      "reach", "How long a driver's position takes from one replica of driver-service into the others' indexes.");
  reaching->add_option("--driver", reach.driver_address, "public address of the driver's replica")->required();
  reaching->add_option("--index", reach.indexes, "internal address of a replica that is to find it")->required();
  reaching->add_option("--positions", reach.positions, "how many")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();

  hail::load::OffersPlan offers;
  CLI::App* const road = app.add_subcommand(
      "offers", "A fleet on the road: how long until a request is a driver's offer, and a position with the rider.");
  road->add_option("--rider", offers.rider_address, "rider-service's public address")->required();
  road->add_option("--driver", offers.driver_address, "driver-service's public address")->required();
  road->add_option("--drivers", offers.drivers, "how many")->check(CLI::Range(1, 100'000))->capture_default_str();
  road->add_option("--rate", offers.rate, "requests a second")->check(CLI::PositiveNumber)->capture_default_str();
  road->add_option("--watched", offers.watched, "rides with a rider watching")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  seconds(road, "--beat", offers.beat, "seconds between a driver's positions. Default: 4");
  seconds(road, "--length", offers.length, "seconds that count. Default: 20");

  hail::load::WatchPlan watches;
  CLI::App* const watching = app.add_subcommand(
      "watches", "Riders who watch their rides: the memory of a watch, and how long an event takes to arrive.");
  watching->add_option("--rider", watches.rider_address, "address of rider-service or the edge")->required();
  watching->add_option("--watches", watches.watches, "how many")->check(CLI::Range(1, 100'000))->capture_default_str();
  watching->add_option("--connections", watches.connections, "connections they share")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  watching->add_option("--rate", watches.rate, "rides canceled a second")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  seconds(watching, "--length", watches.length, "seconds of cancelations. Default: 10");
  watching->add_option("--watch", processes, "NAME=PID of a process whose memory is measured");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  std::signal(SIGPIPE, SIG_IGN);
  const auto source = hail::TokenSource::Make(tokens);
  if (!source.ok()) {
    std::cerr << "hail-load: " << std::string(source.status().message()) << "\n";
    return kUsage;
  }
  hail::load::SetTokens(*source);
  const auto credentials = hail::rpc::MakeChannelCredentials(tls);
  if (!credentials.ok()) {
    std::cerr << "hail-load: " << std::string(credentials.status().message()) << "\n";
    return kUsage;
  }
  hail::load::UseCredentials(*credentials);
  if (rides->parsed()) {
    hail::load::RequestLoad load(rider, connections, RunId(), absl::Seconds(10));
    return Print(load.ClosedLoop(callers, SecondsOf(warm_up), SecondsOf(length)));
  }
  if (quotes->parsed()) {
    hail::load::RequestLoad load(rider, connections, RunId(), absl::Seconds(10), quoting);
    return Print(load.ClosedLoop(callers, SecondsOf(warm_up), SecondsOf(length)));
  }
  if (paced->parsed()) {
    hail::load::RequestLoad load(rider, connections, RunId(), absl::Seconds(10));
    return Print(load.AtRate(rate, SecondsOf(warm_up), SecondsOf(length)));
  }
  if (spaced->parsed()) {
    hail::load::RequestLoad load(rider, 1, RunId(), absl::Seconds(10));
    return Print(load.Spaced(calls, absl::Seconds(1)));
  }
  if (reaching->parsed()) {
    const auto measured = hail::load::MeasureReach(reach);
    if (!measured.ok()) {
      std::cerr << "hail-load: " << std::string(measured.status().message()) << "\n";
      return kUsage;
    }
    nlohmann::ordered_json report = nlohmann::ordered_json::array();
    for (const hail::load::Histogram& index : measured->by_index) {
      report.push_back({{"count", index.count()},
                        {"p50_ms", absl::ToDoubleMilliseconds(index.Quantile(0.5))},
                        {"p99_ms", absl::ToDoubleMilliseconds(index.Quantile(0.99))}});
    }
    std::cout << report.dump() << "\n";
    return 0;
  }
  if (road->parsed()) {
    const auto measured = hail::load::MeasureOffers(offers);
    if (measured.ok()) return Print(*measured);
    std::cerr << "hail-load: " << std::string(measured.status().message()) << "\n";
    return kUsage;
  }
  std::vector<hail::load::WatchedProcess> watched;
  if (!ParseProcesses(processes, watched)) {
    std::cerr << "hail-load: --watch takes NAME=PID\n";
    return kUsage;
  }
  if (moves->parsed()) {
    if (!watched.empty()) positions.server = watched.front();
    positions.connections = connections;
    positions.warm_up = SecondsOf(warm_up);
    positions.length = SecondsOf(length);
    const auto sent = hail::load::SendPositions(positions);
    if (!sent.ok()) {
      std::cerr << "hail-load: " << std::string(sent.status().message()) << "\n";
      return kUsage;
    }
    std::cout << nlohmann::ordered_json{{"per_second", sent->per_second},
                                        {"cpu_us_per_position", sent->cpu_us_per_position},
                                        {"kib_per_stream", sent->kib_per_stream}}
                     .dump()
              << "\n";
    return 0;
  }
  if (watching->parsed()) {
    watches.processes = watched;
    const auto measured = hail::load::MeasureWatches(watches);
    if (measured.ok()) return Print(*measured);
    std::cerr << "hail-load: " << std::string(measured.status().message()) << "\n";
    return kUsage;
  }
  overload.processes = fleet.processes = watched;
  overload.svg = fleet.svg = svg;
  return Conclude(requests->parsed() ? hail::load::PlayOverload(overload) : hail::load::PlayFleet(fleet), report);
}
