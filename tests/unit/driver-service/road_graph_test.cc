#include "driver-service/domain/road_graph.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <thread>

#include "gtest/gtest.h"

namespace hail::driver {
namespace {

constexpr LatLng kOrigin{37.78, -122.41};
constexpr absl::Duration kLong = absl::Hours(2);

// Metres north and east of the origin.
LatLng At(double north_m, double east_m) { return Toward(Toward(kOrigin, 0, north_m), 90, east_m); }

RoadGraph Built(const RoadNetwork& network, RoadGraph::Options options = {}) {
  absl::StatusOr<RoadGraph> graph = RoadGraph::Build(network, options);
  EXPECT_TRUE(graph.ok()) << graph.status();
  return *std::move(graph);
}

std::optional<RoadGraph::Way> WayBetween(const RoadGraph& graph, const LatLng& from, const LatLng& to, int hour = 0,
                                         absl::Duration longest = kLong) {
  const RoadGraph::Snapped start = graph.Snap(from).value();
  return graph.WaysTo({&start, 1}, graph.Snap(to).value(), hour, longest).front();
}

double SecondsBetween(const RoadGraph& graph, const LatLng& from, const LatLng& to, int hour = 0) {
  return absl::ToDoubleSeconds(WayBetween(graph, from, to, hour).value().time);
}

// A block: nodes 0 1 2 3 clockwise from its north-western corner, 1 km a side, one way clockwise, 100 s a side.
RoadNetwork Block() {
  RoadNetwork network;
  network.nodes = {At(1000, 0), At(1000, 1000), At(0, 1000), At(0, 0)};
  for (std::uint32_t i = 0; i < 4; ++i) network.edges.push_back({i, (i + 1) % 4, 1000, 100});
  return network;
}

TEST(RoadGraph, GoesRoundTheBlockAgainstAOneWayStreet) {
  const RoadNetwork block = Block();
  const RoadGraph graph = Built(block);
  EXPECT_EQ(SecondsBetween(graph, block.nodes[0], block.nodes[1]), 100);
  EXPECT_EQ(SecondsBetween(graph, block.nodes[1], block.nodes[0]), 300);
  EXPECT_EQ(WayBetween(graph, block.nodes[1], block.nodes[0])->distance_m, 3000);
  EXPECT_EQ(SecondsBetween(graph, block.nodes[2], block.nodes[2]), 0);
}

TEST(RoadGraph, TakesTheQuickestWayAndOfEqualsTheShortest) {
  RoadNetwork network = Block();
  // Across: as quick as by the corner, and shorter.
  network.edges.push_back({0, 2, 1414, 200});
  const RoadGraph equal = Built(network);
  EXPECT_EQ(WayBetween(equal, network.nodes[0], network.nodes[2])->distance_m, 1414);
  network.edges.back().time_s = 201;
  const RoadGraph slower = Built(network);
  EXPECT_EQ(WayBetween(slower, network.nodes[0], network.nodes[2])->distance_m, 2000);
  EXPECT_EQ(SecondsBetween(slower, network.nodes[0], network.nodes[2]), 200);
}

TEST(RoadGraph, MultipliesByTheFactorOfTheHour) {
  RoadNetwork network = Block();
  network.hour_factors[17] = 2.5;
  const RoadGraph graph = Built(network);
  EXPECT_EQ(SecondsBetween(graph, network.nodes[0], network.nodes[2], 16), 200);
  EXPECT_EQ(SecondsBetween(graph, network.nodes[0], network.nodes[2], 17), 500);
  EXPECT_EQ(WayBetween(graph, network.nodes[0], network.nodes[2], 17)->distance_m, 2000);
}

TEST(RoadGraph, LooksNoFurtherThanTold) {
  RoadNetwork network = Block();
  network.hour_factors[17] = 2;
  const RoadGraph graph = Built(network);
  EXPECT_TRUE(WayBetween(graph, network.nodes[0], network.nodes[2], 0, absl::Seconds(200)));
  EXPECT_FALSE(WayBetween(graph, network.nodes[0], network.nodes[2], 0, absl::Seconds(199.9)));
  EXPECT_TRUE(WayBetween(graph, network.nodes[0], network.nodes[2], 17, absl::Seconds(400)));
  EXPECT_FALSE(WayBetween(graph, network.nodes[0], network.nodes[2], 17, absl::Seconds(399)));
  EXPECT_TRUE(WayBetween(graph, network.nodes[0], network.nodes[0], 0, absl::ZeroDuration()));
  EXPECT_TRUE(WayBetween(graph, network.nodes[0], network.nodes[2], 0, absl::InfiniteDuration()));
}

TEST(RoadGraph, SnapsToEdgesWithinReach) {
  const RoadNetwork block = Block();
  const RoadGraph graph = Built(block, {.snap_m = 150});
  const auto corner = graph.Snap(block.nodes[0]);
  ASSERT_TRUE(corner);
  EXPECT_EQ(corner->distance_m, 0);
  EXPECT_EQ(corner->edges.size(), 2u) << "one that ends there and one that begins";
  EXPECT_NEAR(graph.Snap(At(1090, -90))->distance_m, std::hypot(90, 90), 0.1);
  const auto middle = graph.Snap(At(1040, 500));
  ASSERT_TRUE(middle);
  EXPECT_NEAR(middle->distance_m, 40, 0.1);
  ASSERT_EQ(middle->edges.size(), 1u);
  EXPECT_NEAR(middle->edges[0].part, 0.5, 1e-3);
  EXPECT_TRUE(graph.Snap(At(1149, 0)));
  EXPECT_FALSE(graph.Snap(At(1151, 0)));
  EXPECT_TRUE(graph.Snap(At(500, 851)));
  EXPECT_FALSE(graph.Snap(At(500, 500)));
  EXPECT_FALSE(graph.Snap({-kOrigin.latitude_deg, kOrigin.longitude_deg}));
  EXPECT_FALSE(graph.Snap({std::numeric_limits<double>::quiet_NaN(), 0}));
  EXPECT_FALSE(graph.Snap({90, 180}));
}

TEST(RoadGraph, CountsTheRestOfAnEdgeInItsDirection) {
  const RoadNetwork block = Block();
  const RoadGraph graph = Built(block);
  // Along one edge, forward and back.
  EXPECT_NEAR(SecondsBetween(graph, At(1000, 200), At(1000, 700)), 50, 0.1);
  EXPECT_NEAR(SecondsBetween(graph, At(1000, 700), At(1000, 200)), 350, 0.1);
  EXPECT_NEAR(WayBetween(graph, At(1000, 700), At(1000, 200))->distance_m, 3500, 1);
  // From one edge onto another, each 30 m beside it.
  EXPECT_NEAR(SecondsBetween(graph, At(1030, 700), At(600, 1030)), 30 + 40 + 2 * 10, 0.1);
  EXPECT_NEAR(WayBetween(graph, At(1030, 700), At(600, 1030))->distance_m, 300 + 400 + 60, 1);
}

TEST(RoadGraph, AnHourMakesNoApproachSlower) {
  RoadNetwork network = Block();
  network.hour_factors[17] = 2.5;
  const RoadGraph graph = Built(network);
  EXPECT_NEAR(SecondsBetween(graph, At(1030, 200), At(1030, 700), 17), 2.5 * 50 + 2 * 10, 0.1);
}

// A street both ways, and beside its end a ramp that comes back after some kilometres.
TEST(RoadGraph, ARampThatIsNearestIsNotTheOnlyWay) {
  RoadNetwork network;
  for (int i = 0; i < 7; ++i) network.nodes.push_back(At(0, 100.0 * i));
  network.nodes.push_back(At(6, 642));
  network.nodes.push_back(At(6, 6000));
  for (std::uint32_t i = 0; i < 6; ++i) {
    network.edges.push_back({i, i + 1, 100, 10});
    network.edges.push_back({i + 1, i, 100, 10});
  }
  network.edges.push_back({6, 7, 12'000, 400});
  network.edges.push_back({7, 8, 5600, 200});
  network.edges.push_back({8, 6, 5600, 200});
  const RoadGraph graph = Built(network);
  const LatLng at_the_ramp = At(6, 642);
  EXPECT_NEAR(SecondsBetween(graph, At(0, 0), at_the_ramp), 60 + 42 / 3.0, 1);
  EXPECT_LT(SecondsBetween(graph, at_the_ramp, At(0, 0)), 60 + 42 / 3.0 + 1);
  // With no slack it is.
  const RoadGraph strict = Built(network, {.slack_m = 0});
  EXPECT_GT(SecondsBetween(strict, At(0, 0), at_the_ramp), 400);
}

TEST(RoadGraph, SnapsAsAComparisonWithEveryEdgeWould) {
  std::mt19937 random(11);
  std::uniform_real_distribution<double> metres(-1500, 1500);
  RoadNetwork network;
  for (std::uint32_t i = 0; i < 100; ++i) {
    network.nodes.push_back(At(metres(random), metres(random)));
    network.edges.push_back({i, (i + 1) % 100, 1, 1});
  }
  // In metres north and east, by many points of each edge.
  const auto distance_m = [&](const RoadEdge& edge, const LatLng& place) {
    double nearest_m = std::numeric_limits<double>::infinity();
    for (int i = 0; i <= 4000; ++i) {
      const double part = i / 4000.0;
      const LatLng& a = network.nodes[edge.from];
      const LatLng& b = network.nodes[edge.to];
      nearest_m = std::min(nearest_m, DistanceM({a.latitude_deg + part * (b.latitude_deg - a.latitude_deg),
                                                 a.longitude_deg + part * (b.longitude_deg - a.longitude_deg)},
                                                place));
    }
    return nearest_m;
  };
  for (const double snap_m : {3.0, 80.0, 5000.0}) {
    const RoadGraph graph = Built(network, {.snap_m = snap_m, .slack_m = 60});
    for (int i = 0; i < 10; ++i) {
      const LatLng place = At(metres(random), metres(random));
      std::vector<double> distances;
      for (const RoadEdge& edge : network.edges) distances.push_back(distance_m(edge, place));
      std::sort(distances.begin(), distances.end());
      const auto within = [&](double reach_m) {
        return static_cast<std::size_t>(std::upper_bound(distances.begin(), distances.end(), reach_m) -
                                        distances.begin());
      };
      const double reach_m = std::min(snap_m, distances[0] + 60);
      const auto snapped = graph.Snap(place);
      // Flat and round, and points and lines, differ by less than this.
      const double error_m = 1.5;
      const std::size_t found = snapped ? snapped->edges.size() : 0;
      EXPECT_GE(found, distances[0] > snap_m - error_m ? 0 : within(reach_m - error_m)) << snap_m << " " << i;
      EXPECT_LE(found, within(reach_m + error_m)) << snap_m << " " << i;
      if (snapped) {
        EXPECT_NEAR(snapped->distance_m, distances[0], error_m);
      }
    }
  }
}

TEST(RoadGraph, KeepsOnlyWhatCanBeDrivenAboutIn) {
  RoadNetwork network = Block();
  // A car park that nothing leaves, nearer to the place asked for than the corner.
  network.nodes.push_back(At(1100, 0));
  network.edges.push_back({0, 4, 100, 10});
  const RoadGraph graph = Built(network);
  EXPECT_EQ(graph.node_count(), 4u);
  EXPECT_EQ(graph.edge_count(), 4u);
  EXPECT_NEAR(graph.Snap(At(1100, 0))->distance_m, 100, 0.1);
}

// Of every pair, by Floyd and Warshall.
TEST(RoadGraph, FindsWhatComparingAllWaysFinds) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    const std::uint32_t nodes = 2 + random() % 20;
    RoadNetwork network;
    // On a circle, so that no edge passes by another node.
    for (std::uint32_t i = 0; i < nodes; ++i) {
      network.nodes.push_back(Toward(kOrigin, 360.0 * i / nodes, 8000));
    }
    // A ring, so that everything can be reached, and some more, few times so that many ways are as quick.
    for (std::uint32_t i = 0; i < nodes; ++i) network.edges.push_back({i, (i + 1) % nodes, 1.0 + random() % 9, 5});
    for (std::uint32_t i = random() % (3 * nodes); i > 0; --i) {
      network.edges.push_back({static_cast<std::uint32_t>(random() % nodes),
                               static_cast<std::uint32_t>(random() % nodes), 1.0 + random() % 9, 1.0 + random() % 9});
    }
    using TimeAndLength = std::pair<double, double>;
    const double never = std::numeric_limits<double>::infinity();
    std::vector<std::vector<TimeAndLength>> best(nodes, std::vector<TimeAndLength>(nodes, {never, never}));
    for (std::uint32_t i = 0; i < nodes; ++i) best[i][i] = {0, 0};
    for (const RoadEdge& edge : network.edges) {
      best[edge.from][edge.to] = std::min(best[edge.from][edge.to], {edge.time_s, edge.length_m});
    }
    for (std::uint32_t k = 0; k < nodes; ++k) {
      for (std::uint32_t i = 0; i < nodes; ++i) {
        for (std::uint32_t j = 0; j < nodes; ++j) {
          best[i][j] =
              std::min(best[i][j], {best[i][k].first + best[k][j].first, best[i][k].second + best[k][j].second});
        }
      }
    }
    const RoadGraph graph = Built(network);
    std::vector<RoadGraph::Snapped> all;
    for (const LatLng& node : network.nodes) all.push_back(graph.Snap(node).value());
    const double longest_s = 1 + random() % 40;
    for (std::uint32_t to = 0; to < nodes; ++to) {
      const auto ways = graph.WaysTo(all, all[to], 0, absl::Seconds(longest_s));
      ASSERT_EQ(ways.size(), nodes);
      for (std::uint32_t from = 0; from < nodes; ++from) {
        ASSERT_EQ(ways[from].has_value(), best[from][to].first <= longest_s) << round << ": " << from << "→" << to;
        if (!ways[from]) continue;
        EXPECT_EQ(absl::ToDoubleSeconds(ways[from]->time), best[from][to].first);
        EXPECT_EQ(ways[from]->distance_m, best[from][to].second);
        // One by one it is the same.
        EXPECT_EQ(graph.WaysTo({&all[from], 1}, all[to], 0, absl::Seconds(longest_s)).front(), ways[from]);
      }
    }
  }
}

TEST(RoadGraph, TakesTheSameStartTwiceAndNone) {
  const RoadNetwork block = Block();
  const RoadGraph graph = Built(block);
  const RoadGraph::Snapped to = graph.Snap(block.nodes[0]).value();
  const std::vector<RoadGraph::Snapped> twice(2, graph.Snap(block.nodes[1]).value());
  const auto ways = graph.WaysTo(twice, to, 0, kLong);
  EXPECT_EQ(ways[0], ways[1]);
  EXPECT_EQ(ways[0]->time, absl::Seconds(300));
  EXPECT_TRUE(graph.WaysTo({}, to, 0, kLong).empty());
}

TEST(RoadGraph, ThreadsAndGraphsDoNotDisturbEachOther) {
  const RoadNetwork block = Block();
  const RoadGraph small = Built(block);
  RoadNetwork ring;
  for (std::uint32_t i = 0; i < 300; ++i) {
    ring.nodes.push_back(At(300.0 * i, 0));
    ring.edges.push_back({i, (i + 1) % 300, 10, 1});
  }
  const RoadGraph large = Built(ring);
  const auto ask = [&] {
    for (std::uint32_t i = 0; i < 200; ++i) {
      EXPECT_EQ(SecondsBetween(large, ring.nodes[i], ring.nodes[i + 50]), 50);
      EXPECT_EQ(SecondsBetween(small, block.nodes[i % 4], block.nodes[(i + 3) % 4]), 300);
    }
  };
  std::thread other(ask);
  ask();
  other.join();
}

TEST(RoadGraph, RefusesWhatIsOutOfRange) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto refused = [](auto change) {
    RoadNetwork network = Block();
    change(network);
    const absl::Status status = RoadGraph::Build(network).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_EQ(refused([](RoadNetwork& n) { n.edges[2].to = 4; }), "edge 2: no such node");
  EXPECT_EQ(refused([=](RoadNetwork& n) { n.edges[1].time_s = nan; }), "edge 1: time must be from 0 to 86400 s");
  EXPECT_EQ(refused([](RoadNetwork& n) { n.edges[3].length_m = -1; }), "edge 3: length must be from 0 to 100000 m");
  EXPECT_EQ(refused([](RoadNetwork& n) { n.nodes[0].latitude_deg = 86; }),
            "node 0: latitude must be from -85 to 85, longitude from -180 to 180");
  EXPECT_EQ(refused([](RoadNetwork& n) { n.hour_factors[5] = 0; }), "factor of hour 5: must be from 0.01 to 100");
  EXPECT_EQ(refused([](RoadNetwork& n) { n.edges.pop_back(); }), "no two nodes can be reached from each other");
  EXPECT_EQ(refused([](RoadNetwork& n) { n = {}; }), "no two nodes can be reached from each other");
  EXPECT_FALSE(RoadGraph::Build(Block(), {.snap_m = nan}).ok());
}

}  // namespace
}  // namespace hail::driver
