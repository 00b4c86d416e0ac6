#include "rider-service/domain/pricing.h"

#include <algorithm>
#include <cstdint>

#include "common/money/currency.h"

namespace hail::rider {

Money PriceOf(const Product& product, const Trip& trip) {
  const double distance_part = static_cast<double>(product.per_km.micros) * trip.distance_m / 1000.0;
  const double time_part = static_cast<double>(product.per_minute.micros) * absl::ToDoubleMinutes(trip.duration);
  const std::int64_t rounded =
      RoundedTo(product.step_micros, static_cast<double>(product.base_fare.micros) + distance_part + time_part);
  return {product.base_fare.currency_code, std::max(rounded, product.minimum_fare.micros)};
}

}  // namespace hail::rider
