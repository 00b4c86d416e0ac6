// What a request must look like before anything is done for it (bad input is answered, never believed).
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/map.h"
#include "hail/rider/v1/rider_service.pb.h"
#include "rider-service/domain/region.h"
#include "rider-service/domain/ride.h"

namespace hail::rider {

// RequestRide as it came. What QuoteRide says is a part of it.
using RideRequest = hail::rider::v1::RequestRideRequest;

inline constexpr double kMinTripM = 20;
inline constexpr std::size_t kMaxAddressBytes = 256;
inline constexpr std::size_t kMaxNoteBytes = 512;
inline constexpr std::size_t kMaxLabels = 16;
inline constexpr std::size_t kMaxLabelBytes = 64;
inline constexpr std::size_t kMaxQuoteTokenBytes = 2048;

// Pickup and drop-off: present, finite, in range, not the zero island, addresses short and as CheckText wants them, at
// least 20 m apart. Both in the same region, which is returned (else OUTSIDE_SERVICE_AREA).
absl::StatusOr<const Region*> CheckRoute(const RideRequest& request, const Regions& regions);

// The product ordered, with room for the seats. INVALID_FIELD product_id or seats.
absl::StatusOr<const Product*> CheckProduct(const RideRequest& request, const Region& region);

absl::Status CheckLabels(const google::protobuf::Map<std::string, std::string>& labels);

// What else a rider may say with a request.
absl::Status CheckTexts(const RideRequest& request);

// At most 512 bytes, without what CheckText refuses.
absl::Status CheckNote(const std::string& note, const std::string& field);

// A reason that a person may give.
absl::Status CheckReason(CancelReason reason, const std::string& field);

// What of a request RequestFingerprint does not list, known to this release or not, as deterministic protobuf. A
// message of which nothing is left counts as absent.
std::string FurtherFields(RideRequest request);

// Of a request's body: a versioned list of its fields, hashed. Equal for a repeated request, whatever encoded it.
// ("1:" and 64 hex digits.) The list is closed: it names the fields that the first release had. Later ones are in
// FurtherFields, which adds nothing when it is empty: stored fingerprints stay valid, and a release that does not know
// a field makes the same fingerprint as one that does.
std::string RequestFingerprint(const RideRequest& request);

// What of a ride's record comes from its request, which keeps the rules above. The messages in it are taken whole, as
// far as this release knows them: what an app adds to them is not stored.
Ride AskedFor(const RideRequest& request, std::string fingerprint);

}  // namespace hail::rider
