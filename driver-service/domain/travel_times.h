// How long cars take from one place to another.
#pragma once

#include <span>
#include <vector>

#include "absl/time/time.h"
#include "common/geo/lat_lng.h"
#include "common/geo/straight_line.h"

namespace hail::driver {

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

// As rider-service estimates trips for its quotes.
class StraightLineTravelTimes final : public TravelTimes {
 public:
  using Options = StraightLine;

  explicit StraightLineTravelTimes(Options options = {}) : options_(options) {}
  TravelEstimate Estimate(const LatLng& from, const LatLng& to, absl::Time departure) const override;

 private:
  const Options options_;
};

}  // namespace hail::driver
