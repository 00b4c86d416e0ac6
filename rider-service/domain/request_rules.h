// Validates requests before any work is done for them. Invalid input is answered with an error.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/map.h"
#include "hail/rider/v1/rider_service.pb.h"
#include "rider-service/domain/region.h"
#include "rider-service/domain/ride.h"

namespace hail::rider {

// A RequestRide as received; the fields of QuoteRide are a subset.
using RideRequest = hail::rider::v1::RequestRideRequest;

inline constexpr std::size_t kMaxQuoteTokenBytes = 2048;

// Pickup and drop-off: present, finite, in range, not at (0, 0), texts short and valid by CheckText, at least 20 m
// apart. Both must be in the same region, which is returned (otherwise OUTSIDE_SERVICE_AREA).
absl::StatusOr<const Region*> CheckRoute(const RideRequest& request, const Regions& regions);

// The ordered product, if it has enough seats. INVALID_FIELD product_id or seats.
absl::StatusOr<const Product*> CheckProduct(const RideRequest& request, const Region& region);

absl::Status CheckLabels(const google::protobuf::Map<std::string, std::string>& labels);

// Checks the other texts of a request.
absl::Status CheckTexts(const RideRequest& request);

// Checks that a person may give the reason.
absl::Status CheckReason(CancelReason reason, const std::string& field);

// The fields that RequestFingerprint does not list, known to this release or not, as deterministic protobuf. A message
// without remaining fields counts as absent.
std::string FurtherFields(RideRequest request);

// The digest of a request's body: a versioned list of its fields, hashed ("1:" and 64 hex digits). Equal for a repeated
// request, whatever encoded it. The list is closed: it names the fields of the first release. Later fields are in
// FurtherFields, which adds nothing when it is empty. So stored fingerprints stay valid, and a release that does not
// know a field computes the same fingerprint as one that does.
std::string RequestFingerprint(const RideRequest& request);

// The part of a ride's record that comes from its request, which follows the rules above. Its messages are copied with
// the fields that this release knows; fields added by an app are not stored.
Ride AskedFor(const RideRequest& request, std::string fingerprint);

}  // namespace hail::rider
