#include "common/audit/denial_sampler.h"

#include <utility>

namespace hail::audit {

bool DenialSampler::Pass(Count* count, int at_first, std::int64_t second) {
  if (std::exchange(count->second, second) != second) count->in_second = 0;
  const std::uint64_t before = count->in_second++;
  return before < static_cast<std::uint64_t>(at_first) || before % kOneIn == 0;
}

std::optional<std::uint64_t> DenialSampler::Sample(const limits::Key& caller, absl::Time now) {
  const std::int64_t second = absl::ToUnixSeconds(now);
  Count& mine = callers_.Use(caller);
  if (!Pass(&mine, kEach, second) || !Pass(&all_, kAll, second)) {
    ++mine.skipped;
    return std::nullopt;
  }
  return std::exchange(mine.skipped, 0);
}

}  // namespace hail::audit
