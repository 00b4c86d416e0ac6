#include "driver-service/domain/road_travel_times.h"

#include <random>

#include "gtest/gtest.h"

namespace hail::driver {
namespace {

constexpr LatLng kOrigin{37.78, -122.41};
// 00:20 by the sun at the origin.
const absl::Time kMidnight = absl::UnixEpoch() + absl::Hours(8.5);

LatLng At(double north_m, double east_m) { return Toward(Toward(kOrigin, 0, north_m), 90, east_m); }

// Five by five corners 500 m apart, streets both ways at 10 m/s. The river between the third and the fourth column is
// crossed on the northernmost row only.
RoadNetwork Town() {
  RoadNetwork network;
  for (std::uint32_t row = 0; row < 5; ++row) {
    for (std::uint32_t column = 0; column < 5; ++column) {
      network.nodes.push_back(At(500.0 * row, 500.0 * column));
      const std::uint32_t node = 5 * row + column;
      const auto street = [&](std::uint32_t other) {
        network.edges.push_back({node, other, 500, 50});
        network.edges.push_back({other, node, 500, 50});
      };
      if (row > 0) street(node - 5);
      if (column > 0 && (column != 3 || row == 4)) street(node - 1);
    }
  }
  return network;
}

std::vector<RoadGraph> Graphs(const RoadNetwork& network) { return {RoadGraph::Build(network).value()}; }

TEST(RoadTravelTimes, GoesRoundByTheBridge) {
  const RoadTravelTimes times(Graphs(Town()));
  const TravelEstimate way = times.Estimate(At(0, 1000), At(0, 1500), kMidnight);
  EXPECT_NEAR(way.distance_m, 4500, 1);
  EXPECT_NEAR(absl::ToDoubleSeconds(way.time), 450, 1);
}

TEST(RoadTravelTimes, AddsTheWaysToTheStreetAtAnApproachesSpeed) {
  const RoadTravelTimes times(Graphs(Town()));
  const TravelEstimate way = times.Estimate(At(0, -60), At(1000, -30), kMidnight);
  EXPECT_NEAR(way.distance_m, 60 + 1000 + 30, 1);
  EXPECT_NEAR(absl::ToDoubleSeconds(way.time), 20 + 100 + 10, 0.5);
}

TEST(RoadTravelTimes, GoesAlongAPartOfAStreet) {
  const RoadTravelTimes times(Graphs(Town()));
  const TravelEstimate way = times.Estimate(At(100, 0), At(150, 0), kMidnight);
  EXPECT_NEAR(way.distance_m, 50, 1);
  EXPECT_NEAR(absl::ToDoubleSeconds(way.time), 5, 0.1);
}

TEST(RoadTravelTimes, TakesTheLocalHour) {
  RoadNetwork town = Town();
  town.hour_factors[1] = 3;
  const RoadTravelTimes times(Graphs(town));
  EXPECT_NEAR(absl::ToDoubleSeconds(times.Estimate(At(0, 0), At(0, 500), kMidnight).time), 50, 0.5);
  EXPECT_NEAR(absl::ToDoubleSeconds(times.Estimate(At(0, 0), At(0, 500), kMidnight + absl::Hours(1)).time), 150, 0.5);
}

TEST(RoadTravelTimes, OffTheGraphIsTheStraightLine) {
  const StraightLineTravelTimes straight;
  const RoadTravelTimes times(Graphs(Town()));
  const RoadTravelTimes none({});
  const LatLng in_town = At(0, 0);
  const LatLng far = At(-5000, 0);
  const auto expect_straight = [&](const TravelTimes& by, const LatLng& from, const LatLng& to) {
    const TravelEstimate expected = straight.Estimate(from, to, kMidnight);
    const TravelEstimate way = by.Estimate(from, to, kMidnight);
    EXPECT_EQ(way.time, expected.time);
    EXPECT_EQ(way.distance_m, expected.distance_m);
  };
  expect_straight(times, in_town, far);
  expect_straight(times, far, in_town);
  expect_straight(times, far, At(-6000, 0));
  expect_straight(none, At(0, 1000), At(0, 1500));
  // Nearer to each other than to any street: a car that is almost there is not sent to the street and back.
  expect_straight(times, At(-100, 250), At(-100, 300));
  expect_straight(times, At(-150, 190), At(-150, 310));
  expect_straight(times, in_town, in_town);
}

TEST(RoadTravelTimes, CountsALongDetourAsLongWithoutFollowingIt) {
  RoadNetwork town = Town();
  for (RoadEdge& edge : town.edges) edge.time_s *= 100;
  const RoadTravelTimes times(Graphs(town));
  const StraightLineTravelTimes straight;
  const absl::Duration expected = absl::Minutes(10) + 4 * straight.Estimate(At(0, 1000), At(0, 1500), kMidnight).time;
  EXPECT_EQ(times.Estimate(At(0, 1000), At(0, 1500), kMidnight).time, expected);
  // The same holds where the search for a farther origin goes beyond this one.
  const LatLng both[] = {At(0, 1000), At(-30'000, 0), At(0, 0)};
  EXPECT_EQ(times.EstimateTo(both, At(0, 1500), kMidnight)[0].time, expected);
}

TEST(RoadTravelTimes, TheGraphOfTheDestinationCounts) {
  RoadNetwork there = Town();
  for (LatLng& node : there.nodes) node = Toward(node, 0, 50'000);
  for (RoadEdge& edge : there.edges) edge.time_s = 20;
  std::vector<RoadGraph> graphs = Graphs(Town());
  graphs.push_back(RoadGraph::Build(there).value());
  const RoadTravelTimes times(std::move(graphs));
  EXPECT_NEAR(absl::ToDoubleSeconds(times.Estimate(At(0, 0), At(0, 500), kMidnight).time), 50, 0.5);
  EXPECT_NEAR(absl::ToDoubleSeconds(times.Estimate(At(50'000, 0), At(50'000, 500), kMidnight).time), 20, 3);
  EXPECT_EQ(times.Estimate(At(0, 0), At(50'000, 0), kMidnight).time,
            StraightLineTravelTimes().Estimate(At(0, 0), At(50'000, 0), kMidnight).time);
}

TEST(RoadTravelTimes, ManyToOneIsAsOneByOne) {
  const RoadTravelTimes times(Graphs(Town()));
  std::mt19937 random(5);
  // Some of them off the graph.
  std::uniform_real_distribution<double> metres(-600, 2600);
  for (int round = 0; round < 50; ++round) {
    std::vector<LatLng> from;
    for (int i = 0; i < 16; ++i) from.push_back(At(metres(random), metres(random)));
    const LatLng to = At(metres(random), metres(random));
    const std::vector<TravelEstimate> ways = times.EstimateTo(from, to, kMidnight);
    ASSERT_EQ(ways.size(), from.size());
    for (std::size_t i = 0; i < from.size(); ++i) {
      const TravelEstimate alone = times.Estimate(from[i], to, kMidnight);
      EXPECT_EQ(ways[i].time, alone.time);
      EXPECT_EQ(ways[i].distance_m, alone.distance_m);
    }
  }
  EXPECT_TRUE(times.EstimateTo({}, kOrigin, kMidnight).empty());
}

}  // namespace
}  // namespace hail::driver
