#include "driver-service/roads/road_files.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/csv/csv.h"
#include "common/errors/status_macros.h"
#include "driver-service/roads/road_speeds.h"

namespace hail::driver {
namespace {

using NodeNumbers = absl::flat_hash_map<std::int64_t, std::uint32_t>;

constexpr double kMostSeconds = 86'400;
constexpr double kMostMetres = 100'000;

absl::StatusOr<std::string> FileOf(const std::string& prefix, const std::string& table) {
  const std::string plain = absl::StrCat(prefix, "_", table, ".csv");
  for (const std::string& path : {plain, plain + ".gz"}) {
    std::error_code error;
    if (std::filesystem::exists(path, error)) return path;
  }
  return absl::NotFoundError(absl::StrCat("there is neither ", plain, " nor ", plain, ".gz"));
}

absl::StatusOr<double> NumberFrom(const CsvReader& csv, std::size_t column, const std::string& name, double least,
                                  double most) {
  const absl::StatusOr<double> number = csv.Number(column);
  if (!number.ok() || (*number >= least && *number <= most)) return number;
  return csv.Wrong(absl::StrFormat("%s must be from %g to %g", name, least, most));
}

absl::Status ReadNodes(const std::string& path, RoadNetwork* network, NodeNumbers* numbers) {
  enum { kNode, kLat, kLon };
  HAIL_ASSIGN_OR_RETURN(CsvReader csv, CsvReader::Open(path, {"node", "lat", "lon"}));
  while (true) {
    HAIL_ASSIGN_OR_RETURN(const bool more, csv.Next());
    if (!more) return absl::OkStatus();
    std::int64_t node = 0;
    if (!absl::SimpleAtoi(csv.Text(kNode), &node)) return csv.Wrong("node is not a whole number");
    // The range of the projection, and of a plausible receiver.
    HAIL_ASSIGN_OR_RETURN(const double lat, NumberFrom(csv, kLat, "lat", -85, 85));
    HAIL_ASSIGN_OR_RETURN(const double lon, NumberFrom(csv, kLon, "lon", -180, 180));
    if (!numbers->emplace(node, static_cast<std::uint32_t>(network->nodes.size())).second) {
      return csv.Wrong(absl::StrCat("node ", node, " is there already"));
    }
    network->nodes.push_back({lat, lon});
  }
}

// Reads from, to and length_m, the first three columns.
absl::StatusOr<RoadEdge> ReadEdge(const CsvReader& csv, const NodeNumbers& numbers) {
  RoadEdge edge;
  const std::array<std::pair<const char*, std::uint32_t*>, 2> ends = {{{"from", &edge.from}, {"to", &edge.to}}};
  for (std::size_t i = 0; i < ends.size(); ++i) {
    std::int64_t node = 0;
    const auto found = absl::SimpleAtoi(csv.Text(i), &node) ? numbers.find(node) : numbers.end();
    if (found == numbers.end()) {
      return csv.Wrong(absl::StrCat(ends[i].first, " is no node: '", csv.Text(i), "'"));
    }
    *ends[i].second = found->second;
  }
  HAIL_ASSIGN_OR_RETURN(edge.length_m, NumberFrom(csv, 2, "length_m", 0, kMostMetres));
  return edge;
}

absl::Status ReadEdges(const std::string& path, const NodeNumbers& numbers, RoadNetwork* network) {
  std::vector<std::string> columns = {"from", "to", "length_m"};
  absl::StatusOr<CsvReader> csv = CsvReader::Open(path, columns);
  if (!csv.ok()) return csv.status();
  const bool hourly = csv->Has("weekday_s_00");
  if (hourly) {
    for (int hour = 0; hour < 24; ++hour) columns.push_back(absl::StrFormat("weekday_s_%02d", hour));
  } else if (csv->Has("highway")) {
    columns.push_back("highway");
  } else {
    return csv->Wrong("the header has neither weekday_s_00 … weekday_s_23 nor highway");
  }
  csv = CsvReader::Open(path, columns);
  if (!csv.ok()) return csv.status();

  std::vector<HourlySeconds> observed;
  while (true) {
    HAIL_ASSIGN_OR_RETURN(const bool more, csv->Next());
    if (!more) break;
    HAIL_ASSIGN_OR_RETURN(RoadEdge edge, ReadEdge(*csv, numbers));
    if (hourly) {
      HourlySeconds& seconds = observed.emplace_back();
      for (std::size_t hour = 0; hour < 24; ++hour) {
        HAIL_ASSIGN_OR_RETURN(seconds[hour], NumberFrom(*csv, 3 + hour, columns[3 + hour], 0, kMostSeconds));
      }
    } else {
      const std::optional<double> speed_mps = FreeSpeedMps(csv->Text(3));
      if (!speed_mps) return csv->Wrong(absl::StrCat("highway is no class for cars: '", csv->Text(3), "'"));
      edge.time_s = edge.length_m / *speed_mps;
    }
    network->edges.push_back(edge);
  }
  if (hourly) {
    SetObservedTimes(observed, network);
  } else {
    network->hour_factors = CongestionFactors();
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RoadGraph> ReadRoadGraph(const std::string& prefix, double factor) {
  HAIL_ASSIGN_OR_RETURN(const std::string nodes, FileOf(prefix, "nodes"));
  HAIL_ASSIGN_OR_RETURN(const std::string edges, FileOf(prefix, "edges"));
  RoadNetwork network;
  NodeNumbers numbers;
  HAIL_RETURN_IF_ERROR(ReadNodes(nodes, &network, &numbers));
  HAIL_RETURN_IF_ERROR(ReadEdges(edges, numbers, &network));
  for (double& of_hour : network.hour_factors) of_hour *= factor;
  absl::StatusOr<RoadGraph> graph = RoadGraph::Build(network);
  if (graph.ok()) return graph;
  return absl::InvalidArgumentError(absl::StrCat(edges, ": ", graph.status().message()));
}

absl::StatusOr<std::vector<RoadGraph>> ReadRoadGraphs(std::string_view list) {
  std::vector<RoadGraph> graphs;
  std::vector<std::string> problems;
  if (list.empty()) return graphs;
  for (const absl::string_view entry : absl::StrSplit(absl::string_view(list.data(), list.size()), ',')) {
    const std::size_t at = entry.rfind('@');
    const std::string prefix(entry.substr(0, at));
    double factor = 1;
    if (at != absl::string_view::npos &&
        !(absl::SimpleAtod(entry.substr(at + 1), &factor) && factor >= 0.1 && factor <= 10)) {
      problems.push_back(absl::StrCat("the text after @ in '", entry, "' must be a factor from 0.1 to 10"));
      continue;
    }
    if (prefix.empty()) {
      problems.push_back("a prefix must not be empty");
      continue;
    }
    absl::StatusOr<RoadGraph> graph = ReadRoadGraph(prefix, factor);
    if (graph.ok()) {
      graphs.push_back(*std::move(graph));
    } else {
      problems.push_back(std::string(graph.status().message()));
    }
  }
  if (!problems.empty()) return absl::InvalidArgumentError(absl::StrJoin(problems, "; "));
  return graphs;
}

}  // namespace hail::driver
