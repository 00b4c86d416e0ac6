#include "tests/tools/hail-load/timeline.h"

#include <algorithm>

#include "common/errors/error.h"
#include "common/rpc/status.h"
#include "tests/tools/hail-sim/outcome.h"

namespace hail::load {

std::int64_t Tally::Failed() const {
  std::int64_t all = 0;
  for (const auto& [code, count] : failed) all += count;
  return all;
}

void Tally::Add(const Tally& other) {
  sent += other.sent;
  in_time += other.in_time;
  late += other.late;
  refused += other.refused;
  refused_without_retry += other.refused_without_retry;
  for (const auto& [code, count] : other.failed) failed[code] += count;
  answered.Add(other.answered);
  refusal.Add(other.refusal);
}

void Timeline::Record(absl::Time intended, absl::Time done, const grpc::Status& status) {
  const auto second = static_cast<std::size_t>(std::max<std::int64_t>(0, absl::ToInt64Seconds(intended - start_)));
  const absl::Duration took = done - intended;
  const bool refused = status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED;
  const auto details = refused ? DetailsOf(rpc::FromGrpc(status)) : std::nullopt;
  absl::MutexLock lock(&mutex_);
  if (seconds_.size() <= second) seconds_.resize(second + 1);
  Tally& tally = seconds_[second];
  ++tally.sent;
  if (status.ok()) {
    ++(took <= deadline_ ? tally.in_time : tally.late);
    tally.answered.Add(took);
  } else if (refused) {
    ++tally.refused;
    if (!details || !details->retry_after) ++tally.refused_without_retry;
    tally.refusal.Add(took);
  } else {
    ++tally.failed[sim::CodeName(status.error_code())];
  }
}

std::vector<Tally> Timeline::Seconds() const {
  absl::MutexLock lock(&mutex_);
  return seconds_;
}

Tally Timeline::Sum(int from, int to) const {
  absl::MutexLock lock(&mutex_);
  Tally sum;
  for (int second = from; second < std::min<int>(to, static_cast<int>(seconds_.size())); ++second) {
    sum.Add(seconds_[static_cast<std::size_t>(second)]);
  }
  return sum;
}

}  // namespace hail::load
