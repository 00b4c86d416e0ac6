// What a ride costs.
#pragma once

#include "rider-service/domain/region.h"
#include "rider-service/domain/travel_estimate.h"

namespace hail::rider {

// base + distance × per_km + duration × per_minute, rounded once to what can be charged (Product::step_micros), at
// least the minimum.
Money PriceOf(const Product& product, const Trip& trip);

}  // namespace hail::rider
