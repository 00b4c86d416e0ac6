// Road graphs as tables: PREFIX_nodes.csv and PREFIX_edges.csv, plain or with the suffix .gz.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "driver-service/domain/road_graph.h"

namespace hail::driver {

// Nodes have the columns node, lat, lon: a unique whole number, degrees. Edges have from, to (nodes), length_m, and one
// of
// - weekday_s_00 … weekday_s_23, the seconds observed at each local hour (SetObservedTimes);
// - highway, the class in OpenStreetMap (FreeSpeedMps, CongestionFactors).
// Other columns are ignored. All times are multiplied by `factor`, from 0.1 to 10.
//
// NOT_FOUND for a missing file, INVALID_ARGUMENT for a file with an error; the message names file and line.
absl::StatusOr<RoadGraph> ReadRoadGraph(const std::string& prefix, double factor);

// Several graphs, as configured: "PREFIX,PREFIX@FACTOR". Without @ the factor is 1. Empty: none. Errors as above: the
// first of each graph, joined.
absl::StatusOr<std::vector<RoadGraph>> ReadRoadGraphs(std::string_view list);

}  // namespace hail::driver
