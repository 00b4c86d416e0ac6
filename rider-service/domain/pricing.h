// Computes the price of a ride.
#pragma once

#include <vector>

#include "rider-service/domain/region.h"
#include "rider-service/domain/travel_estimate.h"

namespace hail::rider {

// The parts of a fare.
enum class FarePart { kBase, kDistance, kTime, kMinimum };

struct FareLine {
  FarePart part = FarePart::kBase;
  Money amount;

  friend bool operator==(const FareLine&, const FareLine&) = default;
};

// The fare of a trip, line by line: the base fare, the distance, the time and, if their sum is lower, the rest up to
// the minimum. The sum of the first three is rounded once to a chargeable amount (Product::step_micros); each line is a
// chargeable amount. The base fare is always present; other lines only if not zero.
std::vector<FareLine> FareLines(const Product& product, const Trip& trip);

// `lines` must not be empty, and have one currency.
Money SumOf(const std::vector<FareLine>& lines);

// The sum of its lines.
Money PriceOf(const Product& product, const Trip& trip);

}  // namespace hail::rider
