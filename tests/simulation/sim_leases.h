// Leases of the processes that share a simulated store: the rules of common/postgres/lease.h.
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace hail::simulation {

// Times are wall.
class SimLeases {
 public:
  // FAILED_PRECONDITION once the holder has ended its lease.
  absl::Status Renew(const std::string& holder, absl::Time end) {
    absl::Time& known = ends_.try_emplace(holder, absl::UnixEpoch()).first->second;
    if (known == kEnded) return absl::FailedPreconditionError("the lease was given up");
    known = end;
    return absl::OkStatus();
  }
  // A lease that was ended cannot be renewed.
  void End(const std::string& holder) { ends_[holder] = kEnded; }

  bool IsAlive(const std::string& holder, absl::Time now) const {
    const auto end = ends_.find(holder);
    return end != ends_.end() && now < end->second;
  }

 private:
  static constexpr absl::Time kEnded = absl::InfinitePast();
  std::map<std::string, absl::Time> ends_;
};

}  // namespace hail::simulation
