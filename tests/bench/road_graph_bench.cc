// Road graphs on recorded trips: the cost of a search, and the error of predicted times, compared with the straight
// line. Takes the folder with the recorded data (roads/, trips_*.csv.gz) in HAIL_DATA or as its argument.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "benchmark/benchmark.h"
#include "common/geo/lat_lng.h"
#include "driver-service/domain/road_graph.h"
#include "driver-service/domain/road_travel_times.h"
#include "driver-service/domain/travel_times.h"
#include "driver-service/roads/road_files.h"
#include "tests/tools/hail-sim/records.h"

namespace hail::driver {
namespace {

constexpr std::uint32_t kSeed = 1;

// A recorded trip with a graph's node at both ends.
struct Driven {
  LatLng from;
  LatLng to;
  absl::Time at;
  double seconds = 0;
};

struct City {
  std::string name;
  RoadGraph graph;
  // The number of trips read. `trips` holds those with both ends near the graph.
  std::size_t all_trips = 0;
  std::vector<Driven> trips;
};

template <typename T>
T Need(absl::StatusOr<T> read) {
  if (read.ok()) return *std::move(read);
  std::cerr << "road_graph_bench: " << read.status().message() << "\n";
  std::exit(1);
}

// Reads `graph` from the folder `data`, and those of `trips` that start and end near the graph.
City ReadCity(const std::string& data, const std::string& name, const std::string& graph, const std::string& trips) {
  City city{name, Need(ReadRoadGraph(data + "/roads/" + graph, 1))};
  const std::vector<sim::Trip> all = Need(sim::ReadTrips(data + "/" + trips, {}, kSeed));
  city.all_trips = all.size();
  for (const sim::Trip& trip : all) {
    if (!trip.duration || *trip.duration <= absl::ZeroDuration()) continue;
    if (!city.graph.Snap(trip.pickup) || !city.graph.Snap(trip.dropoff)) continue;
    city.trips.push_back({trip.pickup, trip.dropoff, trip.request_time, absl::ToDoubleSeconds(*trip.duration)});
  }
  // Shuffled, so that each half covers the whole day.
  std::shuffle(city.trips.begin(), city.trips.end(), std::mt19937(kSeed));
  return city;
}

double Median(std::vector<double> values) {
  if (values.empty()) return std::nan("");
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// The median error on trips [begin, end), with predictions × factor.
double MedianError(const City& city, const std::vector<double>& predicted, std::size_t begin, std::size_t end,
                   double factor) {
  std::vector<double> errors;
  for (std::size_t i = begin; i < end; ++i) {
    errors.push_back(std::abs(predicted[i] * factor - city.trips[i].seconds) / city.trips[i].seconds);
  }
  return Median(std::move(errors));
}

void PrintAccuracy(const City& city) {
  const StraightLineTravelTimes straight_line;
  const RoadTravelTimes road({city.graph});
  const std::pair<const char*, const TravelTimes*> methods[] = {{"straight line", &straight_line},
                                                                {"road graph", &road}};
  const std::size_t half = city.trips.size() / 2;
  std::cout << absl::StrFormat("%s: %d nodes, %d edges; %d of %d trips start and end on them\n", city.name,
                               city.graph.node_count(), city.graph.edge_count(), city.trips.size(), city.all_trips);
  std::cout << "  median absolute percentage error      as is   observed ÷ predicted   × that of the other half\n";
  for (const auto& [name, times] : methods) {
    std::vector<double> predicted;
    std::vector<double> ratios;
    for (const Driven& trip : city.trips) {
      predicted.push_back(absl::ToDoubleSeconds(times->Estimate(trip.from, trip.to, trip.at).time));
      // The prediction is 0 for a trip that ends where it began.
      ratios.push_back(trip.seconds / std::max(predicted.back(), 1.0));
    }
    const double of_first_half = Median({ratios.begin(), ratios.begin() + static_cast<std::ptrdiff_t>(half)});
    std::cout << absl::StrFormat("  %-34s %7.1f %% %15.2f %24.1f %%\n", name,
                                 100 * MedianError(city, predicted, 0, predicted.size(), 1), Median(ratios),
                                 100 * MedianError(city, predicted, half, predicted.size(), of_first_half));
  }
}

// Cars anywhere within `radius_m` of a recorded pickup.
struct Pickup {
  LatLng place;
  std::vector<LatLng> cars;
};

std::vector<Pickup> Pickups(const City& city, std::size_t cars, double radius_m) {
  std::mt19937 random(kSeed);
  std::uniform_real_distribution<double> uniform(0, 1);
  std::vector<Pickup> pickups;
  for (std::size_t i = 0; i < std::min<std::size_t>(city.trips.size(), 1000); ++i) {
    Pickup pickup{city.trips[i].from, {}};
    while (pickup.cars.size() < cars) {
      const LatLng car = Toward(pickup.place, 360 * uniform(random), radius_m * std::sqrt(uniform(random)));
      // Leaves out places off the graph, for instance in the river.
      if (city.graph.Snap(car)) pickup.cars.push_back(car);
    }
    pickups.push_back(std::move(pickup));
  }
  return pickups;
}

// Processor time of this thread, which leaves out other work of the machine.
double ThreadMs() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

void ManyToOne(benchmark::State& state, const City& city, const TravelTimes& times) {
  const std::vector<Pickup> pickups =
      Pickups(city, static_cast<std::size_t>(state.range(0)), static_cast<double>(state.range(1)));
  const absl::Time at = city.trips.front().at;
  std::size_t i = 0;
  std::vector<double> ms;
  for (auto _ : state) {
    const Pickup& pickup = pickups[i++ % pickups.size()];
    const double begin = ThreadMs();
    benchmark::DoNotOptimize(times.EstimateTo(pickup.cars, pickup.place, at));
    ms.push_back(ThreadMs() - begin);
  }
  std::sort(ms.begin(), ms.end());
  state.counters["p50_ms"] = ms[ms.size() / 2];
  state.counters["p99_ms"] = ms[ms.size() * 99 / 100];
}

int Run(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  const char* variable = std::getenv("HAIL_DATA");
  const std::string data = argc > 1 ? argv[1] : variable != nullptr ? variable : "";
  if (data.empty() || !std::filesystem::exists(data + "/roads")) {
    std::cout << "road_graph_bench: no recorded data; name the folder in HAIL_DATA or as an argument\n";
    return 0;
  }
  const City cities[] = {
      ReadCity(data, "manhattan", "manhattan", "trips_nyc_2013-01-01_0000-0056.csv.gz"),
      ReadCity(data, "san_francisco", "sf_ne", "trips_sf_2008-05-22.csv.gz"),
  };
  std::vector<std::unique_ptr<RoadTravelTimes>> times;
  for (const City& city : cities) {
    PrintAccuracy(city);
    times.push_back(std::make_unique<RoadTravelTimes>(std::vector<RoadGraph>{city.graph}));
    const RoadTravelTimes& road = *times.back();
    auto measure = [&city, &road](benchmark::State& state) { ManyToOne(state, city, road); };
    // The first radius of the search for drivers, then its last radius; one to one, as for each position on a trip.
    benchmark::RegisterBenchmark((city.name + "/cars/within_m").c_str(), measure)
        ->Args({16, 1500})
        ->Args({16, 12'000})
        ->Args({64, 12'000})
        ->Args({1, 3000})
        ->Unit(benchmark::kMillisecond);
  }
  std::cout << std::flush;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace hail::driver

int main(int argc, char** argv) { return hail::driver::Run(argc, argv); }
