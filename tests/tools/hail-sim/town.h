// What a run needs to know of the place, and its cars.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/geo/lat_lng.h"
#include "hail/rider/v1/rider_service.grpc.pb.h"
#include "tests/tools/hail-sim/phone_context.h"
#include "tests/tools/hail-sim/random.h"

namespace hail::sim {

// The products offered at the first of `places` that is in a region, cheapest first. Blocks until rider-service
// answers, `deadline` (wall), or `stopped`. `caller` is the rider who asks. FAILED_PRECONDITION: nothing is offered.
absl::StatusOr<std::vector<hail::rider::v1::Product>> FindProducts(const PhoneContext& context,
                                                                   hail::rider::v1::RiderService::Stub* stub,
                                                                   const std::string& caller,
                                                                   absl::Span<const LatLng> places, absl::Time deadline,
                                                                   const std::function<bool()>& stopped);

// Make, model and color.
hail::type::v1::Vehicle DrawVehicle(Random& random);

}  // namespace hail::sim
