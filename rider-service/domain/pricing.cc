#include "rider-service/domain/pricing.h"

#include <cstdint>

#include "common/errors/check.h"
#include "common/money/currency.h"

namespace hail::rider {

std::vector<FareLine> FareLines(const Product& product, const Trip& trip) {
  const std::int64_t base = product.base_fare.micros;
  const double distance_part = static_cast<double>(product.per_km.micros) * trip.distance_m / 1000.0;
  const double time_part = static_cast<double>(product.per_minute.micros) * absl::ToDoubleMinutes(trip.duration);
  const std::int64_t total = RoundedTo(product.step_micros, static_cast<double>(base) + distance_part + time_part);
  const std::int64_t distance = RoundedTo(product.step_micros, distance_part);

  std::vector<FareLine> lines = {{FarePart::kBase, product.base_fare}};
  const auto add = [&](FarePart part, std::int64_t micros) {
    if (micros != 0) lines.push_back({part, {product.base_fare.currency_code, micros}});
  };
  add(FarePart::kDistance, distance);
  add(FarePart::kTime, total - base - distance);
  if (total < product.minimum_fare.micros) add(FarePart::kMinimum, product.minimum_fare.micros - total);
  return lines;
}

Money SumOf(const std::vector<FareLine>& lines) {
  HAIL_CHECK(!lines.empty());
  Money sum{lines.front().amount.currency_code, 0};
  for (const FareLine& line : lines) sum.micros += line.amount.micros;
  return sum;
}

Money PriceOf(const Product& product, const Trip& trip) { return SumOf(FareLines(product, trip)); }

}  // namespace hail::rider
