#include "driver-service/domain/car_search.h"

#include <algorithm>

namespace hail::driver {

std::vector<NearDriver> CarSearch::Nearest(absl::Time now, const RideNeeds& needs, double radius_m, std::size_t limit,
                                           absl::FunctionRef<bool(const std::string&)> accept) const {
  return index_.Nearest(needs.pickup, limit, std::min(radius_m, radius_max_m_),
                        {needs.region_id, needs.product_id, needs.seats, now - freshness_}, accept);
}

std::vector<NearDriver> CarSearch::Nearest(absl::Time now, const RideNeeds& needs, double radius_m,
                                           std::size_t limit) const {
  return Nearest(now, needs, radius_m, limit, [](const std::string&) { return true; });
}

}  // namespace hail::driver
