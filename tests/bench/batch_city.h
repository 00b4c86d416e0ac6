// A moment in San Francisco with many waiting rides and drivers, drawn from a seed.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "common/geo/lat_lng.h"
#include "driver-service/domain/matcher.h"
#include "driver-service/domain/travel_times.h"
#include "tests/splitmix64.h"

namespace hail::driver {

// 18:00 solar time in San Francisco.
inline const absl::Time kRushHour = absl::FromUnixSeconds(1'700'000'000 - 1'700'000'000 % 86400) + absl::Hours(26);

class BatchCity {
 public:
  // `spot_share`: the share of drivers near the hot spots. Of the rides, 80 % always are.
  BatchCity(std::size_t rides, std::size_t drivers, std::uint64_t seed, double spot_share = 0.5) : seed_(seed) {
    for (std::size_t d = 0; d < drivers; ++d) drivers_.push_back(Draw(spot_share, 900));
    for (std::size_t r = 0; r < rides; ++r) pickups_.push_back(Draw(0.8, 350));
    // Random ids of about UUID's length.
    for (std::size_t d = 0; d < drivers; ++d)
      ids_.push_back(absl::StrFormat("%016x-%016x-%02d", Next(), Next(), d % 100));
    nearest_.resize(rides);
    for (std::size_t r = 0; r < rides; ++r) {
      std::vector<std::pair<double, std::size_t>> by_distance;
      for (std::size_t d = 0; d < drivers; ++d) by_distance.emplace_back(DistanceM(drivers_[d], pickups_[r]), d);
      const std::size_t kept = std::min(kKept, drivers);
      std::partial_sort(by_distance.begin(), by_distance.begin() + static_cast<std::ptrdiff_t>(kept),
                        by_distance.end());
      for (std::size_t i = 0; i < kept; ++i) {
        const auto [distance_m, d] = by_distance[i];
        nearest_[r].push_back({ids_[d], distance_m, {.point = drivers_[d]}, {}});
      }
    }
  }

  std::size_t rides() const { return pickups_.size(); }
  std::size_t drivers() const { return drivers_.size(); }

  absl::Duration PickupTime(std::size_t ride, const LatLng& from) const {
    return travel_times_.Estimate(from, pickups_[ride], kRushHour).time;
  }
  std::int64_t PickupUs(std::size_t ride, std::size_t driver) const {
    return absl::ToInt64Microseconds(PickupTime(ride, drivers_[driver]));
  }
  // The number of the driver `id`.
  std::size_t DriverOf(const std::string& id) const {
    return static_cast<std::size_t>(std::find(ids_.begin(), ids_.end(), id) - ids_.begin());
  }

  // The rides as the dispatch core gives them to a matcher, with at most kKept candidates. They refer to this object.
  std::vector<WaitingRide> Waiting() const {
    std::vector<WaitingRide> waiting;
    for (std::size_t r = 0; r < rides(); ++r) {
      WaitingRide ride;
      ride.ride_id = absl::StrFormat("ride-%05d", r);
      ride.pickup = pickups_[r];
      ride.candidates = [this, r](std::size_t limit) {
        const std::vector<NearDriver>& all = nearest_[r];
        return std::vector<NearDriver>(all.begin(),
                                       all.begin() + static_cast<std::ptrdiff_t>(std::min(limit, all.size())));
      };
      ride.pickup_times = [this, r](const std::vector<NearDriver>& drivers) {
        std::vector<absl::Duration> times;
        times.reserve(drivers.size());
        for (const NearDriver& driver : drivers) times.push_back(PickupTime(r, driver.fix.point));
        return times;
      };
      waiting.push_back(std::move(ride));
    }
    return waiting;
  }

  static constexpr std::size_t kKept = 64;

 private:
  std::uint64_t Next() { return SplitMix64(seed_); }
  double Unit() { return static_cast<double>(Next() >> 11) * 0x1p-53; }

  LatLng Draw(double spot_share, double spread_m) {
    // The places with most taxi trips: downtown, station, wharf, Mission, Castro, Haight, Marina, the ball park,
    // hospital, university, airport road.
    static constexpr std::array<LatLng, 12> kSpots{{{37.7879, -122.4075},
                                                    {37.7946, -122.3999},
                                                    {37.7766, -122.3947},
                                                    {37.8080, -122.4177},
                                                    {37.7599, -122.4148},
                                                    {37.7609, -122.4350},
                                                    {37.7692, -122.4481},
                                                    {37.8003, -122.4368},
                                                    {37.7786, -122.3893},
                                                    {37.7631, -122.4578},
                                                    {37.7241, -122.4799},
                                                    {37.7793, -122.4193}}};
    if (Unit() < spot_share) {
      const LatLng& spot = kSpots[Next() % kSpots.size()];
      const double away_m = spread_m * std::sqrt(-2 * std::log(1 - Unit()));
      return Toward(spot, 360 * Unit(), away_m);
    }
    return {37.710 + 0.095 * Unit(), -122.510 + 0.120 * Unit()};
  }

  std::uint64_t seed_;
  std::vector<LatLng> drivers_;
  std::vector<LatLng> pickups_;
  std::vector<std::string> ids_;
  std::vector<std::vector<NearDriver>> nearest_;
  StraightLineTravelTimes travel_times_;
};

}  // namespace hail::driver
