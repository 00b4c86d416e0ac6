// Travel times of cars between two places.
#pragma once

#include <span>
#include <vector>

#include "absl/time/time.h"
#include "common/geo/lat_lng.h"
#include "common/geo/straight_line.h"

namespace hail::driver {

// The port. Thread-safe, fast (called for each offer and position report), never fails.
class TravelTimes {
 public:
  virtual ~TravelTimes() = default;
  // `departure` is domain time.
  virtual TravelEstimate Estimate(const LatLng& from, const LatLng& to, absl::Time departure) const = 0;
  // The same from each of many places, in their order: equal to Estimate of each, but cheaper if one search suffices.
  virtual std::vector<TravelEstimate> EstimateTo(std::span<const LatLng> from, const LatLng& to,
                                                 absl::Time departure) const;
};

// The model of rider-service's quotes.
class StraightLineTravelTimes final : public TravelTimes {
 public:
  using Options = StraightLine;

  explicit StraightLineTravelTimes(Options options = {}) : options_(options) {}
  TravelEstimate Estimate(const LatLng& from, const LatLng& to, absl::Time departure) const override;

 private:
  const Options options_;
};

}  // namespace hail::driver
