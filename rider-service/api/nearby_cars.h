// The nearby cars that riders see: cars that a ride from there could get, with coarse positions and without the
// drivers' identities.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "hail/rider/v1/rider_service.pb.h"
#include "rider-service/api/driver_search.h"
#include "rider-service/domain/region.h"

namespace hail::rider {

// The searches for the cars to draw, with the rules of a dispatch from there. Empty if the place offers nothing, or not
// that product. INVALID_FIELD if a field is missing or out of range.
absl::StatusOr<std::vector<SearchRequest>> SearchesFor(const hail::rider::v1::ListNearbyCarsRequest& request,
                                                       const Regions& regions);

// At most as many cars as requested; each with the products that the region offers.
void EncodeCars(const hail::rider::v1::ListNearbyCarsRequest& request, const Regions& regions,
                const SearchResponse& found, hail::rider::v1::ListNearbyCarsResponse* response);

// The search for cars that could serve a quote: near the pickup, in its region, with enough seats, of one product or
// any.
SearchRequest SearchFor(const hail::rider::v1::QuoteRideRequest& request, const std::string& region_id);

// Sets each quote's pickup ETA to that of the quickest car of its product, if there is one. Returns the searches that
// remain: a product without a car in the result may have one further away, if the result was cut at its limit.
std::vector<SearchRequest> AddPickupEtas(const SearchRequest& search, const SearchResponse& found,
                                         hail::rider::v1::QuoteRideResponse* response);

}  // namespace hail::rider
