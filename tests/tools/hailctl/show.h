// The contract's resources as text. User-supplied text appears as Shown (common/text/text.h): without control
// characters.
#pragma once

#include <string>

#include "hail/driver/v1/driver_service.pb.h"
#include "hail/rider/v1/rider_service.pb.h"
#include "hail/type/v1/ride.pb.h"

namespace hail::ctl {

// Each ends with a newline.
std::string RideText(const hail::type::v1::Ride& ride);
std::string DriverText(const hail::driver::v1::Driver& driver);
std::string DriverStateText(const hail::driver::v1::DriverState& state);

// One line, without a newline.
std::string EventLine(const hail::type::v1::RideEvent& event);
std::string RideLine(const hail::type::v1::Ride& ride);
std::string OfferLine(const hail::driver::v1::Offer& offer);
std::string TelemetryLine(const hail::rider::v1::RideTelemetry& telemetry);
// "2 too far, 1 older"; empty: none was left out.
std::string LeftOutText(const hail::driver::v1::UpdateLocationResponse& response);

// Whether the ride has ended.
bool IsFinal(hail::type::v1::RideState state);

}  // namespace hail::ctl
