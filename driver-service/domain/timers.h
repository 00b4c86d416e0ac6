// The timers of one kind for one part of the dispatch core.
#pragma once

#include <map>
#include <optional>
#include <utility>

#include "absl/time/time.h"

namespace hail::driver {

// In domain or in wall time: the owner's choice, the same for each call. Timers cannot be cancelled: the owner checks
// whether there is still work to do. Equal times keep their order.
template <typename Id>
class Timers {
 public:
  void Add(absl::Time at, Id id) { waiting_.emplace(at, std::move(id)); }

  // Removes the earliest timer that is due. One at a time: its owner may add others, even due ones.
  std::optional<Id> Take(absl::Time now) {
    if (waiting_.empty() || waiting_.begin()->first > now) return std::nullopt;
    return std::move(waiting_.extract(waiting_.begin()).mapped());
  }

 private:
  std::multimap<absl::Time, Id> waiting_;
};

}  // namespace hail::driver
