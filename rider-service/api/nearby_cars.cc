#include "rider-service/api/nearby_cars.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>

#include "common/errors/error.h"
#include "rider-service/api/api_codec.h"

namespace hail::rider {
namespace {

constexpr double kDefaultRadiusM = 2'000;
constexpr double kMaxRadiusM = 5'000;
constexpr int kDefaultCars = 10;
constexpr int kMaxCars = 50;
// Some of the cars found may serve none of the region's products.
constexpr int kSpareCars = 4;
// driver-service limits the radius of every search to the radius of a dispatch.
constexpr double kAsFarAsADispatchM = 100'000;
// The nearest car is not always the quickest by street, so several are requested; more if the nearest may serve other
// products.
constexpr int kCarsOfOneProduct = 8;
constexpr int kCarsOfAnyProduct = 32;
// ETAs for strangers come in such steps. driver-service rounds them; an older version does not.
constexpr std::int64_t kEtaStepS = 15;

// Rounds to four decimals, about 10 m.
double Rounded(double degrees) { return std::round(degrees * 1e4) / 1e4; }

void SetEta(const hail::internal::v1::FoundDriver& driver, google::protobuf::Duration* eta) {
  // No trip takes longer than a day. The clamp prevents an overflow by values from another process.
  const std::int64_t seconds = std::clamp<std::int64_t>(driver.eta().seconds(), 0, 86'400);
  const std::int64_t whole = driver.eta().nanos() > 0 ? seconds + 1 : seconds;
  eta->set_seconds((whole + kEtaStepS - 1) / kEtaStepS * kEtaStepS);
}

const Region* RegionOf(const hail::rider::v1::ListNearbyCarsRequest& request, const Regions& regions) {
  return regions.At({request.position().latitude_deg(), request.position().longitude_deg()});
}

int LimitOf(const hail::rider::v1::ListNearbyCarsRequest& request) {
  return request.limit() == 0 ? kDefaultCars : request.limit();
}

}  // namespace

absl::StatusOr<std::vector<SearchRequest>> SearchesFor(const hail::rider::v1::ListNearbyCarsRequest& request,
                                                       const Regions& regions) {
  if (const auto position = DecodePosition(request.has_position(), request.position()); !position.ok()) {
    return position.status();
  }
  // Written so that NaN is refused.
  if (!(request.radius_m() >= 0 && request.radius_m() <= kMaxRadiusM)) {
    return InvalidField("radius_m", "must be between 0 and 5000");
  }
  if (request.limit() < 0 || request.limit() > kMaxCars) return InvalidField("limit", "must be between 0 and 50");
  if (request.product_id().size() > 128) return InvalidField("product_id", "is longer than 128 bytes");
  std::vector<SearchRequest> searches;
  const Region* region = RegionOf(request, regions);
  if (region == nullptr) return searches;
  if (!request.product_id().empty() && region->FindProduct(request.product_id()) == nullptr) return searches;
  SearchRequest& search = searches.emplace_back();
  *search.mutable_position() = request.position();
  search.set_region_id(region->region_id);
  search.set_product_id(request.product_id());
  search.set_radius_m(request.radius_m() == 0 ? kDefaultRadiusM : request.radius_m());
  search.set_limit(LimitOf(request) * kSpareCars);
  return searches;
}

void EncodeCars(const hail::rider::v1::ListNearbyCarsRequest& request, const Regions& regions,
                const SearchResponse& found, hail::rider::v1::ListNearbyCarsResponse* response) {
  const Region* region = RegionOf(request, regions);
  if (region == nullptr) return;
  for (const auto& driver : found.drivers()) {
    if (response->cars_size() == LimitOf(request)) return;
    hail::rider::v1::NearbyCar car;
    for (const std::string& product_id : driver.product_ids()) {
      if (region->FindProduct(product_id) != nullptr) car.add_product_ids(product_id);
    }
    if (car.product_ids().empty()) continue;
    car.mutable_position()->set_latitude_deg(Rounded(driver.position().latitude_deg()));
    car.mutable_position()->set_longitude_deg(Rounded(driver.position().longitude_deg()));
    if (driver.has_heading_deg()) car.set_heading_deg(driver.heading_deg());
    if (driver.has_eta()) SetEta(driver, car.mutable_eta());
    *response->add_cars() = std::move(car);
  }
}

SearchRequest SearchFor(const hail::rider::v1::QuoteRideRequest& request, const std::string& region_id) {
  SearchRequest search;
  *search.mutable_position() = request.pickup().position();
  search.set_region_id(region_id);
  search.set_product_id(request.product_id());
  search.set_seats(std::max(1, request.seats()));
  search.set_radius_m(kAsFarAsADispatchM);
  search.set_limit(request.product_id().empty() ? kCarsOfAnyProduct : kCarsOfOneProduct);
  return search;
}

std::vector<SearchRequest> AddPickupEtas(const SearchRequest& search, const SearchResponse& found,
                                         hail::rider::v1::QuoteRideResponse* response) {
  std::vector<SearchRequest> more;
  for (auto& quote : *response->mutable_quotes()) {
    if (quote.has_pickup_eta()) continue;
    // Quickest first, so the first match is the quickest.
    const auto car = std::find_if(found.drivers().begin(), found.drivers().end(), [&](const auto& driver) {
      const auto& products = driver.product_ids();
      return std::find(products.begin(), products.end(), quote.product_id()) != products.end();
    });
    if (car != found.drivers().end()) {
      if (car->has_eta()) SetEta(*car, quote.mutable_pickup_eta());
    } else if (search.product_id().empty() && found.drivers_size() >= search.limit()) {
      SearchRequest& further = more.emplace_back(search);
      further.set_product_id(quote.product_id());
      further.set_limit(kCarsOfOneProduct);
    }
  }
  return more;
}

}  // namespace hail::rider
