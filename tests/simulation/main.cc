// hail-simulate: many seeds with a verdict, or one seed again with its history.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/logging/log.h"
#include "tests/simulation/plan.h"
#include "tests/simulation/situations.h"
#include "tests/simulation/universe.h"

namespace hail::simulation {
namespace {

struct Arguments {
  std::uint64_t seed = 0;
  std::uint64_t seeds = 0;
  std::uint64_t first = 1;
  unsigned without = 0;
  int jobs = 0;
  bool all_history = false;
  bool situations = false;
  bool stop_at_first = false;
};

// A worker's report on a seed. It is sent in one write, so that the lines of several workers do not mix.
struct Line {
  std::uint64_t seed;
  std::int32_t rides;
  std::int32_t drivers;
  std::int32_t deaths;
  std::int32_t broken;
  std::int64_t faults;
  std::int64_t steps;
  SituationCounts situations;
  char what[160];
};

Line LineOf(const Result& result) {
  Line line{};
  line.seed = result.seed;
  line.rides = result.rides;
  line.drivers = result.drivers;
  line.deaths = result.deaths;
  line.faults = result.faults;
  line.steps = static_cast<std::int64_t>(result.steps);
  line.situations = result.situations;
  if (!result.violations.empty()) {
    const Violation& first = result.violations.front();
    line.broken = first.invariant;
    std::snprintf(line.what, sizeof line.what, "%s: %s", first.rule.c_str(), first.what.c_str());
  }
  return line;
}

void PrintViolations(const Result& result) {
  for (const Violation& violation : result.violations) {
    std::printf("  invariant %d, %s: %s\n", violation.invariant, violation.rule.c_str(), violation.what.c_str());
  }
}

// The words of the violation that name rides, drivers and offers. The history is filtered by them.
std::vector<std::string> NamesIn(const std::string& text) {
  std::vector<std::string> names;
  std::string word;
  for (const char c : text + " ") {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-') {
      word += c;
    } else {
      if (word.size() == 36 ||
          (word.size() > 1 && (word[0] == 'd' || word[0] == 'r') &&
           std::all_of(word.begin() + 1, word.end(), [](unsigned char d) { return std::isdigit(d); }))) {
        names.push_back(word);
      }
      word.clear();
    }
  }
  return names;
}

// Removes from the plan the kinds of faults, riders and drivers that the failure does not need.
Plan Shrink(const Plan& plan) {
  const std::string rule = Simulate(plan, false).violations.front().rule;
  const auto still_fails = [&rule](const Plan& tried) {
    const Result result = Simulate(tried, false);
    return !result.violations.empty() && result.violations.front().rule == rule;
  };
  Plan best = plan;
  for (int kind = 0; kind < kFaultKinds; ++kind) {
    if (const Plan tried = Without(best, 1u << kind); still_fails(tried)) {
      std::printf("  fails without %s too\n", FaultKindName(kind).c_str());
      best = tried;
    }
  }
  for (int Plan::*const count :
       {&Plan::riders, &Plan::drivers, &Plan::rider_deaths, &Plan::driver_deaths, &Plan::partitions}) {
    while (best.*count > 1) {
      Plan tried = best;
      tried.*count /= 2;
      if (!still_fails(tried)) break;
      best = tried;
    }
  }
  return best;
}

int Replay(const Arguments& arguments) {
  Plan plan = Without(PlanOf(arguments.seed), arguments.without);
  Result result = Simulate(plan, true);
  std::printf("seed %llu: %d rides, %d drivers, %d deaths, %lld faults, %llu steps, digest %016llx\n",
              static_cast<unsigned long long>(result.seed), result.rides, result.drivers, result.deaths,
              static_cast<long long>(result.faults), static_cast<unsigned long long>(result.steps),
              static_cast<unsigned long long>(result.digest));
  if (result.violations.empty()) {
    if (arguments.all_history) {
      for (const std::string& line : result.history) std::puts(line.c_str());
    }
    std::puts("all holds");
    return 0;
  }
  PrintViolations(result);
  plan = Shrink(plan);
  result = Simulate(plan, true);
  std::printf("smallest found: %d riders, %d drivers, %d deaths, %lld faults, %zu lines of history\n", plan.riders,
              plan.drivers, result.deaths, static_cast<long long>(result.faults), result.history.size());
  PrintViolations(result);
  std::vector<std::string> names = NamesIn(result.violations.front().what);
  for (const std::string& line : result.history) {
    const bool wanted = arguments.all_history || names.empty() || line.find("-service") != std::string::npos ||
                        line.find("partition") != std::string::npos ||
                        std::any_of(names.begin(), names.end(),
                                    [&line](const std::string& name) { return line.find(name) != std::string::npos; });
    if (wanted) std::puts(line.c_str());
  }
  return 1;
}

// Error logs of the services about simulated faults are expected.
void DiscardLogs() {
  InitLogging({.service = "simulation", .level = LogLevel::kError, .write = [](std::string_view) {}});
}

int RunMany(const Arguments& arguments) {
  const int jobs =
      arguments.jobs > 0 ? arguments.jobs : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  int ends[2];
  if (pipe(ends) != 0) return 2;
  std::vector<pid_t> workers;
  for (int job = 0; job < jobs; ++job) {
    const pid_t pid = fork();
    if (pid == 0) {
      close(ends[0]);
      // Not before the fork: logging starts a thread, and a fork while that holds a lock of the address sanitizer's
      // allocator leaves the lock taken in the worker for ever.
      DiscardLogs();
      for (std::uint64_t i = static_cast<std::uint64_t>(job); i < arguments.seeds;
           i += static_cast<std::uint64_t>(jobs)) {
        const Line line = LineOf(Simulate(Without(PlanOf(arguments.first + i), arguments.without), false));
        // A write of up to PIPE_BUF bytes is atomic.
        static_assert(sizeof line <= 4096);
        if (write(ends[1], &line, sizeof line) != static_cast<ssize_t>(sizeof line)) _exit(2);
        if (line.broken != 0 && arguments.stop_at_first) break;
      }
      _exit(0);
    }
    workers.push_back(pid);
  }
  close(ends[1]);

  std::vector<Line> failed;
  std::vector<std::int64_t> rides, drivers, deaths, faults;
  SituationCounts situations{};
  std::uint64_t done = 0;
  std::int64_t steps = 0;
  const absl::Time begin = absl::Now();
  absl::Time reported = begin;
  Line line;
  while (true) {
    std::size_t have = 0;
    while (have < sizeof line) {
      const ssize_t got = read(ends[0], reinterpret_cast<char*>(&line) + have, sizeof line - have);
      if (got <= 0) break;
      have += static_cast<std::size_t>(got);
    }
    if (have < sizeof line) break;
    ++done;
    rides.push_back(line.rides);
    drivers.push_back(line.drivers);
    deaths.push_back(line.deaths);
    faults.push_back(line.faults);
    steps += line.steps;
    for (std::size_t i = 0; i < kSituations; ++i) situations[i] += line.situations[i];
    if (line.broken != 0) {
      failed.push_back(line);
      std::printf("seed %llu breaks invariant %d: %s\n", static_cast<unsigned long long>(line.seed), line.broken,
                  line.what);
      std::fflush(stdout);
      if (arguments.stop_at_first) {
        for (const pid_t worker : workers) kill(worker, SIGKILL);
      }
    }
    if (absl::Now() - reported > absl::Seconds(5)) {
      reported = absl::Now();
      const double rate = static_cast<double>(done) / absl::ToDoubleSeconds(reported - begin);
      std::printf("%llu of %llu seeds, %.1f a second, %zu failed\n", static_cast<unsigned long long>(done),
                  static_cast<unsigned long long>(arguments.seeds), rate, failed.size());
      std::fflush(stdout);
    }
  }
  bool crashed = false;
  for (const pid_t worker : workers) {
    int status = 0;
    waitpid(worker, &status, 0);
    if ((!WIFEXITED(status) || WEXITSTATUS(status) != 0) && !(arguments.stop_at_first && !failed.empty()))
      crashed = true;
  }
  const auto median = [](std::vector<std::int64_t> values) {
    if (values.empty()) return std::int64_t{0};
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
    return values[values.size() / 2];
  };
  std::printf(
      "%llu seeds in %.1f s: %zu failed; median of a seed: %lld rides, %lld drivers, %lld deaths, %lld faults; %.0f "
      "steps\n",
      static_cast<unsigned long long>(done), absl::ToDoubleSeconds(absl::Now() - begin), failed.size(),
      static_cast<long long>(median(rides)), static_cast<long long>(median(drivers)),
      static_cast<long long>(median(deaths)), static_cast<long long>(median(faults)),
      done == 0 ? 0.0 : static_cast<double>(steps) / static_cast<double>(done));
  int unmet = 0;
  for (std::size_t i = 0; i < kSituations; ++i) {
    const std::string name(NameOf(static_cast<Situation>(i)));
    if (situations[i] == 0) ++unmet;
    if (arguments.situations || situations[i] == 0) {
      std::printf("  %10lld  %s%s\n", static_cast<long long>(situations[i]), name.c_str(),
                  situations[i] == 0 ? "  <- never" : "");
    }
  }
  std::printf("%zu situations, %d of them in no seed\n", kSituations, unmet);
  if (crashed) std::puts("a worker died");
  if (!failed.empty()) {
    std::printf("see it again: hail-simulate --seed %llu\n", static_cast<unsigned long long>(failed.front().seed));
  }
  return failed.empty() && !crashed && (unmet == 0 || arguments.seeds < 1000) ? 0 : 1;
}

int Main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Both services of Hail in one thread, on simulated time, network and disks, from a seed.");
  app.add_option("--seed", arguments.seed,
                 "Run one seed again; if it fails, the smallest version of it with its history.");
  app.add_option("--seeds", arguments.seeds, "Run so many seeds.");
  app.add_option("--first", arguments.first, "The first of them.");
  app.add_option("--jobs", arguments.jobs, "Processes at once; all cores unless given.");
  app.add_option("--without", arguments.without, "Bits of the kinds of faults to leave out.");
  app.add_flag("--history", arguments.all_history, "With --seed: all of the history.");
  app.add_flag("--situations", arguments.situations, "How often each situation came up.");
  app.add_flag("--stop-at-first", arguments.stop_at_first, "Stop at the first seed that fails.");
  CLI11_PARSE(app, argc, argv);
  if (arguments.seeds > 0) return RunMany(arguments);
  DiscardLogs();
  return Replay(arguments);
}

}  // namespace
}  // namespace hail::simulation

int main(int argc, char** argv) { return hail::simulation::Main(argc, argv); }
