#include "rider-service/api/nearby_cars.h"

#include <algorithm>
#include <cmath>

#include "common/errors/error.h"
#include "rider-service/api/api_codec.h"

namespace hail::rider {
namespace {

constexpr double kDefaultRadiusM = 2'000;
constexpr double kMaxRadiusM = 5'000;
constexpr int kDefaultCars = 10;
constexpr int kMaxCars = 50;
// A product's nearest car is looked for among so many of any product.
constexpr int kCarsForQuote = 32;

// To four decimals, about 10 m.
double Rounded(double degrees) { return std::round(degrees * 1e4) / 1e4; }

}  // namespace

absl::StatusOr<hail::internal::v1::SearchDriversRequest> SearchFor(
    const hail::rider::v1::ListNearbyCarsRequest& request) {
  if (const auto position = DecodePosition(request.has_position(), request.position()); !position.ok()) {
    return position.status();
  }
  // Written so that NaN is refused.
  if (!(request.radius_m() >= 0 && request.radius_m() <= kMaxRadiusM)) {
    return InvalidField("radius_m", "must be between 0 and 5000");
  }
  if (request.limit() < 0 || request.limit() > kMaxCars) return InvalidField("limit", "must be between 0 and 50");
  if (request.product_id().size() > 128) return InvalidField("product_id", "is longer than 128 bytes");
  hail::internal::v1::SearchDriversRequest search;
  *search.mutable_position() = request.position();
  search.set_product_id(request.product_id());
  search.set_radius_m(request.radius_m() == 0 ? kDefaultRadiusM : request.radius_m());
  search.set_limit(request.limit() == 0 ? kDefaultCars : request.limit());
  return search;
}

void EncodeCars(const hail::internal::v1::SearchDriversResponse& found,
                hail::rider::v1::ListNearbyCarsResponse* response) {
  for (const auto& driver : found.drivers()) {
    hail::rider::v1::NearbyCar* car = response->add_cars();
    car->mutable_position()->set_latitude_deg(Rounded(driver.position().latitude_deg()));
    car->mutable_position()->set_longitude_deg(Rounded(driver.position().longitude_deg()));
    if (driver.has_heading_deg()) car->set_heading_deg(driver.heading_deg());
    *car->mutable_product_ids() = driver.product_ids();
    if (driver.has_eta()) *car->mutable_eta() = driver.eta();
  }
}

hail::internal::v1::SearchDriversRequest SearchFor(const hail::rider::v1::QuoteRideRequest& request) {
  hail::internal::v1::SearchDriversRequest search;
  *search.mutable_position() = request.pickup().position();
  search.set_product_id(request.product_id());
  search.set_seats(std::max(1, request.seats()));
  search.set_radius_m(kMaxRadiusM);
  search.set_limit(request.product_id().empty() ? kCarsForQuote : 1);
  return search;
}

void AddPickupEtas(const hail::internal::v1::SearchDriversResponse& found,
                   hail::rider::v1::QuoteRideResponse* response) {
  for (auto& quote : *response->mutable_quotes()) {
    // Nearest first: the first that fits is the one.
    for (const auto& driver : found.drivers()) {
      const auto& products = driver.product_ids();
      if (std::find(products.begin(), products.end(), quote.product_id()) == products.end()) continue;
      if (driver.has_eta()) *quote.mutable_pickup_eta() = driver.eta();
      break;
    }
  }
}

}  // namespace hail::rider
