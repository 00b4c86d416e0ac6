// What a ride costs.
#pragma once

#include "rider-service/domain/region.h"
#include "rider-service/domain/travel_estimate.h"

namespace hail::rider {

// base + distance × per_km + duration × per_minute, at least the minimum, rounded to a hundredth of the currency's
// unit.
Money PriceOf(const Product& product, const Trip& trip);

}  // namespace hail::rider
