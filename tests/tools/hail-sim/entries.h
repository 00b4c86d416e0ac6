// Messages as ledger fields.
#pragma once

#include "hail/driver/v1/driver_service.pb.h"
#include "hail/rider/v1/rider_service.pb.h"
#include "nlohmann/json.hpp"
#include "tests/tools/hail-sim/outcome.h"

namespace hail::sim {

// ride_id, sequence, state, epoch, driver_id, update_us.
nlohmann::json Entry(const hail::type::v1::Ride& ride);
// The same fields of the ride after the event, and the event's own sequence, type, reason and event_us.
nlohmann::json Entry(const hail::type::v1::RideEvent& event);
// offer_id, ride_id, epoch, status, remaining_ms.
nlohmann::json Entry(const hail::driver::v1::Offer& offer);
nlohmann::json Entry(const hail::driver::v1::OfferUpdate& update);
// status, availability, blocked_by, session_epoch; ride and offer, if any.
nlohmann::json Entry(const hail::driver::v1::DriverState& state);
// action, and the fields that it names.
nlohmann::json Entry(const hail::driver::v1::StreamDriverRequest& command);
// code, reason, message.
nlohmann::json Entry(const Outcome& outcome);

}  // namespace hail::sim
