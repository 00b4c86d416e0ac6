#include "rider-service/api/telemetry.h"

#include <tuple>
#include <utility>
#include <vector>

namespace hail::rider {
namespace {

absl::Duration FromProto(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

void ToProto(absl::Duration duration, google::protobuf::Duration* proto) {
  absl::Duration rest;
  proto->set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &rest));
  proto->set_nanos(static_cast<int>(absl::ToInt64Nanoseconds(rest)));
}

auto Order(const DriverFix& fix) {
  return std::tuple(fix.telemetry.epoch(), fix.session_epoch, fix.telemetry.position().position_seq());
}

}  // namespace

absl::Time DriverFix::ObservedAt() const { return received.domain - FromProto(telemetry.position().age()); }

hail::rider::v1::RideTelemetry DriverFix::At(const Now& now) const {
  hail::rider::v1::RideTelemetry result = telemetry;
  ToProto(now.domain - ObservedAt(), result.mutable_position()->mutable_age());
  return result;
}

bool TelemetryBoard::Report(const hail::internal::v1::DriverLocation& location, const Now& now) {
  if (!location.has_position()) return false;
  auto fix = std::make_shared<DriverFix>();
  fix->telemetry.set_ride_id(location.ride_id());
  fix->telemetry.set_epoch(location.epoch());
  *fix->telemetry.mutable_position() = location.position();
  if (location.has_eta()) *fix->telemetry.mutable_eta() = location.eta();
  fix->session_epoch = location.session_epoch();
  fix->received = now;

  std::vector<std::shared_ptr<OnFix>> watchers;
  {
    absl::MutexLock lock(&mutex_);
    std::shared_ptr<const DriverFix>& known = fixes_[location.ride_id()];
    if (known != nullptr && Order(*fix) <= Order(*known)) return false;
    known = fix;
    const auto found = watchers_.find(location.ride_id());
    if (found != watchers_.end()) {
      for (const auto& [id, on_fix] : found->second) watchers.push_back(on_fix);
    }
  }
  for (const std::shared_ptr<OnFix>& on_fix : watchers) (*on_fix)(fix);
  return true;
}

std::shared_ptr<const DriverFix> TelemetryBoard::Latest(const std::string& ride_id, std::int64_t epoch) const {
  absl::MutexLock lock(&mutex_);
  const auto found = fixes_.find(ride_id);
  if (found == fixes_.end() || found->second->telemetry.epoch() != epoch) return nullptr;
  return found->second;
}

std::unique_ptr<TelemetryBoard::Subscription> TelemetryBoard::Subscribe(const std::string& ride_id, OnFix on_fix) {
  absl::MutexLock lock(&mutex_);
  const std::uint64_t id = next_id_++;
  watchers_[ride_id].emplace(id, std::make_shared<OnFix>(std::move(on_fix)));
  return std::make_unique<Subscription>(this, ride_id, id);
}

void TelemetryBoard::Unsubscribe(const std::string& ride_id, std::uint64_t id) {
  absl::MutexLock lock(&mutex_);
  const auto found = watchers_.find(ride_id);
  if (found == watchers_.end()) return;
  found->second.erase(id);
  if (found->second.empty()) watchers_.erase(found);
}

void TelemetryBoard::DropOlderThan(absl::Time wall) {
  absl::MutexLock lock(&mutex_);
  std::erase_if(fixes_, [wall](const auto& entry) { return entry.second->received.wall < wall; });
}

std::size_t TelemetryBoard::size() const {
  absl::MutexLock lock(&mutex_);
  return fixes_.size();
}

}  // namespace hail::rider
