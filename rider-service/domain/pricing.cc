#include "rider-service/domain/pricing.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace hail::rider {

Money PriceOf(const Product& product, const Trip& trip) {
  const double distance_part = static_cast<double>(product.per_km.micros) * trip.distance_m / 1000.0;
  const double time_part = static_cast<double>(product.per_minute.micros) * absl::ToDoubleMinutes(trip.duration);
  constexpr double kHundredth = 10'000;
  const double rounded =
      std::round((static_cast<double>(product.base_fare.micros) + distance_part + time_part) / kHundredth) * kHundredth;
  return {product.base_fare.currency_code, std::max(static_cast<std::int64_t>(rounded), product.minimum_fare.micros)};
}

}  // namespace hail::rider
