#include "tests/tools/hailctl/driver_commands.h"

#include <algorithm>
#include <optional>

#include "absl/time/clock.h"
#include "tests/tools/hailctl/format.h"
#include "tests/tools/hailctl/show.h"
#include "tests/tools/hailctl/table.h"

namespace hail::ctl {
namespace {

namespace driver = hail::driver::v1;

ExitCode Wrong(const Context& context, const std::string& message) {
  return Report({.code = grpc::StatusCode::INVALID_ARGUMENT, .message = message}, context.json());
}

grpc::Status GetState(Context& context, const std::string& driver_id, driver::GetDriverStateResponse* response) {
  driver::GetDriverStateRequest request;
  request.set_driver_id(driver_id);
  return context.Call(
      [&](grpc::ClientContext* call) { return context.driver().GetDriverState(call, request, response); });
}

grpc::Status SetAvailability(Context& context, const std::string& driver_id, driver::Availability availability,
                             driver::SetAvailabilityResponse* response) {
  driver::SetAvailabilityRequest request;
  request.set_driver_id(driver_id);
  request.set_availability(availability);
  return context.Call(
      [&](grpc::ClientContext* call) { return context.driver().SetAvailability(call, request, response); });
}

}  // namespace

ExitCode DriverRegister(Context& context, const DriverArguments& arguments) {
  driver::RegisterDriverRequest request;
  driver::Driver& profile = *request.mutable_driver();
  profile.set_driver_id(arguments.driver_id);
  profile.set_display_name(arguments.name);
  profile.set_region_id(arguments.region);
  profile.mutable_vehicle()->set_make(arguments.make);
  profile.mutable_vehicle()->set_model(arguments.model);
  profile.mutable_vehicle()->set_color(arguments.color);
  profile.mutable_vehicle()->set_plate(arguments.plate);
  profile.mutable_vehicle()->set_seats(arguments.seats);
  for (const std::string& product : arguments.products) profile.add_product_ids(product);
  driver::RegisterDriverResponse response;
  const grpc::Status status = context.Call(
      [&](grpc::ClientContext* call) { return context.driver().RegisterDriver(call, request, &response); });
  if (!status.ok()) return context.Fail(status);
  context.Print(response, DriverText(response.driver()));
  return kOk;
}

ExitCode DriverShow(Context& context, const DriverArguments& arguments) {
  driver::GetDriverStateResponse response;
  const grpc::Status status = GetState(context, arguments.driver_id, &response);
  if (!status.ok()) return context.Fail(status);
  context.Print(response, DriverStateText(response.state()));
  return kOk;
}

ExitCode DriverOnline(Context& context, const DriverArguments& arguments) {
  std::optional<hail::type::v1::LatLng> at;
  if (!arguments.at.empty()) {
    const auto point = ParsePoint(arguments.at);
    if (!point.ok()) return Wrong(context, "--at: " + std::string(point.status().message()));
    at = *point;
  }
  driver::SetAvailabilityResponse online;
  grpc::Status status = SetAvailability(context, arguments.driver_id, driver::AVAILABILITY_ONLINE, &online);
  if (!status.ok()) return context.Fail(status);
  if (at.has_value()) {
    // The session's position sequence is unknown here, so use a number higher than any that a session can reach.
    driver::UpdateLocationRequest request;
    request.set_driver_id(arguments.driver_id);
    hail::type::v1::Position& position = *request.add_positions();
    *position.mutable_location() = *at;
    position.mutable_age();
    position.set_position_seq(static_cast<std::uint64_t>(absl::ToUnixMillis(absl::Now())));
    driver::UpdateLocationResponse response;
    status = context.Call(
        [&](grpc::ClientContext* call) { return context.driver().UpdateLocation(call, request, &response); });
    if (!status.ok()) return context.Fail(status);
    if (response.accepted() == 0) return Wrong(context, "--at: left out: " + LeftOutText(response));
  }
  return DriverShow(context, arguments);
}

ExitCode DriverOffline(Context& context, const DriverArguments& arguments) {
  driver::SetAvailabilityResponse response;
  const grpc::Status status = SetAvailability(context, arguments.driver_id, driver::AVAILABILITY_OFFLINE, &response);
  if (!status.ok()) return context.Fail(status);
  context.Print(response, DriverStateText(response.state()));
  return kOk;
}

ExitCode DriverRespond(Context& context, const DriverArguments& arguments) {
  const auto answer = FromWord<driver::OfferResponse>(arguments.answer);
  if (!answer.has_value()) return Wrong(context, "an offer is answered with accept or decline");
  driver::RespondToOfferRequest request;
  request.set_driver_id(arguments.driver_id);
  request.set_offer_id(arguments.offer_id);
  request.set_response(*answer);
  driver::RespondToOfferResponse response;
  const grpc::Status status = context.Call(
      [&](grpc::ClientContext* call) { return context.driver().RespondToOffer(call, request, &response); });
  if (!status.ok()) return context.Fail(status);
  context.Print(response, "offer " + response.offer().offer_id() + " " + Word(response.offer().status()) + "\n\n" +
                              DriverStateText(response.state()));
  return kOk;
}

std::vector<std::string> TripActions() {
  const google::protobuf::OneofDescriptor& actions =
      *driver::AdvanceTripRequest::descriptor()->FindOneofByName("action");
  std::vector<std::string> names;
  for (int i = 0; i < actions.field_count(); ++i) names.push_back(actions.field(i)->name());
  return names;
}

ExitCode DriverStep(Context& context, const DriverArguments& arguments) {
  driver::AdvanceTripRequest request;
  request.set_driver_id(arguments.driver_id);
  request.set_ride_id(arguments.ride_id);
  request.set_epoch(arguments.epoch);
  request.set_leg(arguments.leg);
  // If they are missing, take them from the driver's current ride.
  if (arguments.epoch == 0 || arguments.leg < 0) {
    driver::GetDriverStateResponse state;
    const grpc::Status status = GetState(context, arguments.driver_id, &state);
    if (!status.ok()) return context.Fail(status);
    if (state.state().ride().ride_id() != arguments.ride_id) {
      return Report({.code = grpc::StatusCode::NOT_FOUND,
                     .message = "this is not the driver's current ride; --epoch and --leg name an earlier one"},
                    context.json());
    }
    if (arguments.epoch == 0) request.set_epoch(state.state().ride().epoch());
    if (arguments.leg < 0) request.set_leg(state.state().ride().leg());
  }
  request.GetReflection()->MutableMessage(&request, request.GetDescriptor()->FindFieldByName(arguments.step));
  if (request.has_wait() && !arguments.reason.empty()) {
    const auto reason = FromWord<hail::type::v1::WaitReason>(arguments.reason);
    if (!reason.has_value()) return Wrong(context, "--reason: unknown reason '" + arguments.reason + "'");
    request.mutable_wait()->set_reason(*reason);
  }
  if (request.has_cancel()) {
    driver::DriverCancel& cancel = *request.mutable_cancel();
    if (!arguments.reason.empty()) {
      const auto reason = FromWord<hail::type::v1::CancelReason>(arguments.reason);
      if (!reason.has_value()) return Wrong(context, "--reason: unknown reason '" + arguments.reason + "'");
      cancel.set_reason(*reason);
    }
    cancel.set_note(arguments.note);
  }
  driver::AdvanceTripResponse response;
  const grpc::Status status =
      context.Call([&](grpc::ClientContext* call) { return context.driver().AdvanceTrip(call, request, &response); });
  if (!status.ok()) return context.Fail(status);
  context.Print(response, RideText(response.ride()));
  return kOk;
}

ExitCode DriverTrips(Context& context, const DriverArguments& arguments) {
  driver::ListTripsRequest request;
  request.set_driver_id(arguments.driver_id);
  driver::ListTripsResponse all;
  do {
    request.set_page_size(std::min(100, arguments.limit - all.trips_size()));
    driver::ListTripsResponse page;
    const grpc::Status status =
        context.Call([&](grpc::ClientContext* call) { return context.driver().ListTrips(call, request, &page); });
    if (!status.ok()) return context.Fail(status);
    for (auto& trip : *page.mutable_trips()) *all.add_trips() = std::move(trip);
    request.set_page_token(page.next_page_token());
    all.set_next_page_token(page.next_page_token());
  } while (!request.page_token().empty() && all.trips_size() < arguments.limit);

  Table table({"RIDE", "STATE", "PRODUCT", "ASSIGNED", "FROM", "TO", "FARE"});
  for (const hail::type::v1::Ride& trip : all.trips()) {
    const bool paid = !trip.fare().final().currency_code().empty();
    table.Add({trip.ride_id(), trip.assignment_ended() ? "given up" : Word(trip.state()), trip.product_id(),
               TimeText(trip.assign_time()), PlaceText(trip.pickup()), PlaceText(trip.dropoff()),
               MoneyText(paid ? trip.fare().final() : trip.fare().quoted())});
  }
  context.Print(all, table.empty() ? "no trips\n" : table.Text());
  return kOk;
}

}  // namespace hail::ctl
