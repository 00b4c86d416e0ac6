// The public unary calls of rider-service, against the real binary.
#include <limits>
#include <set>

#include "gmock/gmock.h"
#include "tests/integration/rider_fixture.h"

namespace hail::testing {
namespace {

using grpc::StatusCode;
using hail::rider::v1::QuoteRideRequest;
using hail::rider::v1::QuoteRideResponse;
using hail::type::v1::Ride;
using ::testing::ElementsAre;

class RiderRequests : public RiderServiceTest {
 protected:
  static QuoteRideRequest QuoteRequest(const std::string& rider_id) {
    QuoteRideRequest request;
    request.set_rider_id(rider_id);
    *request.mutable_pickup() = FerryBuilding();
    *request.mutable_dropoff() = MissionDolores();
    return request;
  }
};

TEST_F(RiderRequests, ProductsAreListedWhereHailOperatesAndNowhereElse) {
  auto client = Client();
  hail::rider::v1::ListProductsRequest request;
  *request.mutable_position() = FerryBuilding().position();
  hail::rider::v1::ListProductsResponse response;
  ASSERT_TRUE(client.rides().ListProducts(PatientContext().get(), request, &response).ok());
  std::set<std::string> ids;
  for (const auto& product : response.products()) {
    ids.insert(product.product_id());
    EXPECT_EQ(product.region_id(), "san_francisco");
    EXPECT_EQ(product.base_fare().currency_code(), "USD");
    EXPECT_GT(product.max_seats(), 0);
  }
  EXPECT_THAT(ids, ElementsAre("comfort", "economy", "xl"));
  for (int i = 1; i < response.products_size(); ++i) {
    EXPECT_LE(response.products(i - 1).minimum_fare().micros(), response.products(i).minimum_fare().micros());
  }

  request.mutable_position()->set_latitude_deg(48.8566);  // Paris
  request.mutable_position()->set_longitude_deg(2.3522);
  const grpc::Status outside = client.rides().ListProducts(PatientContext().get(), request, &response);
  EXPECT_EQ(outside.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ErrorOf(outside).reason, "OUTSIDE_SERVICE_AREA");

  request.mutable_position()->set_latitude_deg(std::numeric_limits<double>::quiet_NaN());
  const grpc::Status nan = client.rides().ListProducts(PatientContext().get(), request, &response);
  EXPECT_EQ(nan.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ErrorOf(nan).reason, "INVALID_FIELD");
  EXPECT_EQ(ErrorOf(nan).domain, "hail");
  EXPECT_THAT(ErrorOf(nan).fields, ElementsAre("position.latitude_deg"));
}

TEST_F(RiderRequests, AQuoteHoldsItsPriceForOneRideOfItsRider) {
  auto client = Client();
  QuoteRideResponse quotes;
  ASSERT_TRUE(client.rides().QuoteRide(PatientContext().get(), QuoteRequest("ann"), &quotes).ok());
  ASSERT_GE(quotes.quotes_size(), 3);
  for (int i = 1; i < quotes.quotes_size(); ++i) {
    EXPECT_LE(quotes.quotes(i - 1).fare().micros(), quotes.quotes(i).fare().micros());
  }
  const auto& quote = quotes.quotes(0);
  EXPECT_FALSE(quote.has_pickup_eta()) << "no car is near";
  EXPECT_GT(quote.distance_m(), 3000);

  auto stolen = RiderClient::RideRequest("bob", "request-1");
  stolen.set_product_id(quote.product_id());
  stolen.set_quote_token(quote.quote_token());
  const auto mismatch = client.Request(stolen);
  EXPECT_EQ(mismatch.status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ErrorOf(mismatch.status).reason, "QUOTE_MISMATCH");

  auto request = RiderClient::RideRequest("ann", "request-1");
  request.set_product_id(quote.product_id());
  request.set_quote_token(quote.quote_token());
  const auto first = client.Request(request);
  ASSERT_TRUE(first.ok()) << first.status.error_message();
  EXPECT_EQ(first.response.ride().fare().quoted().micros(), quote.fare().micros());
  EXPECT_EQ(first.response.ride().quote_id(), quote.quote_id());

  ASSERT_TRUE(client.Cancel("ann", first.response.ride().ride_id()).ok());
  request.set_request_id("request-2");
  const auto again = client.Request(request);
  EXPECT_EQ(again.status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ErrorOf(again.status).reason, "QUOTE_USED");
}

TEST_F(RiderRequests, AQuoteTellsWhenTheNearestCarCouldCome) {
  hail::internal::v1::FoundDriver found;
  found.set_driver_id("driver-1");
  *found.mutable_position() = FerryBuilding().position();
  found.mutable_position()->set_latitude_deg(37.795678901);
  found.add_product_ids("economy");
  found.mutable_eta()->set_seconds(95);
  driver_.set_drivers({found});
  auto client = Client();
  auto request = QuoteRequest("ann");
  request.set_product_id("economy");
  QuoteRideResponse quotes;
  ASSERT_TRUE(client.rides().QuoteRide(PatientContext().get(), request, &quotes).ok());
  ASSERT_EQ(quotes.quotes_size(), 1);
  EXPECT_EQ(quotes.quotes(0).pickup_eta().seconds(), 105) << "in whole quarters of a minute";

  hail::rider::v1::ListNearbyCarsRequest nearby;
  *nearby.mutable_position() = FerryBuilding().position();
  hail::rider::v1::ListNearbyCarsResponse cars;
  ASSERT_TRUE(client.rides().ListNearbyCars(PatientContext().get(), nearby, &cars).ok());
  ASSERT_EQ(cars.cars_size(), 1);
  EXPECT_DOUBLE_EQ(cars.cars(0).position().latitude_deg(), 37.7957) << "positions of cars are shown to 4 decimals";
  EXPECT_EQ(cars.cars(0).eta().seconds(), 105);
  nearby.mutable_position()->set_latitude_deg(34.05);
  ASSERT_TRUE(client.rides().ListNearbyCars(PatientContext().get(), nearby, &cars).ok());
  EXPECT_EQ(cars.cars_size(), 0) << "no ride can be had in the sea";
}

TEST_F(RiderRequests, QuotesWorkWithoutDriverService) {
  driver_.Stop();
  auto client = Client();
  QuoteRideResponse quotes;
  ASSERT_TRUE(client.rides().QuoteRide(PatientContext().get(), QuoteRequest("ann"), &quotes).ok());
  ASSERT_GE(quotes.quotes_size(), 3);
  EXPECT_FALSE(quotes.quotes(0).has_pickup_eta());

  hail::rider::v1::ListNearbyCarsRequest nearby;
  *nearby.mutable_position() = FerryBuilding().position();
  hail::rider::v1::ListNearbyCarsResponse cars;
  const grpc::Status status = client.rides().ListNearbyCars(PatientContext().get(), nearby, &cars);
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(ErrorOf(status).reason, "PEER_UNAVAILABLE");
  EXPECT_TRUE(ErrorOf(status).has_retry);
}

TEST_F(RiderRequests, OneRequestIdMakesOneRide) {
  auto client = Client();
  const Ride first = client.MustRequest("ann", "request-1");
  EXPECT_EQ(first.state(), hail::type::v1::RIDE_STATE_MATCHING);
  EXPECT_EQ(first.sequence(), 1);
  EXPECT_EQ(first.epoch(), 1);
  const Ride again = client.MustRequest("ann", "request-1");
  EXPECT_EQ(again.ride_id(), first.ride_id());

  auto other_body = RiderClient::RideRequest("ann", "request-1");
  other_body.set_product_id("xl");
  const auto reused = client.Request(other_body);
  EXPECT_EQ(reused.status.error_code(), StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(ErrorOf(reused.status).reason, "REQUEST_ID_REUSED");

  const auto busy = client.Request(RiderClient::RideRequest("ann", "request-2"));
  EXPECT_EQ(busy.status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ErrorOf(busy.status).reason, "RIDER_BUSY");
  EXPECT_EQ(ErrorOf(busy.status).metadata["ride_id"], first.ride_id());

  // The refusal did not use up the key: once the rider is free, the same key makes a ride.
  ASSERT_TRUE(client.Cancel("ann", first.ride_id()).ok());
  EXPECT_NE(client.MustRequest("ann", "request-2").ride_id(), first.ride_id());
  // The old key still names the old ride in its present state.
  EXPECT_EQ(client.MustRequest("ann", "request-1").state(), hail::type::v1::RIDE_STATE_CANCELED);
}

TEST_F(RiderRequests, BadRequestsNameTheFieldAndStoreNothing) {
  auto client = Client();
  struct Case {
    std::string field;
    std::function<void(hail::rider::v1::RequestRideRequest&)> break_it;
  };
  const std::vector<Case> cases = {
      {"rider_id", [](auto& r) { r.clear_rider_id(); }},
      {"rider_id", [](auto& r) { r.set_rider_id(std::string(129, 'a')); }},
      {"request_id", [](auto& r) { r.clear_request_id(); }},
      {"pickup", [](auto& r) { r.clear_pickup(); }},
      {"pickup.position", [](auto& r) { r.mutable_pickup()->mutable_position()->Clear(); }},
      {"pickup.position.latitude_deg", [](auto& r) { r.mutable_pickup()->mutable_position()->set_latitude_deg(91); }},
      {"dropoff.position.longitude_deg",
       [](auto& r) {
         r.mutable_dropoff()->mutable_position()->set_longitude_deg(std::numeric_limits<double>::infinity());
       }},
      {"dropoff", [](auto& r) { *r.mutable_dropoff() = r.pickup(); }},
      {"product_id", [](auto& r) { r.set_product_id("rickshaw"); }},
      {"seats", [](auto& r) { r.set_seats(50); }},
      {"seats", [](auto& r) { r.set_seats(-1); }},
      {"labels", [](auto& r) { (*r.mutable_labels())["k"] = std::string(65, 'v'); }},
      // Control, zero-width and direction characters.
      {"rider_id", [](auto& r) { r.set_rider_id("ann\u200B"); }},
      {"request_id", [](auto& r) { r.set_request_id("\u202E1-tseuqer"); }},
      {"pickup.address", [](auto& r) { r.mutable_pickup()->set_address("\x1B[2JHere"); }},
      {"dropoff.address", [](auto& r) { r.mutable_dropoff()->set_address(std::string("There\0", 6)); }},
      {"labels", [](auto& r) { (*r.mutable_labels())["k\u2028"] = "v"; }},
      {"labels", [](auto& r) { (*r.mutable_labels())["k"] = "v\n"; }},
  };
  for (const Case& bad : cases) {
    auto request = RiderClient::RideRequest("ann", "request-1");
    bad.break_it(request);
    const auto outcome = client.Request(request);
    EXPECT_EQ(outcome.status.error_code(), StatusCode::INVALID_ARGUMENT) << bad.field;
    const WireError error = ErrorOf(outcome.status);
    EXPECT_EQ(error.reason, "INVALID_FIELD") << bad.field;
    ASSERT_EQ(error.fields.size(), 1u) << bad.field;
    EXPECT_EQ(error.fields[0].substr(0, bad.field.size()), bad.field);
  }
  auto huge = RiderClient::RideRequest("ann", "request-1");
  huge.mutable_pickup()->set_address(std::string(100'000, 'x'));
  EXPECT_EQ(client.Request(huge).status.error_code(), StatusCode::INVALID_ARGUMENT);

  auto outside = RiderClient::RideRequest("ann", "request-1");
  outside.mutable_dropoff()->mutable_position()->set_latitude_deg(34.05);  // Los Angeles
  outside.mutable_dropoff()->mutable_position()->set_longitude_deg(-118.24);
  const auto refused = client.Request(outside);
  EXPECT_EQ(refused.status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ErrorOf(refused.status).reason, "OUTSIDE_SERVICE_AREA");

  hail::rider::v1::GetActiveRideRequest active;
  active.set_rider_id("ann");
  hail::rider::v1::GetActiveRideResponse response;
  ASSERT_TRUE(client.rides().GetActiveRide(PatientContext().get(), active, &response).ok());
  EXPECT_FALSE(response.has_ride());
}

TEST_F(RiderRequests, ARideIsShownToItsRiderOnly) {
  auto client = Client();
  const Ride ride = client.MustRequest("ann");
  const auto mine = client.Get("ann", ride.ride_id());
  ASSERT_TRUE(mine.ok());
  EXPECT_EQ(mine.response.ride().request_id(), "request-1");
  const auto foreign = client.Get("bob", ride.ride_id());
  EXPECT_EQ(foreign.status.error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(ErrorOf(foreign.status).reason, "RIDE_NOT_FOUND");
  EXPECT_EQ(client.Cancel("bob", ride.ride_id()).status.error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(client.Get("ann", "no-such-ride").status.error_code(), StatusCode::NOT_FOUND);

  hail::rider::v1::GetActiveRideRequest active;
  active.set_rider_id("ann");
  hail::rider::v1::GetActiveRideResponse response;
  ASSERT_TRUE(client.rides().GetActiveRide(PatientContext().get(), active, &response).ok());
  EXPECT_EQ(response.ride().ride_id(), ride.ride_id());
}

TEST_F(RiderRequests, CancelingIsRepeatableAndSaysWhyItIsTooLate) {
  auto client = Client();
  const Ride ride = client.MustRequest("ann");
  const auto canceled = client.Cancel("ann", ride.ride_id());
  ASSERT_TRUE(canceled.ok());
  EXPECT_EQ(canceled.response.ride().state(), hail::type::v1::RIDE_STATE_CANCELED);
  EXPECT_EQ(canceled.response.ride().cancellation().actor(), hail::type::v1::CANCEL_ACTOR_RIDER);
  EXPECT_FALSE(canceled.response.ride().fare().has_cancellation_fee()) << "free while nobody is assigned";
  const auto again = client.Cancel("ann", ride.ride_id());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again.response.ride().sequence(), canceled.response.ride().sequence());

  hail::rider::v1::CancelRideRequest system;
  system.set_rider_id("ann");
  system.set_ride_id(ride.ride_id());
  system.set_reason(hail::type::v1::CANCEL_REASON_OPERATOR);
  hail::rider::v1::CancelRideResponse response;
  const grpc::Status refused = client.rides().CancelRide(PatientContext().get(), system, &response);
  EXPECT_EQ(refused.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(ErrorOf(refused).fields, ElementsAre("reason"));
}

TEST_F(RiderRequests, RidesAreListedLatestFirstPageByPage) {
  auto client = Client();
  std::vector<std::string> made;
  for (int i = 0; i < 5; ++i) {
    const Ride ride = client.MustRequest("ann", "request-" + std::to_string(i));
    made.insert(made.begin(), ride.ride_id());
    if (i < 4) {
      ASSERT_TRUE(client.Cancel("ann", ride.ride_id()).ok());
    }
  }
  hail::rider::v1::ListRidesRequest request;
  request.set_rider_id("ann");
  request.set_page_size(2);
  std::vector<std::string> listed;
  hail::rider::v1::ListRidesResponse page;
  do {
    ASSERT_TRUE(client.rides().ListRides(PatientContext().get(), request, &page).ok());
    EXPECT_LE(page.rides_size(), 2);
    for (const Ride& ride : page.rides()) listed.push_back(ride.ride_id());
    request.set_page_token(page.next_page_token());
  } while (!page.next_page_token().empty());
  EXPECT_EQ(listed, made);

  request.clear_page_token();
  request.set_page_size(0);
  request.add_states(hail::type::v1::RIDE_STATE_MATCHING);
  ASSERT_TRUE(client.rides().ListRides(PatientContext().get(), request, &page).ok());
  ASSERT_EQ(page.rides_size(), 1);
  EXPECT_EQ(page.rides(0).ride_id(), made[0]);

  // A page token is valid only with the filter it came from.
  request.clear_states();
  request.set_page_size(2);
  ASSERT_TRUE(client.rides().ListRides(PatientContext().get(), request, &page).ok());
  request.set_rider_id("bob");
  request.set_page_token(page.next_page_token());
  const grpc::Status refused = client.rides().ListRides(PatientContext().get(), request, &page);
  EXPECT_EQ(refused.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(ErrorOf(refused).fields, ElementsAre("page_token"));
}

TEST_F(RiderRequests, InternalMethodsAreNotOnThePublicPort) {
  const auto stub = hail::internal::v1::AssignmentService::NewStub(rider_.PublicChannel());
  hail::internal::v1::FindAssignmentRequest request;
  request.set_driver_id("driver-1");
  request.set_offer_id("offer-1");
  hail::internal::v1::FindAssignmentResponse response;
  EXPECT_EQ(stub->FindAssignment(PatientContext().get(), request, &response).error_code(), StatusCode::UNIMPLEMENTED);

  // The internal port serves the call: the offer is unknown there, which is a different error.
  const grpc::Status known = Client().assignments().FindAssignment(PatientContext().get(), request, &response);
  EXPECT_EQ(known.error_code(), StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace hail::testing
