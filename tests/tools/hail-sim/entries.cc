#include "tests/tools/hail-sim/entries.h"

#include "absl/time/time.h"
#include "common/proto/time.h"

namespace hail::sim {

namespace dpb = hail::driver::v1;
namespace tpb = hail::type::v1;
using nlohmann::json;

json Entry(const tpb::Ride& ride) {
  return {{"ride_id", ride.ride_id()},
          {"sequence", ride.sequence()},
          {"state", tpb::RideState_Name(ride.state())},
          {"epoch", ride.epoch()},
          {"driver_id", ride.driver().driver_id()},
          {"update_us", absl::ToUnixMicros(DecodeTime(ride.update_time()))}};
}

json Entry(const tpb::RideEvent& event) {
  json entry = Entry(event.ride());
  entry["ride_id"] = event.ride_id();
  entry["sequence"] = event.sequence();
  entry["type"] = tpb::RideEventType_Name(event.type());
  entry["reason"] = tpb::CancelReason_Name(event.reason());
  entry["event_us"] = absl::ToUnixMicros(DecodeTime(event.event_time()));
  return entry;
}

json Entry(const dpb::Offer& offer) {
  return {{"offer_id", offer.offer_id()},
          {"ride_id", offer.ride_id()},
          {"epoch", offer.epoch()},
          {"status", dpb::OfferStatus_Name(offer.status())},
          {"remaining_ms", absl::ToInt64Milliseconds(DecodeDuration(offer.remaining()))}};
}

json Entry(const dpb::OfferUpdate& update) {
  return {{"offer_id", update.offer_id()},
          {"ride_id", update.ride_id()},
          {"status", dpb::OfferStatus_Name(update.status())},
          {"reason", dpb::OfferRevokeReason_Name(update.reason())}};
}

json Entry(const dpb::DriverState& state) {
  json entry = {{"status", dpb::DriverStatus_Name(state.status())},
                {"availability", dpb::Availability_Name(state.availability())},
                {"blocked_by", dpb::BlockedBy_Name(state.blocked_by())},
                {"session_epoch", state.session_epoch()}};
  if (state.has_ride()) entry["ride"] = Entry(state.ride());
  if (state.has_offer()) entry["offer"] = Entry(state.offer());
  return entry;
}

json Entry(const dpb::StreamDriverRequest& command) {
  json entry = {{"command_id", command.command_id()}};
  if (command.has_set_availability()) {
    entry["action"] = "set_availability";
    entry["availability"] = dpb::Availability_Name(command.set_availability().availability());
  } else if (command.has_respond_to_offer()) {
    entry["action"] = command.respond_to_offer().response() == dpb::OFFER_RESPONSE_ACCEPT ? "accept" : "decline";
    entry["offer_id"] = command.respond_to_offer().offer_id();
  } else if (command.has_advance_trip()) {
    const dpb::AdvanceTripRequest& step = command.advance_trip();
    // The action's name in the contract.
    const auto* action = dpb::AdvanceTripRequest::descriptor()->FindFieldByNumber(step.action_case());
    if (action != nullptr) entry["action"] = action->name();
    entry["ride_id"] = step.ride_id();
    entry["epoch"] = step.epoch();
    entry["leg"] = step.leg();
  }
  return entry;
}

json Entry(const Outcome& outcome) {
  return {{"code", CodeName(outcome.code)}, {"reason", outcome.reason}, {"message", outcome.message}};
}

}  // namespace hail::sim
