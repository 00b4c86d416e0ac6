#include "tests/bench/match_bench.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <map>
#include <set>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/csv/csv.h"
#include "driver-service/domain/batch_matcher.h"
#include "driver-service/domain/matcher.h"
#include "driver-service/domain/travel_times.h"
#include "nlohmann/json.hpp"
#include "tests/bench/match_replay.h"
#include "tests/tools/hail-load/svg.h"
#include "tests/tools/hail-sim/random.h"
#include "tests/tools/hail-sim/records.h"

namespace hail::bench {
namespace {

constexpr int kAbsent = 2;
constexpr double kWindows[] = {0, 0.5, 1, 2, 4};

// ---- Data sets

struct DataSet {
  // As MatchBenchOptions::only.
  std::string key;
  std::string name;
  std::string trips;
  // If empty, each driver starts at its first pickup in the trips.
  std::string traces;
};

const DataSet kDataSets[] = {
    {"sf", "San Francisco", "trips_sf_2008-05-22.csv.gz", "traces_sf_2008-05-22.csv.gz"},
    {"nyc", "New York", "trips_nyc_2013-01-01_0000-0056.csv.gz", ""},
};

// Each taxi's first pickup, in the order of the taxis' ids.
absl::StatusOr<std::vector<sim::Start>> FirstPickups(const std::string& path) {
  enum { kTaxi, kTime, kLat, kLon };
  absl::StatusOr<CsvReader> csv = CsvReader::Open(path, {"taxi_id", "request_time_utc", "pickup_lat", "pickup_lon"});
  if (!csv.ok()) return csv.status();
  std::map<std::string, std::pair<double, LatLng>> first;
  while (true) {
    const absl::StatusOr<bool> more = csv->Next();
    if (!more.ok()) return more.status();
    if (!*more) break;
    const absl::StatusOr<double> time = csv->Number(kTime), lat = csv->Number(kLat), lon = csv->Number(kLon);
    for (const absl::Status& status : {time.status(), lat.status(), lon.status()}) {
      if (!status.ok()) return status;
    }
    const auto [known, is_new] = first.try_emplace(csv->Text(kTaxi), *time, LatLng{*lat, *lon});
    if (!is_new && *time < known->second.first) known->second = {*time, LatLng{*lat, *lon}};
  }
  std::vector<sim::Start> starts;
  for (const auto& [taxi_id, pickup] : first) starts.push_back({taxi_id, pickup.second});
  return starts;
}

// A random share of the fleet, by seed. With one seed, a smaller share is a subset of a larger one.
std::vector<sim::Start> ShareOf(const std::vector<sim::Start>& fleet, double share, std::uint64_t seed) {
  std::vector<std::pair<double, std::size_t>> drawn;
  for (std::size_t i = 0; i < fleet.size(); ++i) drawn.emplace_back(sim::Random(seed, fleet[i].taxi_id).Unit(), i);
  std::sort(drawn.begin(), drawn.end());
  drawn.resize(static_cast<std::size_t>(std::llround(share * static_cast<double>(fleet.size()))));
  std::vector<sim::Start> some;
  for (const auto& [unit, i] : drawn) some.push_back(fleet[i]);
  return some;
}

// ReadTrips spreads times recorded to the minute. This spreads times recorded to the second over that second.
absl::StatusOr<std::vector<sim::Trip>> SpreadTrips(const std::string& path, std::uint64_t seed) {
  absl::StatusOr<std::vector<sim::Trip>> trips = sim::ReadTrips(path, {}, seed);
  if (!trips.ok()) return trips;
  for (sim::Trip& trip : *trips) {
    const absl::Time second = absl::FromUnixSeconds(absl::ToUnixSeconds(trip.request_time));
    if (trip.request_time == second) trip.request_time += absl::Seconds(sim::Random(seed, trip.trip_id).Unit());
  }
  std::stable_sort(trips->begin(), trips->end(),
                   [](const sim::Trip& a, const sim::Trip& b) { return a.request_time < b.request_time; });
  return trips;
}

// ---- Policies

struct Policy {
  std::string name;
  const driver::Matcher* matcher;
  double window_s = 0;
  bool look_again_together = false;
};

// Mean and error of a figure over all seeds.
struct Spread {
  double mean = 0;
  // Standard error; 0 with one seed.
  double error = 0;
};

Spread SpreadOf(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  Spread spread;
  for (const double value : values) spread.mean += value / n;
  if (values.size() < 2) return spread;
  double squares = 0;
  for (const double value : values) squares += (value - spread.mean) * (value - spread.mean);
  spread.error = std::sqrt(squares / (n - 1) / n);
  return spread;
}

struct Figure {
  const char* name;
  double (*of)(const MatchFigures&);
};

constexpr Figure kFigures[] = {
    {"unfulfilled", [](const MatchFigures& f) { return static_cast<double>(f.unfulfilled); }},
    {"match_mean_s", [](const MatchFigures& f) { return f.match_mean_s; }},
    {"match_p95_s", [](const MatchFigures& f) { return f.match_p95_s; }},
    {"pickup_mean_s", [](const MatchFigures& f) { return f.pickup_mean_s; }},
    {"pickup_p95_s", [](const MatchFigures& f) { return f.pickup_p95_s; }},
    {"wait_mean_s", [](const MatchFigures& f) { return f.wait_mean_s; }},
    {"wait_p95_s", [](const MatchFigures& f) { return f.wait_p95_s; }},
};

// One policy on one data set with one fleet.
struct Row {
  Policy policy;
  // By seed.
  std::vector<MatchFigures> figures;

  std::vector<double> Values(double (*of)(const MatchFigures&)) const {
    std::vector<double> values;
    for (const MatchFigures& f : figures) values.push_back(of(f));
    return values;
  }
  double Mean(double (*of)(const MatchFigures&)) const { return SpreadOf(Values(of)).mean; }
};

struct Section {
  std::string data_set;
  std::size_t rides = 0;
  double share = 0;
  std::size_t drivers = 0;
  std::vector<Row> rows;

  // The batch without a window, with which the other rows are compared.
  const Row& AtOnce() const {
    return *std::find_if(rows.begin(), rows.end(),
                         [](const Row& row) { return row.policy.name == "batch" && row.policy.window_s == 0; });
  }
  // The mean wait above that of AtOnce(). Compared seed by seed, so that the variation between seeds cancels.
  Spread WaitAbove(const Row& row) const {
    const auto wait = [](const MatchFigures& f) { return f.wait_mean_s; };
    std::vector<double> values = row.Values(wait);
    const std::vector<double> at_once = AtOnce().Values(wait);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] -= at_once[i];
    return SpreadOf(values);
  }
  std::string Title() const { return absl::StrFormat("%s, %d drivers (%.0f %%)", data_set, drivers, 100 * share); }
};

// ---- Results

void Print(const Section& section) {
  std::printf("\n%s, %zu rides; seconds\n", section.Title().c_str(), section.rides);
  std::printf("%-26s %6s %11s %13s %13s %13s   %s\n", "", "window", "unfulfilled", "match", "pickup", "wait",
              "wait above batch at once");
  std::printf("%-26s %6s %11s %6s %6s %6s %6s %6s %6s\n", "", "", "", "mean", "p95", "mean", "p95", "mean", "p95");
  for (const Row& row : section.rows) {
    std::printf("%-26s %6.1f %11.1f", row.policy.name.c_str(), row.policy.window_s, row.Mean(kFigures[0].of));
    for (std::size_t i = 1; i < std::size(kFigures); ++i) std::printf(" %6.1f", row.Mean(kFigures[i].of));
    const Spread above = section.WaitAbove(row);
    std::printf("   %+.2f ± %.2f\n", above.mean, above.error);
  }
  std::fflush(stdout);
}

nlohmann::ordered_json ToJson(const std::vector<Section>& sections, int seeds) {
  nlohmann::ordered_json json;
  json["seeds"] = seeds;
  for (const Section& section : sections) {
    nlohmann::ordered_json of;
    of["data_set"] = section.data_set;
    of["rides"] = section.rides;
    of["drivers_share"] = section.share;
    of["drivers"] = section.drivers;
    for (const Row& row : section.rows) {
      nlohmann::ordered_json figures;
      figures["policy"] = row.policy.name;
      figures["window_s"] = row.policy.window_s;
      for (const Figure& figure : kFigures) {
        const Spread spread = SpreadOf(row.Values(figure.of));
        figures[figure.name] = {{"mean", spread.mean}, {"error", spread.error}};
      }
      const Spread above = section.WaitAbove(row);
      figures["wait_mean_above_at_once_s"] = {{"mean", above.mean}, {"error", above.error}};
      of["policies"].push_back(std::move(figures));
    }
    json["sections"].push_back(std::move(of));
  }
  return json;
}

load::Panel PanelOf(const Section& section, const char* what, double (*of)(const MatchFigures&)) {
  load::Panel panel{absl::StrCat(section.data_set, ", ", section.drivers, " drivers: mean ", what, ", s:"), {}};
  std::map<std::string, std::size_t> places;
  double least = 1e9;
  for (const Row& row : section.rows) {
    const auto [place, is_new] = places.try_emplace(row.policy.name, panel.series.size());
    if (is_new) panel.series.push_back({row.policy.name, {}});
    panel.series[place->second].points.emplace_back(row.policy.window_s, row.Mean(of));
    least = std::min(least, row.Mean(of));
  }
  for (load::Series& series : panel.series) {
    // A policy without a window is drawn as a level line, for comparison.
    if (series.points.size() == 1) series.points.emplace_back(std::end(kWindows)[-1], series.points[0].second);
  }
  panel.from = std::floor(least);
  return panel;
}

std::string Plot(const std::vector<Section>& sections) {
  std::vector<load::Panel> panels;
  for (const Section& section : sections) {
    panels.push_back(PanelOf(section, "wait", [](const MatchFigures& f) { return f.wait_mean_s; }));
    panels.push_back(PanelOf(section, "pickup", [](const MatchFigures& f) { return f.pickup_mean_s; }));
  }
  return load::Svg("Wait (request to arrival) and pickup time (assignment to arrival) by matching window", panels, {});
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "hail-bench: %s\n", std::string(status.message()).c_str());
  return kAbsent;
}

}  // namespace

int RunMatchBench(const MatchBenchOptions& options) {
  const driver::StraightLineTravelTimes travel_times;
  const driver::NearestFirstMatcher nearest_first;
  const driver::BatchMatcher batch;
  // All drivers within the radius are candidates, so the exact solution covers the whole problem.
  driver::BatchMatcher::Options everybody;
  everybody.candidates = 1'000'000;
  const driver::BatchMatcher optimum(everybody);

  std::vector<Policy> policies = {{"nearest first, one by one", &nearest_first}};
  for (const double window : kWindows) policies.push_back({"batch", &batch, window});
  policies.push_back({"at once, again together", &batch, 0, true});
  if (!options.no_optimum) {
    for (const double window : kWindows) {
      // Without a window there is nothing to solve, because most batches hold one ride.
      if (window > 0) policies.push_back({"optimum", &optimum, window});
    }
  }

  std::vector<Section> sections;
  for (const DataSet& data_set : kDataSets) {
    if (!options.only.empty() && options.only != data_set.key) continue;
    const std::string trips_path = absl::StrCat(options.data, "/", data_set.trips);
    absl::StatusOr<std::vector<sim::Start>> fleet =
        data_set.traces.empty() ? FirstPickups(trips_path)
                                : sim::ReadStarts(absl::StrCat(options.data, "/", data_set.traces), {});
    if (!fleet.ok()) {
      Fail(fleet.status());
      std::fprintf(stderr, "hail-bench: the recorded trips are no part of Hail; --data names their folder\n");
      return kAbsent;
    }
    for (const double share : options.drivers_shares) {
      Section section{data_set.name, 0, share, ShareOf(*fleet, share, 1).size(), {}};
      for (const Policy& policy : policies) section.rows.push_back({policy, {}});
      for (int seed = 1; seed <= options.seeds; ++seed) {
        const absl::StatusOr<std::vector<sim::Trip>> trips = SpreadTrips(trips_path, static_cast<std::uint64_t>(seed));
        if (!trips.ok()) return Fail(trips.status());
        section.rides = trips->size();
        const std::vector<sim::Start> drivers = ShareOf(*fleet, share, static_cast<std::uint64_t>(seed));
        for (Row& row : section.rows) {
          std::fprintf(stderr, "%s, seed %d of %d: %s, window %g s\n", section.Title().c_str(), seed, options.seeds,
                       row.policy.name.c_str(), row.policy.window_s);
          MatchRules rules;
          rules.window = absl::Seconds(row.policy.window_s);
          rules.drivers_return = !options.drivers_stay;
          rules.look_again_together = row.policy.look_again_together;
          row.figures.push_back(FiguresOf(Replay(*trips, drivers, *row.policy.matcher, travel_times, rules)));
        }
      }
      Print(section);
      sections.push_back(std::move(section));
    }
  }
  if (!options.report.empty()) {
    const absl::Status written = load::WriteFile(options.report, ToJson(sections, options.seeds).dump(2) + "\n");
    if (!written.ok()) return Fail(written);
  }
  if (!options.svg.empty()) {
    const absl::Status written = load::WriteFile(options.svg, Plot(sections));
    if (!written.ok()) return Fail(written);
  }
  return 0;
}

}  // namespace hail::bench
