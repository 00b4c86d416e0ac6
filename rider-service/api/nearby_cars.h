// What riders are told of cars nearby: those that a ride from there could get, coarse, and without saying whose they
// are.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "hail/rider/v1/rider_service.pb.h"
#include "rider-service/api/driver_search.h"
#include "rider-service/domain/region.h"

namespace hail::rider {

// Asks for the cars to draw, as a dispatch from there would. Empty: there are none, as nothing is offered there, or not
// that product. INVALID_FIELD for what is missing or out of range.
absl::StatusOr<std::vector<SearchRequest>> SearchesFor(const hail::rider::v1::ListNearbyCarsRequest& request,
                                                       const Regions& regions);

// At most as many as were asked for; of each car what the region at the place offers.
void EncodeCars(const hail::rider::v1::ListNearbyCarsRequest& request, const Regions& regions,
                const SearchResponse& found, hail::rider::v1::ListNearbyCarsResponse* response);

// Asks for the cars that could serve a quote: near the pickup, of its region, with the seats, of one product or any.
SearchRequest SearchFor(const hail::rider::v1::QuoteRideRequest& request, const std::string& region_id);

// Sets each quote's pickup ETA to that of the quickest car of its product, where there is one. Returns what is still to
// be asked: a product without a car among those found may have one further off, if there were more than were asked for.
std::vector<SearchRequest> AddPickupEtas(const SearchRequest& search, const SearchResponse& found,
                                         hail::rider::v1::QuoteRideResponse* response);

}  // namespace hail::rider
