// Matches the rides that wait at one moment as a whole.
#pragma once

#include <cstddef>
#include <vector>

#include "driver-service/domain/matcher.h"

namespace hail::driver {

// As many rides as possible get a driver; of all such ways, one with the least total of pickup times of those that do,
// plus wait_weight × the time waited of those that do not. On the candidates looked at that is exact, to a microsecond
// a pickup. Of equals, rides that come first and drivers whose driver_id comes first are preferred, in whatever order
// candidates are listed.
//
// A ride that shares no candidate thus gets the driver with the shortest pickup time at once.
//
// Who is left out where there are too few drivers: priority grows in proportion to the time waited, as in L. Kleinrock,
// "A delay dependent queue discipline", Naval Research Logistics Quarterly 11 (1964). One who waited longer by T is
// left out in another's favour only if that saves more than wait_weight × T of driving. Never is one ride more left
// out for it, nor the total of those that get a driver lengthened. Nobody starves: each ride that has a candidate is
// in some largest matching, and having waited long enough makes that the cheapest.
class BatchMatcher final : public Matcher {
 public:
  struct Options {
    // How many drivers near a ride are looked at. Where competition may drive a ride beyond them, four times as many.
    std::size_t candidates = 16;
    // A minute waited counts as ten minutes of driving: who waited through half a match deadline of two minutes gives
    // way to a new ride only where that saves more than ten.
    double wait_weight = 10;
  };

  BatchMatcher() : BatchMatcher(Options()) {}
  explicit BatchMatcher(Options options) : options_(options) {}
  std::vector<Proposal> Match(const std::vector<WaitingRide>& rides) const override;

 private:
  const Options options_;
};

}  // namespace hail::driver
