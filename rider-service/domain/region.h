// The regions that Hail serves, with their products and prices.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/geo/lat_lng.h"
#include "rider-service/domain/ride.h"

namespace hail::rider {

// Charged amounts (base_fare, minimum_fare, cancellation_fee and each fare) are amounts of the currency. Rates (per_km,
// per_minute) may be finer: the result is rounded once, at the end.
struct Product {
  std::string product_id;
  std::string region_id;
  std::string display_name;
  int max_seats = 0;
  Money base_fare;
  Money per_km;
  Money per_minute;
  Money minimum_fare;
  Money cancellation_fee;
  absl::Duration free_cancellation;
  // Charged amounts are multiples of this many micros: the region's rounding step, or the currency's smallest unit.
  std::int64_t step_micros = 10'000;
};

struct Region {
  std::string region_id;
  std::string display_name;
  std::string currency_code;
  // Cheapest first (by minimum fare, then price per kilometre).
  std::vector<Product> products;

  // nullptr: not offered here.
  const Product* FindProduct(const std::string& product_id) const;
};

// Immutable after construction and KeepOnly, and then thread-safe.
class Regions {
 public:
  // From JSON, with or without a byte order mark: {"regions": [{"region_id", "display_name", "currency_code" (of ISO
  // 4217), "rounding_step" (optional; charged amounts are multiples of it), "area": GeoJSON Polygon or MultiPolygon,
  // "products": [{"product_id", "display_name", "max_seats", "base_fare", "per_km", "per_minute", "minimum_fare",
  // "cancellation_fee" (all in units of the currency), "free_cancellation_s"}]}]}. The error lists every problem.
  static absl::StatusOr<Regions> FromJson(const std::string& json);
  // The shipped regions (rider-service/config/regions.json, compiled in): San Francisco and New York.
  static const std::string& ShippedJson();

  // Keeps only the regions of `region_ids`. INVALID_ARGUMENT, without a change, if an id is unknown: the error lists
  // each unknown id and the known ones. Call it before the object is shared.
  absl::Status KeepOnly(const std::vector<std::string>& region_ids);

  Regions(Regions&&) noexcept;
  Regions& operator=(Regions&&) noexcept;
  ~Regions();

  // The region that contains `point`; nullptr: none. A point in several regions belongs to the first.
  const Region* At(const LatLng& point) const;
  const Region* Find(const std::string& region_id) const;
  const std::vector<Region>& all() const;

 private:
  struct Impl;
  explicit Regions(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hail::rider
