#include "tests/tools/hailctl/ride_commands.h"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <thread>

#include "absl/time/clock.h"
#include "common/ids/uuid.h"
#include "common/text/text.h"
#include "tests/tools/hailctl/format.h"
#include "tests/tools/hailctl/patience.h"
#include "tests/tools/hailctl/show.h"
#include "tests/tools/hailctl/table.h"

namespace hail::ctl {
namespace {

namespace rider = hail::rider::v1;

ExitCode Wrong(const Context& context, const std::string& message) {
  return Report({.code = grpc::StatusCode::INVALID_ARGUMENT, .message = message}, context.json());
}

}  // namespace

ExitCode RideProducts(Context& context, const RideArguments& arguments) {
  rider::ListProductsRequest request;
  const auto point = ParsePoint(arguments.at);
  if (!point.ok()) return Wrong(context, "--at: " + std::string(point.status().message()));
  *request.mutable_position() = *point;

  rider::ListProductsResponse response;
  const grpc::Status status =
      context.Call([&](grpc::ClientContext* call) { return context.rider().ListProducts(call, request, &response); });
  if (!status.ok()) return context.Fail(status);

  Table table({"PRODUCT", "SEATS", "BASE", "PER KM", "PER MIN", "MINIMUM", "CANCEL FEE", "FREE FOR", "REGION"});
  for (const rider::Product& product : response.products()) {
    table.Add({product.product_id(), std::to_string(product.max_seats()), MoneyText(product.base_fare()),
               MoneyText(product.per_km()), MoneyText(product.per_minute()), MoneyText(product.minimum_fare()),
               MoneyText(product.cancellation_fee()), DurationText(product.free_cancellation()), product.region_id()});
  }
  context.Print(response, table.Text());
  return kOk;
}

ExitCode RideQuote(Context& context, const RideArguments& arguments) {
  rider::QuoteRideRequest request;
  const auto from = ParsePlace(arguments.from);
  if (!from.ok()) return Wrong(context, "--from: " + std::string(from.status().message()));
  const auto to = ParsePlace(arguments.to);
  if (!to.ok()) return Wrong(context, "--to: " + std::string(to.status().message()));
  request.set_rider_id(arguments.rider_id);
  *request.mutable_pickup() = *from;
  *request.mutable_dropoff() = *to;
  request.set_product_id(arguments.product_id);
  request.set_seats(arguments.seats);

  rider::QuoteRideResponse response;
  const grpc::Status status =
      context.Call([&](grpc::ClientContext* call) { return context.rider().QuoteRide(call, request, &response); });
  if (!status.ok()) return context.Fail(status);

  Table table({"PRODUCT", "FARE", "DISTANCE", "TRIP", "PICKUP IN", "HOLDS UNTIL"});
  std::string tokens = "\nto get one of these prices, request the ride with its --quote-token:\n";
  for (const rider::Quote& quote : response.quotes()) {
    table.Add({quote.product_id(), MoneyText(quote.fare()), DistanceText(quote.distance_m()),
               DurationText(quote.trip_duration()),
               quote.has_pickup_eta() ? DurationText(quote.pickup_eta()) : "no car", TimeText(quote.expire_time())});
    tokens += quote.product_id() + "  " + quote.quote_token() + '\n';
  }
  context.Print(response, table.Text() + tokens);
  return kOk;
}

ExitCode RideRequest(Context& context, const RideArguments& arguments) {
  rider::RequestRideRequest request;
  const auto from = ParsePlace(arguments.from);
  if (!from.ok()) return Wrong(context, "--from: " + std::string(from.status().message()));
  const auto to = ParsePlace(arguments.to);
  if (!to.ok()) return Wrong(context, "--to: " + std::string(to.status().message()));
  for (const std::string& label : arguments.labels) {
    const std::size_t equals = label.find('=');
    if (equals == std::string::npos) return Wrong(context, "--label: '" + label + "' is not KEY=VALUE");
    (*request.mutable_labels())[label.substr(0, equals)] = label.substr(equals + 1);
  }
  request.set_rider_id(arguments.rider_id);
  request.set_request_id(arguments.request_id.empty() ? UuidV7(absl::Now(), SystemRandom()) : arguments.request_id);
  *request.mutable_pickup() = *from;
  *request.mutable_dropoff() = *to;
  request.set_product_id(arguments.product_id);
  request.set_seats(arguments.seats);
  request.set_quote_token(arguments.quote_token);
  request.set_rider_display_name(arguments.name);
  request.mutable_pickup()->set_note(arguments.note);

  rider::RequestRideResponse response;
  const absl::Time give_up = absl::Now() + absl::Seconds(context.options().timeout_s);
  grpc::Status status;
  Patience patience;
  for (;;) {
    status =
        context.Call([&](grpc::ClientContext* call) { return context.rider().RequestRide(call, request, &response); });
    if (IsAnswer(status)) break;
    const absl::Duration wait = patience.After(status);
    if (absl::Now() + wait >= give_up) break;
    absl::SleepFor(wait);
  }
  if (!status.ok()) {
    const ExitCode code = context.Fail(status);
    if (code == kUnavailable && !context.json()) {
      std::cerr << "  whether the ride was accepted is unknown; --request-id " << Shown(request.request_id())
                << " makes repeating it safe\n";
    }
    return code;
  }

  context.Print(response, RideText(response.ride()));
  if (!arguments.watch) return kOk;
  RideArguments watch = arguments;
  watch.ride_id = response.ride().ride_id();
  watch.after = response.ride().sequence();
  return RideWatch(context, watch);
}

ExitCode RideGet(Context& context, const RideArguments& arguments) {
  if (arguments.ride_id.empty()) {
    rider::GetActiveRideRequest request;
    request.set_rider_id(arguments.rider_id);
    rider::GetActiveRideResponse response;
    const grpc::Status status = context.Call(
        [&](grpc::ClientContext* call) { return context.rider().GetActiveRide(call, request, &response); });
    if (!status.ok()) return context.Fail(status);
    if (!response.has_ride()) {
      return Report({.code = grpc::StatusCode::NOT_FOUND, .message = "the rider has no live ride"}, context.json());
    }
    context.Print(response, RideText(response.ride()));
    return kOk;
  }
  rider::GetRideRequest request;
  request.set_rider_id(arguments.rider_id);
  request.set_ride_id(arguments.ride_id);
  rider::GetRideResponse response;
  const grpc::Status status =
      context.Call([&](grpc::ClientContext* call) { return context.rider().GetRide(call, request, &response); });
  if (!status.ok()) return context.Fail(status);
  context.Print(response, RideText(response.ride()));
  return kOk;
}

ExitCode RideCancel(Context& context, const RideArguments& arguments) {
  rider::CancelRideRequest request;
  request.set_rider_id(arguments.rider_id);
  request.set_ride_id(arguments.ride_id);
  if (!arguments.reason.empty()) {
    const auto reason = FromWord<hail::type::v1::CancelReason>(arguments.reason);
    if (!reason.has_value()) return Wrong(context, "--reason: unknown reason '" + arguments.reason + "'");
    request.set_reason(*reason);
  }
  request.set_note(arguments.note);
  rider::CancelRideResponse response;
  const grpc::Status status =
      context.Call([&](grpc::ClientContext* call) { return context.rider().CancelRide(call, request, &response); });
  if (!status.ok()) return context.Fail(status);
  context.Print(response, RideText(response.ride()));
  return kOk;
}

ExitCode RideList(Context& context, const RideArguments& arguments) {
  rider::ListRidesRequest request;
  request.set_rider_id(arguments.rider_id);
  for (const std::string& word : arguments.states) {
    const auto state = FromWord<hail::type::v1::RideState>(word);
    if (!state.has_value()) return Wrong(context, "--state: unknown state '" + word + "'");
    request.add_states(*state);
  }
  rider::ListRidesResponse all;
  do {
    request.set_page_size(std::min(100, arguments.limit - all.rides_size()));
    rider::ListRidesResponse page;
    const grpc::Status status =
        context.Call([&](grpc::ClientContext* call) { return context.rider().ListRides(call, request, &page); });
    if (!status.ok()) return context.Fail(status);
    for (auto& ride : *page.mutable_rides()) *all.add_rides() = std::move(ride);
    request.set_page_token(page.next_page_token());
    all.set_next_page_token(page.next_page_token());
  } while (!request.page_token().empty() && all.rides_size() < arguments.limit);

  Table table({"RIDE", "STATE", "PRODUCT", "REQUESTED", "FROM", "TO", "FARE"});
  for (const hail::type::v1::Ride& ride : all.rides()) {
    const bool paid = !ride.fare().final().currency_code().empty();
    table.Add({ride.ride_id(), Word(ride.state()), ride.product_id(), TimeText(ride.create_time()),
               PlaceText(ride.pickup()), PlaceText(ride.dropoff()),
               MoneyText(paid ? ride.fare().final() : ride.fare().quoted())});
  }
  context.Print(all, table.empty() ? "no rides\n" : table.Text());
  return kOk;
}

ExitCode Cars(Context& context, const RideArguments& arguments) {
  rider::ListNearbyCarsRequest request;
  const auto point = ParsePoint(arguments.at);
  if (!point.ok()) return Wrong(context, "--at: " + std::string(point.status().message()));
  *request.mutable_position() = *point;
  request.set_radius_m(arguments.radius_m);
  request.set_product_id(arguments.product_id);
  request.set_limit(arguments.limit);
  rider::ListNearbyCarsResponse response;
  const grpc::Status status =
      context.Call([&](grpc::ClientContext* call) { return context.rider().ListNearbyCars(call, request, &response); });
  if (!status.ok()) return context.Fail(status);

  Table table({"POSITION", "HEADING", "THERE IN", "PRODUCTS"});
  for (const rider::NearbyCar& car : response.cars()) {
    std::string products;
    for (const std::string& product : car.product_ids()) products += (products.empty() ? "" : ", ") + product;
    table.Add({PointText(car.position()),
               car.has_heading_deg() ? std::to_string(static_cast<int>(car.heading_deg())) + "°" : "-",
               car.has_eta() ? DurationText(car.eta()) : "-", products});
  }
  context.Print(response, table.empty() ? "no cars near\n" : table.Text());
  return kOk;
}

}  // namespace hail::ctl
