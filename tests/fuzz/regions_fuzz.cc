// The regions file: JSON with GeoJSON areas.
#include "rider-service/domain/region.h"
#include "tests/fuzz/fuzz_target.h"

namespace hail::fuzz {
namespace {

void Read(const std::string& json) {
  const auto regions = rider::Regions::FromJson(json);
  if (!regions.ok()) {
    Require(!regions.status().message().empty(), "a refusal says why");
    return;
  }
  Require(!regions->all().empty(), "there is a region");
  for (const rider::Region& region : regions->all()) {
    Require(!region.region_id.empty() && !region.products.empty(), "a region has an id and products");
    Require(regions->Find(region.region_id) == &region, "a region is found by its id");
    for (const rider::Product& product : region.products) {
      Require(region.FindProduct(product.product_id) == &product, "a product is found by its id");
      Require(product.max_seats >= 1 && product.minimum_fare.micros >= 0, "a product can be ordered and paid");
    }
  }
  for (const LatLng& point : {LatLng{37.7793, -122.4193}, LatLng{0, 0}, LatLng{90, 180}, LatLng{-90, 0}}) {
    const rider::Region* region = regions->At(point);
    Require(region == nullptr || regions->Find(region->region_id) == region, "a point is in a region that there is");
  }
}

}  // namespace
}  // namespace hail::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  hail::fuzz::Read(hail::fuzz::Input(data, size).Rest());
  return 0;
}
