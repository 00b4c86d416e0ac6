// Regions, prices, quotes and what a request must look like.
#include "rider-service/domain/pricing.h"

#include <gmock/gmock.h>
#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/errors/error.h"
#include "common/geo/straight_line.h"
#include "rider-service/domain/page_token.h"
#include "rider-service/domain/quote.h"
#include "rider-service/domain/region.h"
#include "rider-service/domain/request_rules.h"
#include "rider-service/domain/travel_estimate.h"
#include "tests/unit/rider-service/test_rides.h"

namespace hail::rider {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const absl::Time kNoonInSanFrancisco = absl::FromUnixSeconds(1'211'486'400);  // 2008-05-22 20:00 UTC
const Now kNow = {kNoonInSanFrancisco, absl::FromUnixSeconds(1'700'000'000)};
const std::string kKey = "0123456789abcdef0123456789abcdef";

RideRequest Request() {
  RideRequest request;
  request.set_rider_id("rider-1");
  request.set_request_id("request-1");
  *request.mutable_pickup() = PlaceAt({37.7749, -122.4194}, "Civic Center");
  *request.mutable_dropoff() = PlaceAt({37.7955, -122.3937}, "Ferry Building");
  request.set_product_id("economy");
  return request;
}

google::protobuf::Map<std::string, std::string> Labels(const std::map<std::string, std::string>& labels) {
  return {labels.begin(), labels.end()};
}

Regions Shipped() { return *Regions::FromJson(Regions::ShippedJson()); }

std::string FieldOf(const absl::Status& status) {
  const std::optional<ErrorDetails> details = DetailsOf(status);
  return details && details->reason == Reason::kInvalidField ? details->field : "(none)";
}

// --- Regions ---

TEST(Regions, ShippedOnesCoverWhatTheySay) {
  const Regions regions = Shipped();
  const auto at = [&](double lat, double lng) {
    const Region* region = regions.At({lat, lng});
    return region ? region->region_id : "";
  };
  EXPECT_EQ(at(37.7749, -122.4194), "san_francisco");  // City Hall
  EXPECT_EQ(at(37.6155, -122.3900), "san_francisco");  // SFO
  EXPECT_EQ(at(37.5630, -122.3255), "san_francisco");  // San Mateo
  EXPECT_EQ(at(40.7580, -73.9855), "new_york");        // Times Square
  EXPECT_EQ(at(40.6413, -73.7781), "new_york");        // JFK
  EXPECT_EQ(at(40.7769, -73.8740), "new_york");        // LaGuardia
  EXPECT_EQ(at(40.5795, -74.1502), "new_york");        // Staten Island
  EXPECT_EQ(at(34.05, -118.24), "");                   // Los Angeles
  EXPECT_EQ(at(-37.7749, 57.5806), "");                // the other side of the earth
  EXPECT_EQ(regions.At({std::nan(""), 0}), nullptr);
}

TEST(Regions, WhatIsNotServedIsAsIfItWasNotThere) {
  Regions regions = Shipped();
  const absl::Status unknown = regions.KeepOnly({"new_york", "atlantis"});
  EXPECT_TRUE(HasReason(unknown, Reason::kInvalidField));
  EXPECT_EQ(unknown.message(), "no such region: atlantis; there are san_francisco, new_york");
  EXPECT_NE(regions.At({37.7749, -122.4194}), nullptr);
  ASSERT_TRUE(regions.KeepOnly({"new_york"}).ok());
  ASSERT_NE(regions.At({40.7580, -73.9855}), nullptr);
  EXPECT_EQ(regions.At({40.7580, -73.9855})->region_id, "new_york");
  EXPECT_EQ(regions.At({37.7749, -122.4194}), nullptr);
  EXPECT_EQ(regions.Find("san_francisco"), nullptr);
  EXPECT_EQ(regions.all().size(), 1u);
}

TEST(Regions, ProductsAreCheapestFirstAndBelongToTheirRegion) {
  const Regions regions = Shipped();
  for (const Region& region : regions.all()) {
    ASSERT_EQ(region.products.size(), 3u);
    EXPECT_EQ(region.products[0].product_id, "economy");
    EXPECT_EQ(region.products[2].product_id, "xl");
    for (const Product& product : region.products) {
      EXPECT_EQ(product.region_id, region.region_id);
      EXPECT_EQ(product.per_km.currency_code, "USD");
    }
    EXPECT_EQ(region.FindProduct("limousine"), nullptr);
    EXPECT_EQ(regions.Find(region.region_id), &region);
  }
  EXPECT_EQ(regions.Find("atlantis"), nullptr);
}

TEST(Regions, EveryProblemIsListed) {
  const absl::Status status = Regions::FromJson(R"({"regions": [
      {"region_id": "a", "display_name": "A", "currency_code": "USD", "area": {"type": "Point"},
       "products": [{"product_id": "p", "display_name": "P", "max_seats": 0, "base_fare": -1, "per_km": 1,
                     "per_minute": 1, "minimum_fare": 1, "cancellation_fee": 1, "free_cancellation_s": 1},
                    {"product_id": "p", "display_name": "P", "max_seats": 1, "base_fare": 1, "per_km": 1,
                     "per_minute": 1, "minimum_fare": 1, "cancellation_fee": 1, "free_cancellation_s": 1}]},
      {"region_id": "a", "currency_code": "USD",
       "area": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1]]]}},
      {"region_id": "b", "display_name": "B", "currency_code": "USD", "products": [],
       "area": {"type": "MultiPolygon", "coordinates": [[[[0, 0], [1, 0], [1, 99], [0, 0]]], []]}},
      17]})")
                                  .status();
  const std::string message(status.message());
  for (const char* part :
       {"regions[0].area: a GeoJSON", "regions[0].products[0].max_seats", "regions[0].products[0].base_fare",
        "regions[0].products[1].product_id: used twice", "regions[1].region_id: used twice", "regions[1].display_name",
        "regions[1].area.coordinates[0]: a ring", "regions[1].products", "regions[2].area.coordinates[0][0][2]",
        "regions[2].area.coordinates[1]: rings", "regions[2].products", "regions[3].region_id"}) {
    EXPECT_THAT(message, HasSubstr(part));
  }
  for (const char* bad : {"", "[]", "{}", "{\"regions\": []}", "{\"regions\": 3}", "{\"regions\": ["}) {
    EXPECT_FALSE(Regions::FromJson(bad).ok()) << bad;
  }
}

TEST(Regions, AreReadBehindAByteOrderMarkAndNamedIfTheyAreNoJson) {
  EXPECT_TRUE(Regions::FromJson("\xef\xbb\xbf" + Regions::ShippedJson()).ok());
  const auto problem = [](const std::string& text) { return std::string(Regions::FromJson(text).status().message()); };
  EXPECT_THAT(problem("regions: []"), HasSubstr("is not JSON"));
  EXPECT_THAT(problem(""), HasSubstr("is not JSON"));
  EXPECT_THAT(problem("\xff\xfe{"), HasSubstr("is in UTF-16"));
  EXPECT_THAT(problem("{}"), HasSubstr("a list \"regions\" is required"));
}

TEST(Regions, ARingThatCrossesItselfIsRefusedAndWindingDoesNotMatter) {
  const auto with_ring = [](const std::string& ring) {
    return Regions::FromJson(R"({"regions": [{"region_id": "a", "display_name": "A", "currency_code": "USD",
        "area": {"type": "Polygon", "coordinates": [)" +
                             ring + R"(]}, "products": [{"product_id": "p", "display_name": "P", "max_seats": 4,
        "base_fare": 1, "per_km": 1, "per_minute": 1, "minimum_fare": 1, "cancellation_fee": 1,
        "free_cancellation_s": 1}]}]})");
  };
  EXPECT_FALSE(with_ring("[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]").ok());
  for (const char* ring : {"[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]", "[[0, 0], [0, 1], [1, 1], [1, 0], [0, 0]]"}) {
    const absl::StatusOr<Regions> regions = with_ring(ring);
    ASSERT_TRUE(regions.ok()) << regions.status();
    EXPECT_NE(regions->At({0.5, 0.5}), nullptr);
    EXPECT_EQ(regions->At({0.5, 1.5}), nullptr);
  }
}

// --- Estimates and prices ---

TEST(EstimateTrip, IsTheModelOfOffersAndLiveEtasInWholeSeconds) {
  const LatLng from = {37.7749, -122.4194};
  const LatLng to = {37.7955, -122.3937};
  for (int hour = 0; hour < 24; ++hour) {
    const absl::Time departure = kNoonInSanFrancisco + absl::Hours(hour);
    const TravelEstimate estimate = StraightLine().Estimate(from, to, departure);
    const Trip trip = EstimateTrip(from, to, departure);
    EXPECT_EQ(trip.distance_m, estimate.distance_m);
    EXPECT_EQ(trip.duration, absl::Trunc(estimate.time, absl::Seconds(1)));
  }
}

TEST(EstimateTrip, IsLongerThanTheCrowFliesAndSlowerByDay) {
  const LatLng from = {37.7749, -122.4194};
  const LatLng to = {37.7955, -122.3937};
  const Trip noon = EstimateTrip(from, to, kNoonInSanFrancisco);
  const Trip night = EstimateTrip(from, to, kNoonInSanFrancisco - absl::Hours(8));
  EXPECT_GT(noon.distance_m, DistanceM(from, to));
  EXPECT_EQ(noon.distance_m, night.distance_m);
  EXPECT_GT(noon.duration, night.duration + absl::Minutes(2)) << "night is four in the morning";
  EXPECT_GT(noon.distance_m / absl::ToDoubleSeconds(noon.duration), 4.0);
  EXPECT_LT(noon.distance_m / absl::ToDoubleSeconds(noon.duration), 12.0);
  // Any instant, any longitude.
  EXPECT_GT(EstimateTrip({-10, -179.9}, {-10.1, -179.9}, absl::FromUnixSeconds(-5)).duration, absl::ZeroDuration());
}

TEST(PriceOf, AddsUpRoundsAndKeepsTheMinimum) {
  Product product;
  product.base_fare = {"USD", 2'500'000};
  product.per_km = {"USD", 1'000'000};
  product.per_minute = {"USD", 300'000};
  product.minimum_fare = {"USD", 7'000'000};
  EXPECT_EQ(PriceOf(product, {10'000, absl::Minutes(20)}), (Money{"USD", 18'500'000}));
  EXPECT_EQ(PriceOf(product, {10'004, absl::Minutes(20)}), (Money{"USD", 18'500'000})) << "rounded to a cent";
  EXPECT_EQ(PriceOf(product, {10'006, absl::Minutes(20)}), (Money{"USD", 18'510'000}));
  EXPECT_EQ(PriceOf(product, {100, absl::Minutes(1)}), (Money{"USD", 7'000'000}));
}

TEST(FareLines, AddUpToThePriceInAmountsThatCanBeCharged) {
  Product product;
  product.base_fare = {"USD", 2'500'000};
  product.per_km = {"USD", 1'234'500};
  product.per_minute = {"USD", 301'700};
  product.minimum_fare = {"USD", 7'000'000};
  // 2.50 + 4.1146 + 0.6034 rounds to 7.22. The line for time gets what the other lines leave.
  EXPECT_EQ(FareLines(product, {3'333, absl::Minutes(2)}),
            (std::vector<FareLine>{{FarePart::kBase, {"USD", 2'500'000}},
                                   {FarePart::kDistance, {"USD", 4'110'000}},
                                   {FarePart::kTime, {"USD", 610'000}}}));
  EXPECT_EQ(FareLines(product, {1'000, absl::ZeroDuration()}),
            (std::vector<FareLine>{{FarePart::kBase, {"USD", 2'500'000}},
                                   {FarePart::kDistance, {"USD", 1'230'000}},
                                   {FarePart::kMinimum, {"USD", 3'270'000}}}));
  for (int metres = 0; metres < 30'000; metres += 317) {
    for (const int seconds : {0, 1, metres / 5}) {
      for (const FareLine& line : FareLines(product, {static_cast<double>(metres), absl::Seconds(seconds)})) {
        EXPECT_EQ(line.amount.micros % product.step_micros, 0) << metres << " m, " << seconds << " s";
        EXPECT_GT(line.amount.micros, 0) << metres << " m, " << seconds << " s";
      }
    }
  }
}

TEST(PriceOf, IsAnAmountThatCanBeCharged) {
  Product product;
  product.base_fare = {"JPY", 500'000'000};
  product.per_km = {"JPY", 313'700'000};
  product.per_minute = {"JPY", 41'300'000};
  product.minimum_fare = {"JPY", 700'000'000};
  product.step_micros = 1'000'000;
  EXPECT_EQ(PriceOf(product, {3'333, absl::Minutes(7)}), (Money{"JPY", 1'835'000'000}));  // 1834.66
  product.step_micros = 10'000'000;
  EXPECT_EQ(PriceOf(product, {3'333, absl::Minutes(7)}), (Money{"JPY", 1'830'000'000}));
  for (const std::int64_t step : {1'000, 10'000, 50'000, 100, 1'000'000}) {
    product.step_micros = step;
    for (int metres = 100; metres < 30'000; metres += 317) {
      const Money price = PriceOf(product, {static_cast<double>(metres), absl::Seconds(metres / 5)});
      EXPECT_EQ(price.micros % step, 0) << metres << " m, " << step;
    }
  }
}

// A region of one product, whose money fields are in `product`.
absl::StatusOr<Regions> RegionWith(const std::string& currency, const std::string& product,
                                   const std::string& step = "") {
  return Regions::FromJson(R"({"regions": [{"region_id": "a", "display_name": "A", "currency_code": ")" + currency +
                           "\"" + step +
                           R"(, "area": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]},
      "products": [{"product_id": "p", "display_name": "P", "max_seats": 4, "free_cancellation_s": 1, )" +
                           product + "}]}]}");
}

TEST(Regions, MoneyIsWhatTheCurrencyHas) {
  const std::string rates = R"("per_km": 313.7, "per_minute": 0.1234, )";
  const std::string whole = rates + R"("base_fare": 500, "minimum_fare": 700, "cancellation_fee": 300)";
  const auto yen = RegionWith("JPY", whole);
  ASSERT_TRUE(yen.ok()) << yen.status();
  EXPECT_EQ(yen->all()[0].products[0].step_micros, 1'000'000);
  EXPECT_EQ(yen->all()[0].products[0].per_km.micros, 313'700'000) << "rates are not rounded";
  EXPECT_EQ(RegionWith("KWD", whole)->all()[0].products[0].step_micros, 1'000);
  EXPECT_EQ(RegionWith("CLF", whole)->all()[0].products[0].step_micros, 100);
  EXPECT_EQ(RegionWith("CHF", whole, R"(, "rounding_step": 0.05)")->all()[0].products[0].step_micros, 50'000);

  const auto problem = [](const absl::StatusOr<Regions>& regions) { return std::string(regions.status().message()); };
  const auto with = [&](const char* base, const char* minimum, const char* fee) {
    return absl::StrCat(rates, "\"base_fare\": ", base, ", \"minimum_fare\": ", minimum,
                        ", \"cancellation_fee\": ", fee);
  };
  EXPECT_THAT(problem(RegionWith("JPY", with("500.5", "700", "300"))),
              HasSubstr("regions[0].products[0].base_fare: 500.5"));
  EXPECT_THAT(problem(RegionWith("JPY", with("500", "700.1", "300"))),
              HasSubstr("regions[0].products[0].minimum_fare"));
  EXPECT_THAT(problem(RegionWith("USD", with("5", "7", "3.001"))),
              HasSubstr("regions[0].products[0].cancellation_fee"));
  EXPECT_THAT(problem(RegionWith("KWD", with("5", "7", "0.2555"))), HasSubstr("a multiple of 0.001 KWD"));
  EXPECT_THAT(problem(RegionWith("CHF", with("5", "7.02", "3"), R"(, "rounding_step": 0.05)")),
              HasSubstr("minimum_fare"));
  EXPECT_TRUE(RegionWith("CHF", with("5.02", "7.05", "3"), R"(, "rounding_step": 0.05)").ok()) << "a part of a fare";
  for (const char* step : {"0", "0.005", "0.025", "\"0.05\"", "-1"}) {
    EXPECT_THAT(problem(RegionWith("CHF", whole, absl::StrCat(", \"rounding_step\": ", step))),
                HasSubstr("regions[0].rounding_step"));
  }
  for (const char* code : {"XAU", "ABC", "usd", "US"}) {
    EXPECT_THAT(problem(RegionWith(code, whole)), HasSubstr("regions[0].currency_code")) << code;
  }
}

// --- Requests ---

TEST(CheckRoute, NamesTheFieldAtFault) {
  const Regions regions = Shipped();
  const auto field = [&](auto change) {
    RideRequest request = Request();
    change(request);
    return FieldOf(CheckRoute(request, regions).status());
  };
  EXPECT_EQ(field([](RideRequest& r) { r.mutable_pickup()->clear_position(); }), "pickup");
  EXPECT_EQ(field([](RideRequest& r) { r.mutable_dropoff()->clear_position(); }), "dropoff");
  EXPECT_EQ(field([](RideRequest& r) {
              Encode(LatLng{0, 0}, r.mutable_pickup()->mutable_position());
            }),
            "pickup.position");
  EXPECT_EQ(field([](RideRequest& r) {
              Encode(LatLng{0, 0}, r.mutable_dropoff()->mutable_position());
            }),
            "dropoff.position");
  EXPECT_EQ(field([](RideRequest& r) { r.mutable_pickup()->mutable_position()->set_latitude_deg(std::nan("")); }),
            "pickup.position.latitude_deg");
  EXPECT_EQ(field([](RideRequest& r) { r.mutable_dropoff()->mutable_position()->set_longitude_deg(181); }),
            "dropoff.position.longitude_deg");
  EXPECT_EQ(field([](RideRequest& r) {
              r.mutable_pickup()->mutable_position()->set_latitude_deg(std::numeric_limits<double>::infinity());
            }),
            "pickup.position.latitude_deg");
  EXPECT_EQ(field([](RideRequest& r) { *r.mutable_dropoff() = r.pickup(); }), "dropoff");
  EXPECT_EQ(field([](RideRequest& r) {
              Encode(Toward(DecodeLatLng(r.pickup().position()), 90, 19), r.mutable_dropoff()->mutable_position());
            }),
            "dropoff");
  EXPECT_EQ(field([](RideRequest& r) { r.mutable_pickup()->set_address(std::string(257, 'a')); }), "pickup.address");
  EXPECT_EQ(field([](RideRequest& r) { r.mutable_dropoff()->set_address(std::string(257, 'a')); }), "dropoff.address");

  RideRequest request = Request();
  Encode(Toward(DecodeLatLng(request.pickup().position()), 90, 21), request.mutable_dropoff()->mutable_position());
  EXPECT_TRUE(CheckRoute(request, regions).ok());
}

TEST(CheckRoute, BothEndsMustBeInOneRegion) {
  const Regions regions = Shipped();
  for (const LatLng& elsewhere : {LatLng{34.05, -118.24}, LatLng{40.758, -73.9855}}) {
    RideRequest request = Request();
    Encode(elsewhere, request.mutable_dropoff()->mutable_position());
    EXPECT_TRUE(HasReason(CheckRoute(request, regions).status(), Reason::kOutsideServiceArea));
  }
  RideRequest request = Request();
  Encode(LatLng{34.05, -118.24}, request.mutable_pickup()->mutable_position());
  EXPECT_TRUE(HasReason(CheckRoute(request, regions).status(), Reason::kOutsideServiceArea));
}

TEST(CheckProduct, KnowsProductsAndSeats) {
  const Regions regions = Shipped();
  const Region& region = *regions.Find("san_francisco");
  const auto field = [&](const std::string& product, int seats) {
    RideRequest request = Request();
    request.set_product_id(product);
    request.set_seats(seats);
    return FieldOf(CheckProduct(request, region).status());
  };
  EXPECT_EQ(field("", 1), "product_id");
  EXPECT_EQ(field("limousine", 1), "product_id");
  EXPECT_EQ(field("economy", 5), "seats");
  EXPECT_EQ(field("economy", -1), "seats");
  EXPECT_EQ(field("economy", 0), "(none)");
  EXPECT_EQ(field("xl", 6), "(none)");
}

TEST(CheckLabels, AreFewAndShort) {
  google::protobuf::Map<std::string, std::string> labels;
  for (int i = 0; i < 16; ++i) labels[std::to_string(i)] = std::string(64, 'v');
  EXPECT_TRUE(CheckLabels(labels).ok());
  labels["one more"] = "";
  EXPECT_EQ(FieldOf(CheckLabels(labels)), "labels");
  EXPECT_EQ(FieldOf(CheckLabels(Labels({{"", "v"}}))), "labels");
  EXPECT_EQ(FieldOf(CheckLabels(Labels({{std::string(65, 'k'), "v"}}))), "labels");
  EXPECT_EQ(FieldOf(CheckLabels(Labels({{"k", std::string(65, 'v')}}))), "labels");
}

TEST(CheckReason, SystemReasonsAreTheSystems) {
  EXPECT_TRUE(CheckReason(CancelReason::kUnspecified, "reason").ok());
  EXPECT_TRUE(CheckReason(CancelReason::kOther, "reason").ok());
  for (const CancelReason reason :
       {CancelReason::kDriverUnreachable, CancelReason::kRedispatchLimit, CancelReason::kOperator}) {
    EXPECT_EQ(FieldOf(CheckReason(reason, "reason")), "reason");
  }
}

TEST(RequestFingerprint, TellsBodiesApartAndNothingElse) {
  const std::string base = RequestFingerprint(Request());
  RideRequest same = Request();
  same.set_seats(1);             // 0 means 1
  same.set_request_id("other");  // is the key, not the body
  EXPECT_EQ(RequestFingerprint(same), base);

  const auto changed = [&](auto change) {
    RideRequest request = Request();
    change(request);
    return RequestFingerprint(request) != base;
  };
  EXPECT_TRUE(changed([](RideRequest& r) { r.set_seats(2); }));
  EXPECT_TRUE(changed([](RideRequest& r) { r.set_product_id("xl"); }));
  EXPECT_TRUE(changed([](RideRequest& r) { r.set_quote_token("t"); }));
  EXPECT_TRUE(changed([](RideRequest& r) { (*r.mutable_labels())["a"] = "b"; }));
  EXPECT_TRUE(changed([](RideRequest& r) { r.mutable_pickup()->set_address("x"); }));
  EXPECT_TRUE(changed([](RideRequest& r) {
    r.mutable_pickup()->mutable_position()->set_latitude_deg(r.pickup().position().latitude_deg() + 1e-9);
  }));
  EXPECT_TRUE(changed([](RideRequest& r) {
    r.mutable_dropoff()->mutable_position()->set_longitude_deg(r.dropoff().position().longitude_deg() + 1e-9);
  }));
  EXPECT_TRUE(changed([](RideRequest& r) { r.mutable_dropoff()->clear_position(); }));

  // The encoding separates fields.
  RideRequest ab = Request();
  *ab.mutable_labels() = Labels({{"a", "b"}, {"c", ""}});
  RideRequest abc = Request();
  *abc.mutable_labels() = Labels({{"a", ""}, {"bc", ""}});
  EXPECT_NE(RequestFingerprint(ab), RequestFingerprint(abc));
}

// Computed by the release that stored the first rides: a repeat after an upgrade must have the same fingerprint.
TEST(RequestFingerprint, IsTheStoredOne) {
  RideRequest request = Request();
  EXPECT_EQ(RequestFingerprint(request), "1:74f1f71a70fc676d21b499dabe4e7f9973947dc77b5130975dbc74fbf8e5c6c1");
  request.set_seats(3);
  request.set_quote_token("v1.token.signature");
  *request.mutable_labels() = Labels({{"trip", "t-1"}, {"app", "ios"}});
  Encode(LatLng{-0.0, 0.0}, request.mutable_pickup()->mutable_position());
  request.mutable_dropoff()->set_address("");
  EXPECT_EQ(RequestFingerprint(request), "1:6e33e433c600f9e251131481c6bef89a4762d228f5bfd99d21bfc0e04b4e281b");
  EXPECT_EQ(RequestFingerprint({}), "1:fbd209ba66e164e761039490c8e755c4d9b3d7076aad7266983c7e3658fb8190");
}

TEST(RequestFingerprint, FurtherFieldsCount) {
  RideRequest request = Request();
  *request.mutable_labels() = Labels({{"a", "b"}});
  const std::string base = RequestFingerprint(request);
  google::protobuf::UnknownFieldSet& later = *request.GetReflection()->MutableUnknownFields(&request);
  later.AddLengthDelimited(90, "note");
  const std::string note = RequestFingerprint(request);
  EXPECT_NE(note, base);
  later.Clear();
  later.AddLengthDelimited(90, "other");
  EXPECT_NE(RequestFingerprint(request), note);
}

// --- Quotes ---

class QuoterTest : public ::testing::Test {
 protected:
  Regions regions_ = Shipped();
  Quoter quoter_{&regions_, kKey, SystemRandom()};
};

TEST_F(QuoterTest, QuotesEveryProductCheapestFirst) {
  RideRequest request = Request();
  request.set_product_id("");
  const auto quotes = quoter_.QuoteRide(kNow, request);
  ASSERT_TRUE(quotes.ok()) << quotes.status();
  ASSERT_EQ(quotes->size(), 3u);
  EXPECT_LT((*quotes)[0].quote.fare_micros(), (*quotes)[1].quote.fare_micros());
  EXPECT_LT((*quotes)[1].quote.fare_micros(), (*quotes)[2].quote.fare_micros());
  EXPECT_NE((*quotes)[0].quote.quote_id(), (*quotes)[1].quote.quote_id());
  EXPECT_EQ(ExpireTimeOf((*quotes)[0].quote), kNow.domain + absl::Minutes(5));

  request.set_seats(6);
  const auto big = quoter_.QuoteRide(kNow, request);
  ASSERT_EQ(big->size(), 1u);
  EXPECT_EQ((*big)[0].quote.product_id(), "xl");
  request.set_seats(7);
  EXPECT_EQ(FieldOf(quoter_.QuoteRide(kNow, request).status()), "seats");
}

TEST_F(QuoterTest, RefusesBadRequests) {
  RideRequest request = Request();
  request.set_rider_id("");
  EXPECT_EQ(FieldOf(quoter_.QuoteRide(kNow, request).status()), "rider_id");
  request = Request();
  request.set_product_id("limousine");
  EXPECT_EQ(FieldOf(quoter_.QuoteRide(kNow, request).status()), "product_id");
  request = Request();
  *request.mutable_dropoff() = request.pickup();
  EXPECT_EQ(FieldOf(quoter_.QuoteRide(kNow, request).status()), "dropoff");
}

TEST_F(QuoterTest, AQuoteHoldsItsPriceUntilItExpires) {
  RideRequest request = Request();
  request.set_seats(3);
  const SignedQuote held = (*quoter_.QuoteRide(kNow, request))[0];
  const Quote& quote = held.quote;
  request.set_quote_token(held.token);
  // Later in the day the current price is different.
  Now later = kNow;
  later.domain += absl::Minutes(5) - absl::Milliseconds(1);
  const auto terms = quoter_.TermsFor(later, request);
  ASSERT_TRUE(terms.ok()) << terms.status();
  EXPECT_EQ(terms->fare, FareOf(quote));
  EXPECT_EQ(terms->quote_id, quote.quote_id());
  EXPECT_EQ(terms->distance_m, quote.distance_m());
  EXPECT_EQ(terms->trip_duration, TripDurationOf(quote));
  later.domain += absl::Milliseconds(1);
  EXPECT_TRUE(HasReason(quoter_.TermsFor(later, request).status(), Reason::kQuoteExpired));
}

TEST_F(QuoterTest, AQuoteIsForOneRiderProductSeatsAndRoute) {
  RideRequest request = Request();
  request.set_quote_token((*quoter_.QuoteRide(kNow, request))[0].token);
  ASSERT_TRUE(quoter_.TermsFor(kNow, request).ok());
  const auto reason = [&](auto change) {
    RideRequest other = request;
    change(other);
    const absl::Status status = quoter_.TermsFor(kNow, other).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return DetailsOf(status)->reason;
  };
  EXPECT_EQ(reason([](RideRequest& r) { r.set_rider_id("rider-2"); }), Reason::kQuoteMismatch);
  EXPECT_EQ(reason([](RideRequest& r) { r.set_product_id("comfort"); }), Reason::kQuoteMismatch);
  EXPECT_EQ(reason([](RideRequest& r) { r.set_seats(2); }), Reason::kQuoteMismatch);
  EXPECT_EQ(reason([](RideRequest& r) {
              r.mutable_pickup()->mutable_position()->set_latitude_deg(r.pickup().position().latitude_deg() + 1e-6);
            }),
            Reason::kQuoteMismatch);
  EXPECT_EQ(reason([](RideRequest& r) {
              r.mutable_dropoff()->mutable_position()->set_latitude_deg(r.dropoff().position().latitude_deg() + 1e-6);
            }),
            Reason::kQuoteMismatch);
  // A quote does not bind addresses.
  RideRequest relabelled = request;
  relabelled.mutable_pickup()->set_address("elsewhere in words only");
  EXPECT_TRUE(quoter_.TermsFor(kNow, relabelled).ok());
}

// The content of the tokens below.
Quote Held() {
  Quote quote;
  quote.set_quote_id("0192f3c0-0000-7000-8000-00000000abcd");
  quote.set_rider_id("rider-1");
  quote.set_product_id("economy");
  quote.set_region_id("san_francisco");
  quote.set_seats(2);
  quote.set_pickup_latitude_deg(37.7749);
  quote.set_pickup_longitude_deg(-122.4194);
  quote.set_dropoff_latitude_deg(37.7955);
  quote.set_dropoff_longitude_deg(-122.3937);
  quote.set_currency_code("USD");
  quote.set_fare_micros(12'340'000);
  quote.set_distance_m(4321.5);
  quote.set_trip_duration_us(202'250'000);
  quote.set_expire_time_us(absl::ToUnixMicros(kNoonInSanFrancisco + absl::Minutes(5)));
  return quote;
}

// Made by the release that only knew version 1.
constexpr char kTokenV1[] =
    "v1.JAAAAAAAAAAwMTkyZjNjMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMGFiY2QHAAAAAAAAAHJpZGVyLTEHAAAAAAAAAGVjb25vb"
    "XkNAAAAAAAAAHNhbl9mcmFuY2lzY28CAAAAAAAAANDVVuwv40JAUPwYc9eaXsDn-6nx0uVCQNobfGEymV7AAwAAAAAAAABVU0QgS"
    "7wAAAAAAAAAAACA4bBAEBcODAAAAAAAU2c6100EAA.niC2mDSHvWCHXmMLzwZXvXJ7fB4_XQhk7076reSSlJA";
constexpr char kTokenV2[] =
    "v2.CiQwMTkyZjNjMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMGFiY2QSB3JpZGVyLTEaB2Vjb25vbXkiDXNhbl9mcmFuY2lzY28oA"
    "jHQ1VbsL-NCQDlQ_Bhz15pewEHn-6nx0uVCQEnaG3xhMplewFIDVVNEWKCW8QVhAAAAAIDhsEBokK64YHCApp3T87qTAg.JkuokP"
    "ns679Qx3RRPC-TcP3YhA79q2zv9slJaqcBznw";
// With fields that this release does not know.
constexpr char kTokenV2Later[] =
    "v2.CiQwMTkyZjNjMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMGFiY2QSB3JpZGVyLTEaB2Vjb25vbXkiDXNhbl9mcmFuY2lzY28oA"
    "jHQ1VbsL-NCQDlQ_Bhz15pewEHn-6nx0uVCQEnaG3xhMplewFIDVVNEWKCW8QVhAAAAAIDhsEBokK64YHCApp3T87qTAnoFc3VyZ"
    "2XQBQc.Njyh-zAMrjJxMdvihTHQYFmeZrPaKEdymeSfANncGKA";
constexpr char kTokenV3[] = "v3.YW55dGhpbmc.pY3hWZNHhTG0F6Gx6yhm9aRJGY2Q7IfMPHiAR6cHBZs";

TEST_F(QuoterTest, ReadsTokensOfBothLayouts) {
  EXPECT_EQ(SignQuote(kKey, Held(), QuoteLayout::kPositional), kTokenV1);
  EXPECT_EQ(SignQuote(kKey, Held(), QuoteLayout::kProtobuf), kTokenV2);
  RideRequest request = Request();
  request.set_seats(2);
  for (const char* token : {kTokenV1, kTokenV2, kTokenV2Later}) {
    const absl::StatusOr<Quote> quote = ReadQuote(kKey, token);
    ASSERT_TRUE(quote.ok()) << quote.status();
    EXPECT_EQ(SignQuote(kKey, *quote, QuoteLayout::kProtobuf), kTokenV2);
    request.set_quote_token(token);
    const auto terms = quoter_.TermsFor(kNow, request);
    ASSERT_TRUE(terms.ok()) << terms.status();
    EXPECT_EQ(terms->fare, FareOf(Held()));
    EXPECT_EQ(terms->trip_duration, TripDurationOf(Held()));
  }
}

// The previous release refuses other layouts, so its replicas could not use quotes of this release.
TEST_F(QuoterTest, WritesWhatTheReleaseBeforeReads) {
  EXPECT_THAT((*quoter_.QuoteRide(kNow, Request()))[0].token, StartsWith("v1."));
  EXPECT_EQ(SignQuote(kKey, Held()), kTokenV1);
}

TEST_F(QuoterTest, ALaterVersionIsQuotedAgain) {
  EXPECT_TRUE(HasReason(ReadQuote(kKey, kTokenV3).status(), Reason::kQuoteExpired));
  EXPECT_TRUE(HasReason(ReadQuote("another key, another key, another", kTokenV3).status(), Reason::kQuoteMismatch));
}

class QuoteTokenTest : public ::testing::TestWithParam<QuoteLayout> {};

INSTANTIATE_TEST_SUITE_P(Layouts, QuoteTokenTest, ::testing::Values(QuoteLayout::kPositional, QuoteLayout::kProtobuf));

TEST_P(QuoteTokenTest, AForgedOrDamagedTokenIsRefused) {
  const std::string token = SignQuote(kKey, Held(), GetParam());
  ASSERT_TRUE(ReadQuote(kKey, token).ok());
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string forged = token;
    forged[i] = forged[i] == 'A' ? 'B' : 'A';
    EXPECT_TRUE(HasReason(ReadQuote(kKey, forged).status(), Reason::kQuoteMismatch)) << i;
  }
  // A token has only one valid form. The last of the characters that encode 32 bytes has two unused bits.
  for (const char last : std::string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ ")) {
    if (last == token.back()) continue;
    EXPECT_FALSE(ReadQuote(kKey, token.substr(0, token.size() - 1) + last).ok()) << last;
  }
  for (const char* more : {"=", "==", " ", "\n", "."}) EXPECT_FALSE(ReadQuote(kKey, token + more).ok()) << more;
  std::string padded = token;
  padded.insert(token.rfind('.'), "=");
  EXPECT_FALSE(ReadQuote(kKey, padded).ok());
  for (const std::string& bad : {std::string(), std::string("v1."), std::string("v1.."), std::string("v2.abc.def"),
                                 token + "x", token.substr(0, token.size() / 2), std::string(5000, 'A')}) {
    EXPECT_FALSE(ReadQuote(kKey, bad).ok()) << bad;
  }
  EXPECT_FALSE(ReadQuote("another key, another key, another", token).ok());
}

TEST_F(QuoterTest, WithoutAQuoteThePriceOfTheMoment) {
  const auto terms = quoter_.TermsFor(kNow, Request());
  ASSERT_TRUE(terms.ok());
  EXPECT_EQ(terms->fare, FareOf((*quoter_.QuoteRide(kNow, Request()))[0].quote));
  EXPECT_EQ(terms->quote_id, "");
  RideRequest labelled = Request();
  (*labelled.mutable_labels())[""] = "";
  EXPECT_EQ(FieldOf(quoter_.TermsFor(kNow, labelled).status()), "labels");
}

TEST_F(QuoterTest, ProductsAt) {
  EXPECT_EQ(quoter_.ProductsAt({37.7749, -122.4194}, "position")->size(), 3u);
  EXPECT_TRUE(HasReason(quoter_.ProductsAt({34.05, -118.24}, "position").status(), Reason::kOutsideServiceArea));
  EXPECT_EQ(FieldOf(quoter_.ProductsAt({0, 0}, "position").status()), "position");
}

// --- Page tokens ---

TEST(PageToken, IsBoundToItsFilter) {
  const std::string token = MakePageToken("rider a", "position");
  EXPECT_EQ(*ReadPageToken("rider a", token), "position");
  EXPECT_EQ(FieldOf(ReadPageToken("rider b", token).status()), "page_token");
  EXPECT_EQ(FieldOf(ReadPageToken("rider a", "!!").status()), "page_token");
  EXPECT_EQ(FieldOf(ReadPageToken("rider a", "").status()), "page_token");
  for (const char* more : {"=", "==", " "}) {
    EXPECT_EQ(FieldOf(ReadPageToken("rider a", token + more).status()), "page_token") << more;
  }
}

}  // namespace
}  // namespace hail::rider
