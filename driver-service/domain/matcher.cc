#include "driver-service/domain/matcher.h"

#include <algorithm>
#include <set>
#include <utility>

namespace hail::driver {

std::vector<Proposal> NearestFirstMatcher::Match(const std::vector<WaitingRide>& rides) const {
  std::vector<Proposal> proposals;
  std::set<std::string> taken;
  for (std::size_t i = 0; i < rides.size(); ++i) {
    // Usually the nearest is free, so a few are requested first; more only while all of those are taken.
    for (std::size_t limit = 4;; limit *= 4) {
      std::vector<NearDriver> found = rides[i].candidates(limit);
      auto free = std::find_if(found.begin(), found.end(),
                               [&](const NearDriver& driver) { return !taken.contains(driver.driver_id); });
      if (free != found.end()) {
        taken.insert(free->driver_id);
        proposals.push_back({i, std::move(*free)});
        break;
      }
      if (found.size() < limit) break;
    }
  }
  return proposals;
}

}  // namespace hail::driver
