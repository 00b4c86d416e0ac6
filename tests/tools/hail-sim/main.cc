// hail-sim: a city of simulated riders and drivers against two running services, or a sandbox for the author of an app.
#include <atomic>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/errors/status_macros.h"
#include "common/rpc/tls.h"
#include "common/time/time_anchor.h"
#include "tests/tools/hail-sim/city.h"
#include "tests/tools/hail-sim/instant.h"
#include "tests/tools/hail-sim/rejects.h"
#include "tests/tools/hail-sim/ride_scripts.h"
#include "tests/tools/hail-sim/rider_scripts.h"
#include "tests/tools/hail-sim/sandbox.h"
#include "tests/tools/hail-sim/sandbox_options.h"
#include "tests/tools/hail-sim/simulation.h"
#include "tests/tools/tls_options.h"

namespace {

using namespace hail::sim;  // NOLINT(google-build-using-namespace): the program is this namespace's

std::atomic<bool> stop{false};

constexpr int kUsage = 2;
constexpr int kInterrupted = 130;

struct Arguments {
  std::string rider;
  std::string driver;
  hail::TokenSource::Options tokens;
  double token_seconds = 3600;
  hail::rpc::ChannelTls tls;
  std::string trips;
  std::string traces;
  std::string rejects;
  std::string from;
  std::string to;
  std::string anchor;
  std::string city = "san_francisco";
  std::string ledger;
  std::string report;
  std::string run_id;
  double speed = 1;
  double duration = 0;
  double length = 0;
  double quiet = 30;
  std::uint64_t seed = 1;
  int drivers = 0;
  int rides = 0;
  int channels = 8;
  bool json = false;
  bool no_progress = false;
  bool sandbox = false;
  // Its options that a city does not have.
  SandboxArguments sandbox_only;
  // Below 0: the default, which depends on the kind of run.
  double decline = -1;
  double ignore = -1;
  double driver_cancel = -1;
  double rider_cancel = -1;
  double disconnect = -1;
  double driver_watch = -1;
};

// Defaults for a drawn city. In a replay people behave unless an option says otherwise.
constexpr Odds kCityOdds = {
    .decline = 0.1, .ignore = 0.03, .driver_cancel = 0.03, .rider_cancel = 0.05, .disconnect = 0.05};
constexpr int kCityDrivers = 150;
constexpr int kCityRides = 240;
// Wall time of a drawn city.
constexpr absl::Duration kCityLength = absl::Seconds(40);
// Domain time: rides need about this much.
constexpr absl::Duration kShortestCity = absl::Minutes(20);

int Fail(const absl::Status& status) {
  // One problem a line.
  for (const std::string& problem : std::vector<std::string>(absl::StrSplit(status.message(), '\n'))) {
    std::fprintf(stderr, "hail-sim: %s\n", problem.c_str());
  }
  return kUsage;
}

// The content of the run.
struct Play {
  std::vector<Trip> trips;
  std::vector<Start> starts;
  absl::Time from;
};

absl::StatusOr<Play> ReadReplay(const Arguments& arguments) {
  Window window;
  if (!arguments.from.empty()) {
    HAIL_ASSIGN_OR_RETURN(window.from, ParseInstant(arguments.from));
  }
  if (!arguments.to.empty()) {
    HAIL_ASSIGN_OR_RETURN(window.to, ParseInstant(arguments.to));
  }
  HAIL_ASSIGN_OR_RETURN(std::vector<Trip> trips, ReadTrips(arguments.trips, window, arguments.seed));
  if (arguments.rides > 0 && trips.size() > static_cast<std::size_t>(arguments.rides)) trips.resize(arguments.rides);
  if (trips.empty())
    return absl::InvalidArgumentError(absl::StrCat("no trips between --from and --to in ", arguments.trips));
  Play play;
  play.from = window.from == absl::InfinitePast() ? trips.front().request_time : window.from;
  if (!arguments.traces.empty()) {
    HAIL_ASSIGN_OR_RETURN(play.starts, ReadStarts(arguments.traces, window));
    if (arguments.drivers > 0 && play.starts.size() > static_cast<std::size_t>(arguments.drivers)) {
      play.starts.resize(arguments.drivers);
    }
  } else {
    const int drivers = arguments.drivers > 0 ? arguments.drivers : std::max<int>(20, trips.size() / 3);
    play.starts = DrawStarts(trips, arguments.seed, drivers);
  }
  play.trips = std::move(trips);
  return play;
}

absl::StatusOr<Play> DrawCity(const Arguments& arguments, const hail::TimeScale& time) {
  HAIL_ASSIGN_OR_RETURN(const City* const city, FindCity(arguments.city));
  const absl::Duration length = arguments.length > 0 ? time.ToDomain(absl::Seconds(arguments.length))
                                                     : std::max(time.ToDomain(kCityLength), kShortestCity);
  Play play;
  play.from = hail::SystemClock(time).Read().domain;
  play.trips = DrawTrips(*city, arguments.seed, play.from, length, arguments.rides > 0 ? arguments.rides : kCityRides);
  play.starts = DrawStarts(*city, arguments.seed, arguments.drivers > 0 ? arguments.drivers : kCityDrivers);
  return play;
}

absl::StatusOr<std::shared_ptr<hail::TokenSource>> TokensOf(const Arguments& arguments) {
  hail::TokenSource::Options tokens = arguments.tokens;
  tokens.valid_for = absl::Seconds(arguments.token_seconds);
  return hail::TokenSource::Make(tokens);
}

// The options that a city and a sandbox share. INVALID_ARGUMENT lists all problems, one a line.
absl::StatusOr<RunOptions> SharedOptions(const Arguments& arguments) {
  RunOptions options;
  std::vector<std::string> problems;
  options.rider_address = arguments.rider;
  options.driver_address = arguments.driver;
  if (arguments.rider.empty()) problems.emplace_back("--rider is required");
  absl::StatusOr<std::shared_ptr<hail::TokenSource>> tokens = TokensOf(arguments);
  if (tokens.ok()) options.tokens = *std::move(tokens);
  if (!tokens.ok()) problems.emplace_back(tokens.status().message());
  const auto credentials = hail::rpc::MakeChannelCredentials(arguments.tls);
  if (credentials.ok()) options.credentials = *credentials;
  if (!credentials.ok()) problems.emplace_back(credentials.status().message());
  const absl::StatusOr<hail::TimeScale> time = hail::ParseTimeScale(arguments.speed, arguments.anchor);
  if (time.ok()) options.time = *time;
  if (!time.ok()) problems.emplace_back(time.status().message());
  options.seed = arguments.seed;
  options.channels = arguments.channels;
  if (!problems.empty()) return absl::InvalidArgumentError(absl::StrJoin(problems, "\n"));
  return options;
}

int RunSandbox(const SandboxArguments& arguments, const absl::StatusOr<RunOptions>& shared) {
  absl::StatusOr<SandboxOptions> options = CheckSandbox(arguments, shared);
  if (!options.ok()) return Fail(options.status());
  const absl::Status status = Sandbox(*std::move(options), &stop).Run();
  return status.ok() ? 0 : Fail(status);
}

int Run(const Arguments& arguments) {
  if (arguments.rider.empty()) return Fail(absl::InvalidArgumentError("--rider is required"));
  const std::string run_id =
      arguments.run_id.empty() ? absl::StrCat("s", absl::ToUnixMillis(absl::Now())) : arguments.run_id;
  if (!arguments.rejects.empty()) {
    const absl::StatusOr<std::vector<Reject>> rejects = ReadRejects(arguments.rejects);
    if (!rejects.ok()) return Fail(rejects.status());
    const auto tokens = TokensOf(arguments);
    if (!tokens.ok()) return Fail(tokens.status());
    const auto credentials = hail::rpc::MakeChannelCredentials(arguments.tls);
    if (!credentials.ok()) return Fail(credentials.status());
    const absl::StatusOr<int> wrong = PlayRejects(arguments.rider, *credentials, *rejects, run_id, tokens->get());
    if (!wrong.ok()) {
      Fail(wrong.status());
      return 1;
    }
    return *wrong == 0 ? 0 : 1;
  }
  if (arguments.driver.empty()) return Fail(absl::InvalidArgumentError("--driver is required"));
  const absl::StatusOr<RunOptions> shared = SharedOptions(arguments);
  if (!shared.ok()) return Fail(shared.status());
  absl::StatusOr<Play> play = arguments.trips.empty() ? DrawCity(arguments, shared->time) : ReadReplay(arguments);
  if (!play.ok()) return Fail(play.status());

  RunOptions options = *shared;
  options.run_id = run_id;
  options.reuse_riders = arguments.trips.empty();
  options.trips_from = play->from;
  options.quiet = absl::Seconds(arguments.quiet);
  options.duration = absl::Seconds(arguments.duration);
  options.progress = !arguments.no_progress;
  if (arguments.trips.empty()) options.odds = kCityOdds;
  const auto set = [](double given, double& odds) {
    if (given >= 0) odds = given;
  };
  set(arguments.decline, options.odds.decline);
  set(arguments.ignore, options.odds.ignore);
  set(arguments.driver_cancel, options.odds.driver_cancel);
  set(arguments.rider_cancel, options.odds.rider_cancel);
  set(arguments.disconnect, options.odds.disconnect);
  set(arguments.driver_watch, options.odds.driver_watch);

  Ledger ledger;
  if (!arguments.ledger.empty()) {
    absl::StatusOr<Ledger> opened = Ledger::Open(arguments.ledger);
    if (!opened.ok()) return Fail(opened.status());
    ledger = *std::move(opened);
  }
  ledger.Write(Ledger::kPlan, absl::Now(), "", "run",
               {{"run_id", run_id},
                {"seed", arguments.seed},
                {"speed", arguments.speed},
                {"anchor", arguments.anchor},
                {"trips", play->trips.size()},
                {"drivers", play->starts.size()}});
  Simulation simulation(options, std::move(play->trips), std::move(play->starts), &ledger, &stop);
  const absl::StatusOr<Report> report = simulation.Run();
  if (!report.ok()) return Fail(report.status());
  ledger.Write(Ledger::kPlan, absl::Now(), "", "report", report->ToJson());
  ledger.Flush();
  const std::string json = report->ToJson().dump(2);
  if (!arguments.report.empty()) {
    std::ofstream file(arguments.report);
    file << json << "\n";
    if (!file.flush()) return Fail(absl::InternalError(absl::StrCat("cannot write ", arguments.report)));
  }
  std::cout << (arguments.json ? json + "\n" : report->ToTable()) << std::flush;
  if (!report->Clean()) return 1;
  return stop ? kInterrupted : 0;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app{
      "Simulates riders and drivers, each with its own stream, over Hail's public API. Draws a seeded city, or replays "
      "recorded trips (columns as in the README of the data; plain or gzip). With --sandbox: scripted people for the "
      "author of an app, until SIGTERM or SIGINT (docs/sandbox.md).\n"
      "Exit status: 0 all promises kept, or the sandbox was stopped; 1 a ride was lost, double-booked or unaccounted "
      "for, or events were missed, repeated or out of order; 2 the run could not be played; 130 interrupted.",
      "hail-sim"};
  app.set_version_flag("--version", "hail-sim " HAIL_VERSION);
  app.add_option("--rider", arguments.rider,
                 "rider-service's public address; of replicas: ipv4:IP:PORT,IP:PORT. Required");
  app.add_option("--driver", arguments.driver, "driver-service's public address; of replicas: as with --rider");
  app.add_option(
      "--token-key", arguments.tokens.key,
      "folder of a key (hailctl token), or its file, that signs a token for each rider and driver: build/edge");
  app.add_option("--token-seconds", arguments.token_seconds,
                 "how long such a token lives. It is renewed in the middle; a ride goes on over it")
      ->check(CLI::Range(1.0, 86'400.0))
      ->capture_default_str();
  app.add_option("--token-file", arguments.tokens.file,
                 "file with one token for all calls, a server's; read again when it changes");
  hail::AddTlsOptions(app, &arguments.tls);
  app.add_option("--trips", arguments.trips, "trips to replay (CSV). Without: a city drawn from --seed");
  app.add_option("--traces", arguments.traces, "where drivers start: each cab's first ping in the window (CSV)");
  app.add_option("--from", arguments.from, "replay from this instant: ISO 8601 with offset, or epoch seconds");
  app.add_option("--to", arguments.to, "replay up to, not including, this instant");
  app.add_option("--rejects", arguments.rejects,
                 "send these broken records (CSV) as ride requests instead, and check the answers");
  app.add_option("--speed", arguments.speed, "domain seconds a wall second; the services' time_scale")
      ->check(CLI::PositiveNumber);
  app.add_option("--anchor", arguments.anchor,
                 "WALL:DOMAIN in epoch seconds; the services' time_anchor, required unless --speed is 1");
  CLI::Option* const drivers = app.add_option(
      "--drivers", arguments.drivers,
      absl::StrCat(
          "how many drivers; at most this many of the traces' cabs. Default: all cabs of the traces; a third of the "
          "trips; ",
          kCityDrivers, " in a drawn city; ", kSandboxDrivers, " in a sandbox, or 0 with --riders"));
  app.add_option(
         "--max-rides,--rides", arguments.rides,
         absl::StrCat("how many rides; at most this many of the trips. Default: all; ", kCityRides, " in a drawn city"))
      ->check(CLI::PositiveNumber);
  app.add_option("--city", arguments.city, "san_francisco or new_york")->capture_default_str();
  app.add_option("--length", arguments.length,
                 "wall seconds in which a drawn city's rides take place, about. Default: 40, or 20 minutes of domain "
                 "time if that is more")
      ->check(CLI::PositiveNumber);
  const auto odds = [&](const char* name, double& value, const char* what, double city) {
    app.add_option(name, value, absl::StrCat(what, ". Default: 0 in a replay, ", city, " in a drawn city"))
        ->check(CLI::Range(0.0, 1.0));
  };
  odds("--decline", arguments.decline, "odds that a driver declines an offer", kCityOdds.decline);
  odds("--ignore", arguments.ignore, "odds that a driver does not answer an offer", kCityOdds.ignore);
  odds("--driver-cancel", arguments.driver_cancel,
       "odds that a driver gives up an assignment, before or after arriving", kCityOdds.driver_cancel);
  odds("--rider-cancel", arguments.rider_cancel, "odds that a rider calls a ride off", kCityOdds.rider_cancel);
  odds("--disconnect", arguments.disconnect,
       "odds that a connection drops and is resumed: per ride for riders, per offer and per assignment for drivers",
       kCityOdds.disconnect);
  app.add_option("--driver-watch", arguments.driver_watch,
                 absl::StrCat("odds that a driver's app receives by WatchDriver and sends by unary calls, as a page in "
                              "a browser does. Default: ",
                              Odds().driver_watch))
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--seed", arguments.seed, "everything drawn follows from it")->capture_default_str();
  app.add_option("--ledger", arguments.ledger, "directory for the record of what clients saw; see hail-check");
  app.add_option("--report", arguments.report, "file for the report (JSON)");
  app.add_option("--duration", arguments.duration, "cut the run off after so many wall seconds")
      ->check(CLI::PositiveNumber);
  app.add_option("--quiet", arguments.quiet,
                 "wall seconds without news after which rides that are not over count as lost")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--channels", arguments.channels, "connections to each service")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--run-id", arguments.run_id, "marks this run's ids. Default: from the clock");
  app.add_flag("--json", arguments.json, "print the report as JSON instead of a table");
  CLI::Option* const sandbox = app.add_flag("--sandbox", arguments.sandbox, "scripted people around a place");
  SandboxArguments& only = arguments.sandbox_only;
  const std::vector<CLI::Option*> sandbox_only = {
      app.add_option("--around", only.around, "the place: LAT,LNG; --around=LAT,LNG for a latitude below 0"),
      app.add_option("--radius", only.radius_m, "metres around it in which drivers are and rides begin")
          ->capture_default_str(),
      app.add_option("--rider-internal", only.rider_internal,
                     "rider-service's internal address, where the sandbox reads the labels of rides; required with "
                     "drivers"),
      app.add_option("--riders", only.riders, "how many riders")->capture_default_str(),
      app.add_option("--every", only.every_s, "wall seconds between two requests of the riders")->capture_default_str(),
      app.add_option("--rider-script", only.rider_script, "what all riders do. Default: each script in turn")};
  for (CLI::Option* option : sandbox_only) option->group("Sandbox");
  sandbox->group("Sandbox");
  app.add_option_function<std::string>(
         "--scripts-markdown",
         [](const std::string& people) {
           std::cout << (people == "rides" ? RideScriptsTable() : RiderScriptsTable());
           throw CLI::Success();
         },
         "print the sandbox's scripts, of `rides` or of `riders`, as a table")
      ->check(CLI::IsMember({"rides", "riders"}))
      ->group("Sandbox");
  app.add_flag("--no-progress", arguments.no_progress, "no line a second on stderr");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  struct sigaction action = {};
  action.sa_handler = [](int) { stop = true; };
  // A second signal ends the program at once.
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  if (!arguments.sandbox) {
    for (const CLI::Option* option : sandbox_only) {
      if (option->count() > 0) return Fail(absl::InvalidArgumentError(option->get_name() + " needs --sandbox"));
    }
    if (drivers->count() > 0 && arguments.drivers < 1) {
      return Fail(absl::InvalidArgumentError("--drivers must be above 0"));
    }
    return Run(arguments);
  }
  const std::set<std::string> shared = {"--sandbox",    "--rider",         "--driver",   "--token-key",
                                        "--token-file", "--token-seconds", "--speed",    "--anchor",
                                        "--drivers",    "--seed",          "--channels", "--run-id"};
  for (const CLI::Option* option : app.get_options()) {
    const bool known = shared.contains(option->get_name()) || option->get_group() == "TLS" ||
                       std::find(sandbox_only.begin(), sandbox_only.end(), option) != sandbox_only.end();
    if (option->count() > 0 && !known) only.foreign.push_back(option->get_name());
  }
  only.driver = arguments.driver;
  only.run_id = arguments.run_id;
  if (drivers->count() > 0) only.drivers = arguments.drivers;
  return RunSandbox(only, SharedOptions(arguments));
}
