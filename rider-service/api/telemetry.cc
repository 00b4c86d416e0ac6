#include "rider-service/api/telemetry.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "rider-service/codec/ride_codec.h"

namespace hail::rider {
namespace {

Observation ObservationOf(const DriverFix& fix) {
  const hail::type::v1::Position& position = fix.telemetry.position();
  return {fix.session_epoch,
          position.position_seq(),
          fix.observed,
          {position.location().latitude_deg(), position.location().longitude_deg()}};
}

}  // namespace

hail::rider::v1::RideTelemetry DriverFix::At(const Now& now) const {
  hail::rider::v1::RideTelemetry result = telemetry;
  const absl::Duration age = std::max(absl::ZeroDuration(), now.domain - observed);
  Encode(age, result.mutable_position()->mutable_age());
  if (age > kMissingAfter) {
    Encode(observed, result.mutable_missing_since());
    // By now the car may be anywhere.
    result.clear_eta();
  }
  return result;
}

bool PositionCache::Report(const hail::internal::v1::DriverLocation& location, const Now& now) {
  if (!location.has_position()) return false;
  auto fix = std::make_shared<DriverFix>();
  fix->telemetry.set_ride_id(location.ride_id());
  fix->telemetry.set_epoch(location.epoch());
  *fix->telemetry.mutable_position() = location.position();
  if (location.has_eta()) *fix->telemetry.mutable_eta() = location.eta();
  fix->session_epoch = location.session_epoch();
  fix->observed = now.domain - DecodeDuration(location.position().age());
  fix->received = now.wall;

  std::vector<std::shared_ptr<OnFix>> watchers;
  {
    absl::MutexLock lock(&mutex_);
    std::shared_ptr<const DriverFix>& known = fixes_[location.ride_id()];
    if (known != nullptr && fix->telemetry.epoch() < known->telemetry.epoch()) return false;
    if (known != nullptr && fix->telemetry.epoch() == known->telemetry.epoch()) {
      if (!IsLater(ObservationOf(*fix), ObservationOf(*known), jitter_)) return false;
      fix->observed = KeptInstant(fix->observed, known->observed);
    }
    known = fix;
    const auto found = watchers_.find(location.ride_id());
    if (found != watchers_.end()) {
      for (const auto& [id, on_fix] : found->second) watchers.push_back(on_fix);
    }
  }
  for (const std::shared_ptr<OnFix>& on_fix : watchers) (*on_fix)(fix);
  return true;
}

std::shared_ptr<const DriverFix> PositionCache::Latest(const std::string& ride_id, std::int64_t epoch) const {
  absl::MutexLock lock(&mutex_);
  const auto found = fixes_.find(ride_id);
  if (found == fixes_.end() || found->second->telemetry.epoch() != epoch) return nullptr;
  return found->second;
}

std::optional<hail::rider::v1::RideTelemetry> PositionCache::Show(const std::string& ride_id, std::int64_t epoch,
                                                                  absl::Time assigned, const Now& now) const {
  if (const auto fix = Latest(ride_id, epoch)) return fix->At(now);
  const absl::Time since = std::max(assigned, started_);
  if (now.domain - since <= kMissingAfter) return std::nullopt;
  hail::rider::v1::RideTelemetry telemetry;
  telemetry.set_ride_id(ride_id);
  telemetry.set_epoch(epoch);
  Encode(since, telemetry.mutable_missing_since());
  return telemetry;
}

std::unique_ptr<PositionCache::Subscription> PositionCache::Subscribe(const std::string& ride_id, OnFix on_fix) {
  absl::MutexLock lock(&mutex_);
  const std::uint64_t id = next_id_++;
  watchers_[ride_id].emplace(id, std::make_shared<OnFix>(std::move(on_fix)));
  return std::make_unique<Subscription>(this, ride_id, id);
}

void PositionCache::Unsubscribe(const std::string& ride_id, std::uint64_t id) {
  absl::MutexLock lock(&mutex_);
  const auto found = watchers_.find(ride_id);
  if (found == watchers_.end()) return;
  found->second.erase(id);
  if (found->second.empty()) watchers_.erase(found);
}

void PositionCache::DropOlderThan(absl::Time wall) {
  absl::MutexLock lock(&mutex_);
  std::erase_if(fixes_, [wall](const auto& entry) { return entry.second->received < wall; });
}

std::size_t PositionCache::size() const {
  absl::MutexLock lock(&mutex_);
  return fixes_.size();
}

}  // namespace hail::rider
