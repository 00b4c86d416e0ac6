// Measures the index of positions: `location_index_bench`, or a part of it with --benchmark_filter=Nearest.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "driver-service/domain/location_index.h"
#include "tests/bench/city.h"

namespace hail::bench {
namespace {

using driver::Fix;
using driver::LocationIndex;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

Fix FixAt(const LatLng& point, std::uint64_t seq) {
  return {.point = point,
          .session_epoch = 1,
          .position_seq = seq,
          .observed = kNow,
          .speed_mps = 8.0f,
          .heading_deg = 90.0f,
          .accuracy_m = 5.0f};
}

// An index of `drivers` drivers, made once for each number.
struct FullCity {
  explicit FullCity(std::size_t drivers) {
    City city(drivers);
    for (std::size_t i = 0; i < drivers; ++i) {
      const std::string id = City::DriverId(i);
      index.SetCar(id, City::Car(i));
      index.Update(id, FixAt(city.Place(), 1));
      index.SetOnMap(id, true);
    }
  }

  static FullCity& Of(std::size_t drivers) {
    static auto& made = *new std::map<std::size_t, std::unique_ptr<FullCity>>;
    std::unique_ptr<FullCity>& city = made[drivers];
    if (city == nullptr) city = std::make_unique<FullCity>(drivers);
    return *city;
  }

  LocationIndex index;
};

// Finds the ten nearest of half the drivers, from places where people are.
void Nearest(benchmark::State& state) {
  const LocationIndex& index = FullCity::Of(static_cast<std::size_t>(state.range(0))).index;
  City city(42);
  std::vector<LatLng> pickups(1 << 14);
  for (LatLng& pickup : pickups) pickup = city.Place();
  const driver::NearestFilter filter{
      .region_id = City::kRegion, .product_id = City::kProduct, .seats = 5, .fresh_after = kNow - absl::Seconds(30)};
  std::size_t next = 0;
  for (auto _ : state) {
    auto found = index.Nearest(pickups[next++ % pickups.size()], 10, 12'000, filter);
    benchmark::DoNotOptimize(found);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(Nearest)->Arg(10'000)->Arg(100'000)->Arg(1'000'000);

// Each thread drives its share of 100,000 drivers, in random order, tens of metres at a time.
void Update(benchmark::State& state) {
  constexpr std::size_t kDrivers = 100'000;
  struct Car {
    std::string driver_id;
    // Each driver goes there and back, so that the city keeps its shape however long this runs.
    LatLng ends[2];
  };
  static LocationIndex* index = nullptr;
  if (state.thread_index() == 0) index = &FullCity::Of(kDrivers).index;
  const auto thread = static_cast<std::size_t>(state.thread_index());
  const auto threads = static_cast<std::size_t>(state.threads());
  City city(7);
  std::vector<Car> cars;
  City homes(kDrivers);
  for (std::size_t i = 0; i < kDrivers; ++i) {
    const LatLng home = homes.Place();
    const LatLng away = city.Drive(home);
    if (i % threads == thread) cars.push_back({City::DriverId(i), {home, away}});
  }
  for (std::size_t i = cars.size() - 1; i > 0; --i) std::swap(cars[i], cars[city.Below(i + 1)]);
  std::size_t next = 0;
  std::size_t lap = 0;
  std::uint64_t taken = 0;
  // A run's sequence begins after that of the earlier runs.
  static std::atomic<std::uint64_t> runs{0};
  std::uint64_t seq = (runs.fetch_add(1) + 1) << 40;
  for (auto _ : state) {
    const Car& car = cars[next];
    taken += index->Update(car.driver_id, FixAt(car.ends[lap % 2], ++seq)) ? 1 : 0;
    if (++next == cars.size()) next = 0, ++lap;
  }
  if (taken != static_cast<std::uint64_t>(state.iterations())) state.SkipWithError("an update was not taken");
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(Update)->Threads(1)->Threads(2)->UseRealTime();

// The upper limit for two threads: reads and writes at random as many cache lines as the index of 100,000 drivers has,
// each line by only one thread.
void MemoryFloor(benchmark::State& state) {
  struct alignas(64) Line {
    std::uint64_t words[8];
  };
  constexpr std::size_t kLines = 100'000 * 5;
  static auto& lines = *new std::vector<Line>(kLines);
  const auto threads = static_cast<std::size_t>(state.threads());
  const std::size_t share = kLines / threads;
  Line* const mine = &lines[share * static_cast<std::size_t>(state.thread_index())];
  std::uint64_t x = 88'172'645'463'325'252u + static_cast<std::uint64_t>(state.thread_index());
  for (auto _ : state) {
    // Five lines, as many as an update touches. Each address depends on the line read before.
    for (int i = 0; i < 5; ++i) {
      x ^= x << 13, x ^= x >> 7, x ^= x << 17;
      std::uint64_t& word = mine[x % share].words[x % 8];
      word += i;
      x += word & 1;
    }
  }
  benchmark::DoNotOptimize(x);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(MemoryFloor)->Threads(1)->Threads(2)->UseRealTime();

}  // namespace
}  // namespace hail::bench

int main(int argc, char** argv) {
  // The services switch the detection off, too.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
