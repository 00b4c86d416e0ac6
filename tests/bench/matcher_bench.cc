// Measures how long a batch takes to match, and how much longer its pickups are than the optimum.
//
//   build/release/bin/matcher_bench [--benchmark_filter=…]
//
// Built where libbenchmark-dev is installed; compares with LEMON where liblemon-dev is, too.
//
// Counters: matched, the rides that got a driver; pickup_s, the mean of their pickup times; over_edges_pct, the excess
// of the total over the optimum on the same candidates; over_pairs_pct, the excess over the optimum among all pairs of
// a ride and a driver.
#include <algorithm>
#include <map>
#include <memory>
#include <tuple>

#include "benchmark/benchmark.h"
#include "driver-service/domain/assignment.h"
#include "driver-service/domain/batch_matcher.h"
#include "driver-service/domain/matcher.h"
#include "tests/bench/batch_city.h"
#include "tests/bench/lemon_assignment.h"
#include "tests/unit/driver-service/exact_assignment.h"

namespace hail::driver {
namespace {

constexpr std::size_t kCandidates = 16;
constexpr std::uint64_t kSeed = 20260401;

struct Instance {
  Instance(std::size_t rides, std::size_t drivers) : city(rides, drivers, kSeed) {
    std::vector<std::vector<std::int64_t>> pairs(rides), edges(rides);
    const std::vector<WaitingRide> waiting = city.Waiting();
    graph.resize(rides);
    for (std::size_t r = 0; r < rides; ++r) {
      for (std::size_t d = 0; d < drivers; ++d) pairs[r].push_back(city.PickupUs(r, d));
      edges[r].resize(drivers, -1);
      for (const NearDriver& driver : waiting[r].candidates(kCandidates)) {
        const std::size_t d = city.DriverOf(driver.driver_id);
        edges[r][d] = pairs[r][d];
        graph[r].edges.push_back({static_cast<std::int32_t>(d), pairs[r][d]});
      }
    }
    const std::vector<std::int64_t> left_out(rides, 0);
    on_edges = SolveExactly(edges, left_out);
    on_pairs = SolveExactly(pairs, left_out);
  }

  static const Instance& Of(std::size_t rides, std::size_t drivers) {
    static auto& all = *new std::map<std::pair<std::size_t, std::size_t>, std::unique_ptr<Instance>>();
    std::unique_ptr<Instance>& instance = all[{rides, drivers}];
    if (instance == nullptr) instance = std::make_unique<Instance>(rides, drivers);
    return *instance;
  }

  BatchCity city;
  // The candidates alone.
  std::vector<AssignmentRide> graph;
  ExactTotals on_edges;
  ExactTotals on_pairs;
};

const Instance& InstanceOf(const benchmark::State& state) {
  return Instance::Of(static_cast<std::size_t>(state.range(0)), static_cast<std::size_t>(state.range(1)));
}

void Report(benchmark::State& state, const Instance& instance, std::int64_t matched, std::int64_t total_us) {
  // Totals of different numbers of matches cannot be compared.
  auto over_pct = [&](const ExactTotals& exact) {
    return matched != exact.matched ? std::nan("")
                                    : 100 * (static_cast<double>(total_us) / static_cast<double>(exact.cost) - 1);
  };
  state.counters["matched"] = static_cast<double>(matched);
  state.counters["pickup_s"] =
      static_cast<double>(total_us) / 1e6 / static_cast<double>(std::max<std::int64_t>(matched, 1));
  state.counters["over_edges_pct"] = over_pct(instance.on_edges);
  state.counters["over_pairs_pct"] = over_pct(instance.on_pairs);
  state.counters["most_on_edges"] = instance.on_edges.matched;
}

template <typename M>
void BM_Match(benchmark::State& state) {
  const Instance& instance = InstanceOf(state);
  const std::vector<WaitingRide> waiting = instance.city.Waiting();
  std::vector<Proposal> proposals;
  for (auto _ : state) {
    proposals = M().Match(waiting);
    benchmark::DoNotOptimize(proposals.data());
  }
  std::int64_t total_us = 0;
  for (const Proposal& p : proposals)
    total_us += instance.city.PickupUs(p.ride, instance.city.DriverOf(p.driver.driver_id));
  Report(state, instance, static_cast<std::int64_t>(proposals.size()), total_us);
}

// The input of a matcher: sixteen candidates for each ride and their pickup times. This is a part of match/batch, but
// not of solving.
void BM_Candidates(benchmark::State& state) {
  const std::vector<WaitingRide> waiting = InstanceOf(state).city.Waiting();
  for (auto _ : state) {
    for (const WaitingRide& ride : waiting) {
      const std::vector<NearDriver> drivers = ride.candidates(kCandidates);
      benchmark::DoNotOptimize(ride.pickup_times(drivers).data());
    }
  }
}

// Solvers alone, on the candidates as numbers.
template <typename Solve>
void BM_Solve(benchmark::State& state, Solve solve) {
  const Instance& instance = InstanceOf(state);
  MatchedAndCost result;
  for (auto _ : state) {
    result = solve(instance.graph, static_cast<std::int32_t>(instance.city.drivers()));
    benchmark::DoNotOptimize(result);
  }
  Report(state, instance, result.first, result.second);
}

MatchedAndCost Own(const std::vector<AssignmentRide>& rides, std::int32_t drivers) {
  const Assignment assignment = Assign(rides, drivers);
  std::int64_t matched = 0, total = 0;
  for (std::size_t r = 0; r < rides.size(); ++r) {
    for (const AssignmentEdge& edge : rides[r].edges) {
      if (edge.driver != assignment.driver[r]) continue;
      ++matched;
      total += edge.cost;
    }
  }
  return {matched, total};
}

void Sizes(benchmark::internal::Benchmark* bench) {
  bench->Unit(benchmark::kMillisecond)->ArgNames({"rides", "drivers"});
  bench->Args({10, 3000})->Args({100, 3000})->Args({1000, 3000});
  // As many drivers as rides, and too few drivers.
  bench->Args({1000, 1000})->Args({1000, 600});
}

BENCHMARK(BM_Match<BatchMatcher>)->Name("match/batch")->Apply(Sizes);
BENCHMARK(BM_Match<NearestFirstMatcher>)->Name("match/nearest_first")->Apply(Sizes);
BENCHMARK(BM_Candidates)->Name("match/candidates")->Apply(Sizes);
BENCHMARK_CAPTURE(BM_Solve, own, Own)->Name("solve/own")->Apply(Sizes);
#ifdef HAIL_LEMON
BENCHMARK_CAPTURE(BM_Solve, ns, LemonNetworkSimplex)->Name("solve/lemon_network_simplex")->Apply(Sizes);
BENCHMARK_CAPTURE(BM_Solve, cap, LemonCapacityScaling)->Name("solve/lemon_capacity_scaling")->Apply(Sizes);
BENCHMARK_CAPTURE(BM_Solve, cost, LemonCostScaling)->Name("solve/lemon_cost_scaling")->Apply(Sizes);
#endif

}  // namespace
}  // namespace hail::driver

BENCHMARK_MAIN();
