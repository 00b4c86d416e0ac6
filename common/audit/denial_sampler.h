// Keeps denied calls from filling the audit log. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "common/limits/key.h"
#include "common/limits/lru_table.h"

namespace hail::audit {

// Of each caller, and of all, the first in a second are written, then one in kOneIn: a flood of 20,000 a second leaves
// 30 lines. Not thread-safe.
class DenialSampler {
 public:
  static constexpr int kEach = 10;
  static constexpr int kAll = 500;
  static constexpr int kOneIn = 1000;

  // Whether to write a line for a denied call of `caller` (the subject's key, or else the network's) now: nullopt says
  // no; otherwise how many of this caller's were left out since the line before.
  std::optional<std::uint64_t> Sample(const limits::Key& caller, absl::Time now);

 private:
  static constexpr std::size_t kCallers = 10'000;
  struct Count {
    std::int64_t second = 0;
    std::uint64_t in_second = 0;
    std::uint64_t skipped = 0;
  };
  static bool Pass(Count* count, int at_first, std::int64_t second);

  Count all_;
  limits::LruTable<Count> callers_{kCallers};
};

}  // namespace hail::audit
