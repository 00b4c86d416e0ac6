// Actions of drivers' apps in tests that run both services.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/geo/lat_lng.h"
#include "hail/type/v1/ride.pb.h"
#include "tests/integration/driver_app.h"
#include "tests/integration/process.h"

namespace hail::testing {

// A short way from the pickup of the tests' riders.
inline constexpr LatLng kNearFerryBuilding{37.7935, -122.3960};

// A registered driver's app.
std::unique_ptr<DriverApp> NewDriver(const ServiceProcess& driver_service, const std::string& driver_id);

// Goes online where a ride is waiting. Waits for no message, because the offer may come first.
void ComeOnline(DriverApp& app, const LatLng& at);

// Accepts the next offer; returns the ride.
hail::type::v1::Ride Accept(DriverApp& app);

// Repeats the unary call while a service is away: that is safe. Returns the ride after it; a failure once `limit` has
// passed.
using TripStep = std::function<void(hail::driver::v1::AdvanceTripRequest&)>;
hail::type::v1::Ride Advance(DriverApp& app, const hail::type::v1::Ride& ride, const TripStep& step,
                             absl::Duration limit = absl::Seconds(20));
void Seen(hail::driver::v1::AdvanceTripRequest& request);
void Arrive(hail::driver::v1::AdvanceTripRequest& request);
void Start(hail::driver::v1::AdvanceTripRequest& request);
void Complete(hail::driver::v1::AdvanceTripRequest& request);
void GiveUp(hail::driver::v1::AdvanceTripRequest& request);

// The events after `cursor`, to the end of the ride.
std::vector<hail::type::v1::RideEvent> EventsAfter(const ServiceProcess& rider_service, const std::string& rider_id,
                                                   const std::string& ride_id, std::int64_t cursor);
// Their sequences.
std::vector<std::int64_t> SequencesAfter(const ServiceProcess& rider_service, const std::string& rider_id,
                                         const std::string& ride_id, std::int64_t cursor);

}  // namespace hail::testing
