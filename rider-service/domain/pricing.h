// What a ride costs.
#pragma once

#include <vector>

#include "rider-service/domain/region.h"
#include "rider-service/domain/travel_estimate.h"

namespace hail::rider {

// What a part of a fare is for.
enum class FarePart { kBase, kDistance, kTime, kMinimum };

struct FareLine {
  FarePart part = FarePart::kBase;
  Money amount;

  friend bool operator==(const FareLine&, const FareLine&) = default;
};

// The fare of a trip, line by line: the base fare, the distance, the time and, where these come to less, the rest of
// the minimum. The sum of the first three is rounded once to what can be charged (Product::step_micros); each line is
// an amount that can be charged. The base fare is always there, of the others those that are not zero.
std::vector<FareLine> FareLines(const Product& product, const Trip& trip);

// `lines` is not empty, and in one currency.
Money SumOf(const std::vector<FareLine>& lines);

// The sum of its lines.
Money PriceOf(const Product& product, const Trip& trip);

}  // namespace hail::rider
