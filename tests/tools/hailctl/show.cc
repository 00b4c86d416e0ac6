#include "tests/tools/hailctl/show.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "common/text/text.h"
#include "tests/tools/hailctl/format.h"
#include "tests/tools/hailctl/table.h"

namespace hail::ctl {
namespace {

using hail::type::v1::Ride;

std::string VehicleText(const hail::type::v1::Vehicle& vehicle) {
  std::string text;
  for (const std::string& part : {vehicle.color(), vehicle.make(), vehicle.model(), vehicle.plate()}) {
    if (part.empty()) continue;
    if (!text.empty()) text += ' ';
    text += part;
  }
  return text;
}

std::string DriverSummaryText(const hail::type::v1::DriverSummary& driver) {
  if (driver.driver_id().empty()) return "";
  std::string text =
      driver.display_name().empty() ? driver.driver_id() : driver.display_name() + " [" + driver.driver_id() + "]";
  const std::string vehicle = VehicleText(driver.vehicle());
  return vehicle.empty() ? text : text + ", " + vehicle;
}

std::string CancellationText(const Ride& ride) {
  if (!ride.has_cancellation()) return "";
  std::string text = "by " + Word(ride.cancellation().actor());
  if (ride.cancellation().reason() != hail::type::v1::CANCEL_REASON_UNSPECIFIED) {
    text += ": " + Word(ride.cancellation().reason());
  }
  if (!ride.cancellation().note().empty()) text += " (" + ride.cancellation().note() + ")";
  return text;
}

std::string WaitText(const Ride& ride) {
  if (!ride.has_wait()) return "";
  const std::string since = "since " + TimeText(ride.wait().since());
  if (ride.wait().reason() == hail::type::v1::WAIT_REASON_UNSPECIFIED) return since;
  return since + ": " + Word(ride.wait().reason());
}

std::string TimeOrEmpty(bool set, const google::protobuf::Timestamp& time) { return set ? TimeText(time) : ""; }

std::string Joined(const google::protobuf::RepeatedPtrField<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

// The details of the ride that matter to a rider in its present state, each after a comma.
std::string RideDetails(const Ride& ride) {
  std::string text;
  const std::string driver = DriverSummaryText(ride.driver());
  if (!driver.empty() && ride.state() != hail::type::v1::RIDE_STATE_MATCHING) text += ", " + driver;
  if (ride.state() == hail::type::v1::RIDE_STATE_ENROUTE_TO_PICKUP && ride.has_pickup_eta()) {
    text += ", pickup in " + DurationText(ride.pickup_eta());
  }
  if (ride.has_wait()) text += ", waits " + WaitText(ride);
  if (ride.has_cancellation()) text += ", " + CancellationText(ride);
  if (!ride.fare().final().currency_code().empty()) text += ", paid " + MoneyText(ride.fare().final());
  if (!ride.fare().cancellation_fee().currency_code().empty()) {
    text += ", fee " + MoneyText(ride.fare().cancellation_fee());
  }
  return text;
}

}  // namespace

bool IsFinal(hail::type::v1::RideState state) {
  return state == hail::type::v1::RIDE_STATE_COMPLETED || state == hail::type::v1::RIDE_STATE_CANCELED ||
         state == hail::type::v1::RIDE_STATE_NO_DRIVERS_AVAILABLE;
}

std::string RideText(const Ride& ride) {
  return FieldsText({
      {"ride", ride.ride_id()},
      {"state", Word(ride.state())},
      {"rider", ride.rider_id()},
      {"rider's name", ride.rider_display_name()},
      {"product", absl::StrFormat("%s, %d seat%s, %s", ride.product_id(), ride.seats(), ride.seats() == 1 ? "" : "s",
                                  ride.region_id())},
      {"pickup", PlaceText(ride.pickup())},
      {"drop-off", PlaceText(ride.dropoff())},
      {"trip",
       ride.distance_m() > 0 ? DistanceText(ride.distance_m()) + ", about " + DurationText(ride.trip_duration()) : ""},
      {"driver", DriverSummaryText(ride.driver())},
      {"pickup in", ride.has_pickup_eta() && !IsFinal(ride.state()) ? DurationText(ride.pickup_eta()) : ""},
      {"quoted", MoneyText(ride.fare().quoted())},
      {"paid", MoneyText(ride.fare().final())},
      {"fee", MoneyText(ride.fare().cancellation_fee())},
      {"waits", WaitText(ride)},
      {"canceled", CancellationText(ride)},
      {"requested", TimeOrEmpty(ride.has_create_time(), ride.create_time())},
      {"assigned", TimeOrEmpty(ride.has_assign_time(), ride.assign_time())},
      {"arrived", TimeOrEmpty(ride.has_arrive_time(), ride.arrive_time())},
      {"started", TimeOrEmpty(ride.has_start_time(), ride.start_time())},
      {"ended", TimeOrEmpty(ride.has_end_time(), ride.end_time())},
      {"epoch", std::to_string(ride.epoch())},
      {"sequence", std::to_string(ride.sequence())},
  });
}

std::string DriverText(const hail::driver::v1::Driver& driver) {
  return FieldsText({
      {"driver", driver.driver_id()},
      {"name", driver.display_name()},
      {"region", driver.region_id()},
      {"vehicle", VehicleText(driver.vehicle())},
      {"seats", std::to_string(driver.vehicle().seats())},
      {"products", Joined(driver.product_ids())},
      {"registered", TimeOrEmpty(driver.has_create_time(), driver.create_time())},
  });
}

std::string DriverStateText(const hail::driver::v1::DriverState& state) {
  std::string text = FieldsText({
      {"driver", state.driver_id()},
      {"status", Word(state.status())},
      {"wants", Word(state.availability())},
      {"blocked by", state.blocked_by() == hail::driver::v1::BLOCKED_BY_UNSPECIFIED ? "" : Word(state.blocked_by())},
      {"offer", state.has_offer() ? OfferLine(state.offer()) : ""},
  });
  if (state.has_ride()) text += '\n' + RideText(state.ride());
  return text;
}

std::string RideLine(const Ride& ride) { return Shown(Word(ride.state()) + RideDetails(ride)); }

std::string EventLine(const hail::type::v1::RideEvent& event) {
  std::string text = absl::StrFormat("%s  #%d  %s", TimeText(event.event_time()), event.sequence(), Word(event.type()));
  if (event.reason() != hail::type::v1::CANCEL_REASON_UNSPECIFIED) text += " (" + Word(event.reason()) + ")";
  return Shown(text + RideDetails(event.ride()));
}

std::string OfferLine(const hail::driver::v1::Offer& offer) {
  const std::string rider = offer.rider_display_name().empty() ? "" : "; for " + offer.rider_display_name();
  return Shown(absl::StrFormat(
      "%s  %s  %s away, then %s for %s; from %s to %s%s; %s to answer", offer.offer_id(), Word(offer.status()),
      DurationText(offer.pickup_eta()), DistanceText(offer.trip_distance_m()), MoneyText(offer.fare()),
      PlaceText(offer.pickup()), PlaceText(offer.dropoff()), rider, DurationText(offer.remaining())));
}

std::string TelemetryLine(const hail::rider::v1::RideTelemetry& telemetry) {
  if (telemetry.has_missing_since()) {
    std::string text = "driver's position missing since " + TimeText(telemetry.missing_since());
    if (telemetry.has_position()) text += ", last at " + PointText(telemetry.position().location());
    return text;
  }
  std::string text = "driver at " + PointText(telemetry.position().location());
  if (telemetry.has_eta()) text += ", there in " + DurationText(telemetry.eta());
  return text;
}

std::string LeftOutText(const hail::driver::v1::UpdateLocationResponse& response) {
  std::string text;
  for (const hail::driver::v1::PositionsLeftOut& left_out : response.left_out()) {
    std::string reason = Word(left_out.reason());
    std::replace(reason.begin(), reason.end(), '_', ' ');
    text += absl::StrFormat("%s%d %s", text.empty() ? "" : ", ", left_out.count(), reason);
  }
  return text;
}

}  // namespace hail::ctl
