// Solves the same problem with LEMON, for comparison.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "driver-service/domain/assignment.h"

namespace hail::driver {

using MatchedAndCost = std::pair<std::int64_t, std::int64_t>;

MatchedAndCost LemonNetworkSimplex(const std::vector<AssignmentRide>& rides, std::int32_t drivers);
MatchedAndCost LemonCapacityScaling(const std::vector<AssignmentRide>& rides, std::int32_t drivers);
MatchedAndCost LemonCostScaling(const std::vector<AssignmentRide>& rides, std::int32_t drivers);

}  // namespace hail::driver
