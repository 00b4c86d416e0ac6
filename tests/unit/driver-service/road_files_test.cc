#include "driver-service/roads/road_files.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "driver-service/roads/road_speeds.h"
#include "gtest/gtest.h"
#include "tests/unit/temp_file.h"

namespace hail::driver {
namespace {

constexpr LatLng kWest{37.78, -122.42};
constexpr LatLng kEast{37.78, -122.40};
constexpr char kNodes[] = "node,lat,lon\n7,37.78,-122.42\n9,37.78,-122.40\n";
constexpr char kByClass[] = "from,to,length_m,lanes,highway\n7,9,2000,1,residential\n9,7,2000,2,primary\n";

// An edge table with observed seconds. Each row holds from, to, length, and a value for each hour.
std::string Hourly(const std::vector<std::pair<std::string, std::string>>& rows) {
  std::string text = "edge,from,to,length_m";
  for (int hour = 0; hour < 24; ++hour) absl::StrAppend(&text, ",weekday_s_", hour < 10 ? "0" : "", hour);
  for (const auto& [edge, seconds] : rows) {
    absl::StrAppend(&text, "\n1,", edge);
    for (int hour = 0; hour < 24; ++hour) absl::StrAppend(&text, ",", seconds);
  }
  return text + "\n";
}

absl::Duration TimeBetween(const RoadGraph& graph, const LatLng& from, const LatLng& to, int hour) {
  const RoadGraph::Snapped start = graph.Snap(from).value();
  return graph.WaysTo({&start, 1}, graph.Snap(to).value(), hour, absl::Hours(2)).front().value().time;
}

class RoadFiles : public ::testing::Test {
 protected:
  std::string Prefix() const { return directory_.path("town"); }
  std::string Refusal() const { return std::string(ReadRoadGraph(Prefix(), 1).status().message()); }
  std::string EdgesRefusal(const std::string& edges) const {
    directory_.Write("town_nodes.csv", kNodes);
    directory_.Write("town_edges.csv", edges);
    return Refusal();
  }

  hail::testing::TempDirectory directory_;
};

TEST_F(RoadFiles, TimesByClassOfStreetAndHour) {
  directory_.Write("town_nodes.csv", kNodes);
  directory_.WriteGzip("town_edges.csv.gz", kByClass);
  const absl::StatusOr<RoadGraph> graph = ReadRoadGraph(Prefix(), 1.5);
  ASSERT_TRUE(graph.ok()) << graph.status();
  for (const int hour : {3, 17}) {
    const double factor = 1.5 * CongestionFactors()[static_cast<std::size_t>(hour)];
    EXPECT_NEAR(absl::ToDoubleSeconds(TimeBetween(*graph, kWest, kEast, hour)),
                2000 / FreeSpeedMps("residential").value() * factor, 0.01);
    EXPECT_NEAR(absl::ToDoubleSeconds(TimeBetween(*graph, kEast, kWest, hour)),
                2000 / FreeSpeedMps("primary").value() * factor, 0.01);
  }
}

TEST_F(RoadFiles, TimesAsObserved) {
  directory_.WriteGzip("town_nodes.csv.gz", kNodes);
  directory_.Write("town_edges.csv", Hourly({{"7,9,2000", "240"}, {"9,7,2000", "60"}}));
  const absl::StatusOr<RoadGraph> graph = ReadRoadGraph(Prefix(), 1);
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(TimeBetween(*graph, kWest, kEast, 12), absl::Seconds(240));
  EXPECT_EQ(TimeBetween(*graph, kEast, kWest, 12), absl::Seconds(60));
}

TEST_F(RoadFiles, NamesTheFileThatIsMissing) {
  EXPECT_TRUE(absl::IsNotFound(ReadRoadGraph(Prefix(), 1).status()));
  EXPECT_EQ(Refusal(), absl::StrCat("there is neither ", Prefix(), "_nodes.csv nor ", Prefix(), "_nodes.csv.gz"));
  directory_.Write("town_nodes.csv", kNodes);
  EXPECT_TRUE(absl::StrContains(Refusal(), "town_edges.csv")) << Refusal();
}

TEST_F(RoadFiles, NamesTheLineOfNodesAtFault) {
  directory_.Write("town_edges.csv", kByClass);
  const auto refusal = [&](const std::string& nodes) {
    directory_.Write("town_nodes.csv", nodes);
    return Refusal();
  };
  const std::string file = Prefix() + "_nodes.csv:";
  EXPECT_EQ(refusal("node,lat\n"), file + "1: no column 'lon' in the header");
  EXPECT_EQ(refusal("node,lat,lon\n1,2,3\nx,2,3\n"), file + "3: node is not a whole number");
  EXPECT_EQ(refusal("node,lat,lon\n1,2,3\n\n1,2,4\n"), file + "4: node 1 is there already");
  EXPECT_EQ(refusal("node,lat,lon\n1,north,3\n"), file + "2: lat is not a number: 'north'");
  EXPECT_EQ(refusal("node,lat,lon\n1,86,3\n"), file + "2: lat must be from -85 to 85");
  EXPECT_EQ(refusal("node,lat,lon\n1,2,-181\n"), file + "2: lon must be from -180 to 180");
  EXPECT_EQ(refusal("node,lat,lon\n1,2\n"), file + "2: 2 fields, the header has 3");
}

TEST_F(RoadFiles, NamesTheLineOfEdgesAtFault) {
  const std::string file = Prefix() + "_edges.csv:";
  EXPECT_EQ(EdgesRefusal("from,to,length_m\n7,9,1\n"),
            file + "1: the header has neither weekday_s_00 … weekday_s_23 nor highway");
  EXPECT_EQ(EdgesRefusal("from,to,length_m,weekday_s_00\n7,9,1,2\n"),
            file + "1: no column 'weekday_s_01' in the header");
  EXPECT_EQ(EdgesRefusal("from,to,length_m,highway\n7,9,1,primary\n7,8,1,primary\n"), file + "3: to is no node: '8'");
  EXPECT_EQ(EdgesRefusal("from,to,length_m,highway\nseven,9,1,primary\n"), file + "2: from is no node: 'seven'");
  EXPECT_EQ(EdgesRefusal("from,to,length_m,highway\n7,9,-1,primary\n"), file + "2: length_m must be from 0 to 100000");
  EXPECT_EQ(EdgesRefusal("from,to,length_m,highway\n7,9,1,footway\n"),
            file + "2: highway is no class for cars: 'footway'");
  EXPECT_EQ(EdgesRefusal(Hourly({{"7,9,2000", "240"}, {"9,7,2000", "-1"}})),
            file + "3: weekday_s_00 must be from 0 to 86400");
  // A dead-end street is no fault of one line.
  EXPECT_EQ(EdgesRefusal("from,to,length_m,highway\n7,9,1,primary\n"),
            Prefix() + "_edges.csv: no two nodes can be reached from each other");
}

TEST_F(RoadFiles, ReadsSeveralEachWithItsFactor) {
  directory_.Write("town_nodes.csv", kNodes);
  directory_.Write("town_edges.csv", Hourly({{"7,9,2000", "100"}, {"9,7,2000", "100"}}));
  const auto graphs = ReadRoadGraphs(absl::StrCat(Prefix(), ",", Prefix(), "@1.5"));
  ASSERT_TRUE(graphs.ok()) << graphs.status();
  ASSERT_EQ(graphs->size(), 2u);
  EXPECT_EQ(TimeBetween((*graphs)[0], kWest, kEast, 0), absl::Seconds(100));
  EXPECT_EQ(TimeBetween((*graphs)[1], kWest, kEast, 0), absl::Seconds(150));
  EXPECT_TRUE(ReadRoadGraphs("")->empty());
}

TEST_F(RoadFiles, ListsWhatIsWrongWithEachOfSeveral) {
  const std::string wrong = std::string(ReadRoadGraphs("/none/a,/none/b@fast,,/none/c@2").status().message());
  for (const char* part : {"/none/a_nodes.csv", "'/none/b@fast' must be a factor from 0.1 to 10",
                           "a prefix must not be empty", "/none/c_nodes.csv"}) {
    EXPECT_TRUE(absl::StrContains(wrong, part)) << wrong;
  }
}

}  // namespace
}  // namespace hail::driver
