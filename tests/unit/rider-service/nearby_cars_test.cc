#include "rider-service/api/nearby_cars.h"

#include <cmath>

#include "common/errors/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hail::rider {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Regions& Shipped() {
  static const auto* const regions = new Regions(*Regions::FromJson(Regions::ShippedJson()));
  return *regions;
}

hail::rider::v1::ListNearbyCarsRequest Map(double lat, double lng) {
  hail::rider::v1::ListNearbyCarsRequest request;
  request.mutable_position()->set_latitude_deg(lat);
  request.mutable_position()->set_longitude_deg(lng);
  return request;
}

hail::rider::v1::ListNearbyCarsRequest Map() { return Map(37.7955, -122.3937); }

void AddDriver(SearchResponse* found, const std::string& id, const std::vector<std::string>& products, int eta_s,
               int eta_nanos = 0) {
  auto* driver = found->add_drivers();
  driver->set_driver_id(id);
  driver->mutable_position()->set_latitude_deg(37.7951);
  driver->mutable_position()->set_longitude_deg(-122.3931);
  for (const std::string& product : products) driver->add_product_ids(product);
  driver->mutable_eta()->set_seconds(eta_s);
  driver->mutable_eta()->set_nanos(eta_nanos);
}

TEST(SearchesFor, AsksForTheRegionOfThePlace) {
  auto request = Map();
  request.set_product_id("xl");
  const auto searches = SearchesFor(request, Shipped());
  ASSERT_TRUE(searches.ok()) << searches.status();
  ASSERT_EQ(searches->size(), 1u);
  EXPECT_EQ((*searches)[0].region_id(), "san_francisco");
  EXPECT_EQ((*searches)[0].product_id(), "xl");
  EXPECT_EQ((*searches)[0].radius_m(), 2000);
}

TEST(SearchesFor, WhereNothingIsOfferedThereAreNoCars) {
  EXPECT_THAT(*SearchesFor(Map(34.05, -118.24), Shipped()), IsEmpty());
  auto request = Map();
  request.set_product_id("limousine");
  EXPECT_THAT(*SearchesFor(request, Shipped()), IsEmpty());
}

TEST(SearchesFor, RefusesWhatIsOutOfRange) {
  const auto field = [](auto change) {
    auto request = Map();
    change(request);
    const absl::Status status = SearchesFor(request, Shipped()).status();
    return DetailsOf(status) ? DetailsOf(status)->field : "(none)";
  };
  EXPECT_EQ(field([](auto& r) { r.clear_position(); }), "position");
  EXPECT_EQ(field([](auto& r) { r.set_radius_m(std::nan("")); }), "radius_m");
  EXPECT_EQ(field([](auto& r) { r.set_radius_m(5001); }), "radius_m");
  EXPECT_EQ(field([](auto& r) { r.set_limit(51); }), "limit");
}

TEST(EncodeCars, ShowsOnlyWhatTheRegionOffersAndAsManyAsWereAskedFor) {
  auto request = Map();
  request.set_limit(2);
  SearchResponse found;
  AddDriver(&found, "not for hire here", {"rickshaw"}, 15);
  AddDriver(&found, "first", {"rickshaw", "economy", "xl"}, 30);
  AddDriver(&found, "second", {"comfort"}, 31, 1);
  AddDriver(&found, "third", {"economy"}, 60);
  hail::rider::v1::ListNearbyCarsResponse response;
  EncodeCars(request, Shipped(), found, &response);
  ASSERT_EQ(response.cars_size(), 2);
  EXPECT_THAT(response.cars(0).product_ids(), ElementsAre("economy", "xl"));
  EXPECT_EQ(response.cars(0).eta().seconds(), 30);
  EXPECT_EQ(response.cars(1).eta().seconds(), 45) << "in whole quarters of a minute, also from an older driver-service";
  EXPECT_EQ(response.cars(1).eta().nanos(), 0);
}

class PickupEtas : public ::testing::Test {
 protected:
  PickupEtas() {
    for (const char* product : {"economy", "comfort", "xl"}) quotes_.add_quotes()->set_product_id(product);
    request_.mutable_pickup()->mutable_position()->set_latitude_deg(37.7955);
  }
  hail::rider::v1::QuoteRideRequest request_;
  hail::rider::v1::QuoteRideResponse quotes_;
};

TEST_F(PickupEtas, AreThoseOfTheQuickestCarOfEachProduct) {
  const SearchRequest search = SearchFor(request_, "san_francisco");
  EXPECT_EQ(search.region_id(), "san_francisco");
  EXPECT_EQ(search.seats(), 1);
  SearchResponse found;
  AddDriver(&found, "a", {"comfort"}, 30);
  AddDriver(&found, "b", {"economy", "comfort"}, 44);
  AddDriver(&found, "c", {"economy"}, 60);
  EXPECT_THAT(AddPickupEtas(search, found, &quotes_), IsEmpty()) << "these are all cars there are";
  EXPECT_EQ(quotes_.quotes(0).pickup_eta().seconds(), 45);
  EXPECT_EQ(quotes_.quotes(1).pickup_eta().seconds(), 30);
  EXPECT_FALSE(quotes_.quotes(2).has_pickup_eta());
}

TEST_F(PickupEtas, AProductsNearestCarIsFoundBehindAnyNumberOfOthers) {
  const SearchRequest search = SearchFor(request_, "san_francisco");
  SearchResponse found;
  for (int i = 0; i < search.limit(); ++i) AddDriver(&found, std::to_string(i), {"economy", "comfort"}, 30);
  const std::vector<SearchRequest> more = AddPickupEtas(search, found, &quotes_);
  ASSERT_EQ(more.size(), 1u);
  EXPECT_EQ(more[0].product_id(), "xl");
  EXPECT_EQ(more[0].region_id(), "san_francisco");
  SearchResponse further;
  AddDriver(&further, "van", {"xl"}, 600);
  EXPECT_THAT(AddPickupEtas(more[0], further, &quotes_), IsEmpty());
  EXPECT_EQ(quotes_.quotes(0).pickup_eta().seconds(), 30);
  EXPECT_EQ(quotes_.quotes(2).pickup_eta().seconds(), 600);
}

}  // namespace
}  // namespace hail::rider
