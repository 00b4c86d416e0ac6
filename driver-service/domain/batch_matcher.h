// Matches all rides that wait at one moment together.
#pragma once

#include <cstddef>
#include <vector>

#include "driver-service/domain/matcher.h"

namespace hail::driver {

// As many rides as possible get a driver. Of all such matchings, this one has the least total of the pickup times of
// matched rides plus wait_weight × the waiting times of unmatched rides. For the candidates searched, it is exact to a
// microsecond per pickup. Of equals, earlier rides and drivers with a lower driver_id are preferred, in whatever order
// candidates are listed.
//
// A ride that shares no candidate therefore gets the driver with the shortest pickup time at once.
//
// If there are too few drivers, priority grows in proportion to the waiting time, as in L. Kleinrock, "A delay
// dependent queue discipline", Naval Research Logistics Quarterly 11 (1964). A ride that has waited longer by T is left
// out in favour of another only if that saves more than wait_weight × T of driving. This rule never leaves out one ride
// more, and never lengthens the total of the matched rides. No ride starves: each ride with a candidate is in some
// largest matching, and a long enough wait makes that matching the cheapest.
class BatchMatcher final : public Matcher {
 public:
  struct Options {
    // The number of drivers searched near a ride. Four times as many if competition may drive the ride beyond them.
    std::size_t candidates = 16;
    // One minute of waiting counts as ten minutes of driving: a ride that has waited for half of a two-minute match
    // deadline yields to a new ride only if that saves more than ten minutes.
    double wait_weight = 10;
  };

  BatchMatcher() : BatchMatcher(Options()) {}
  explicit BatchMatcher(Options options) : options_(options) {}
  std::vector<Proposal> Match(const std::vector<WaitingRide>& rides) const override;

 private:
  const Options options_;
};

}  // namespace hail::driver
