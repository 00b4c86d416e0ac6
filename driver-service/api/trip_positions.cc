#include "driver-service/api/trip_positions.h"

#include <utility>

#include "driver-service/codec/internal_codec.h"

namespace hail::driver {
namespace {

// A location has some 150 bytes with long ids; messages stay well below 64 KiB, which every receiver accepts.
constexpr int kLocationsPerMessage = 128;

}  // namespace

void TripPositions::SetOnDirty(std::function<void()> on_fresh) {
  absl::MutexLock lock(&mutex_);
  on_fresh_ = std::move(on_fresh);
}

void TripPositions::SetRide(const std::string& driver_id, const RideRef& ride) {
  absl::MutexLock lock(&mutex_);
  if (ride != nullptr) {
    trips_[driver_id].ride = ride;
    return;
  }
  trips_.erase(driver_id);
}

void TripPositions::Add(const std::string& driver_id, const Fix& fix) {
  absl::MutexLock lock(&mutex_);
  const auto trip = trips_.find(driver_id);
  if (trip == trips_.end() || fix.observed <= trip->second.fix.observed) return;
  trip->second.fix = fix;
  if (std::exchange(trip->second.fresh, true)) return;
  fresh_.push_back(driver_id);
  if (fresh_.size() == 1 && on_fresh_) on_fresh_();
}

std::vector<internal::v1::ReportLocationsRequest> TripPositions::Take(absl::Time now) {
  std::vector<std::pair<std::string, Trip>> taken;
  {
    absl::MutexLock lock(&mutex_);
    taken.reserve(fresh_.size());
    for (const std::string& driver_id : fresh_) {
      const auto trip = trips_.find(driver_id);
      // The trip has ended since; or there is a new one, and the driver is in the list twice.
      if (trip == trips_.end() || !std::exchange(trip->second.fresh, false)) continue;
      taken.emplace_back(driver_id, trip->second);
    }
    fresh_.clear();
  }
  std::vector<internal::v1::ReportLocationsRequest> messages;
  for (const auto& [driver_id, trip] : taken) {
    if (messages.empty() || messages.back().locations_size() == kLocationsPerMessage) messages.emplace_back();
    const LatLng& end_of_leg = trip.ride->leg == 0 ? trip.ride->pickup : trip.ride->dropoff;
    // In whole seconds, like quote and offer.
    const absl::Duration eta =
        absl::Trunc(travel_times_.Estimate(trip.fix.point, end_of_leg, now).time, absl::Seconds(1));
    *messages.back().add_locations() = ToProto(driver_id, *trip.ride, trip.fix, now, eta);
  }
  return messages;
}

}  // namespace hail::driver
