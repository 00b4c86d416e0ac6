// How long cars take from one place to another.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "absl/time/time.h"
#include "common/geo/lat_lng.h"

namespace hail::driver {

struct TravelEstimate {
  absl::Duration time = absl::ZeroDuration();
  // Along the road.
  double distance_m = 0;
};

// Of the day at `place`, 0..23, in local solar time (UTC + longitude ÷ 15°): close enough to the clock on the wall for
// traffic, and needs no time-zone data.
int LocalHour(const LatLng& place, absl::Time time);

// The port. Thread-safe, quick (called for each offer and position report), never fails.
class TravelTimes {
 public:
  virtual ~TravelTimes() = default;
  // `departure` is domain time.
  virtual TravelEstimate Estimate(const LatLng& from, const LatLng& to, absl::Time departure) const = 0;
  // The same from each of many places, in their order: what Estimate says of each, at less cost where one look will do.
  virtual std::vector<TravelEstimate> EstimateTo(std::span<const LatLng> from, const LatLng& to,
                                                 absl::Time departure) const;
};

// Straight line × circuity ÷ speed of the local hour where the way begins.
class StraightLineTravelTimes final : public TravelTimes {
 public:
  struct Options {
    // Length of the road ÷ straight line.
    double circuity = 1.2;
    // Metres per second by local hour 0..23: see travel_times.cc for where they are from.
    std::array<double, 24> speed_mps;
    Options();
  };

  explicit StraightLineTravelTimes(Options options = {}) : options_(options) {}
  TravelEstimate Estimate(const LatLng& from, const LatLng& to, absl::Time departure) const override;

 private:
  const Options options_;
};

}  // namespace hail::driver
