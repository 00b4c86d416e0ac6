// What a request must look like before anything is done for it (bad input is answered, never believed).
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rider-service/domain/region.h"
#include "rider-service/domain/ride.h"

namespace hail::rider {

// QuoteRide and RequestRide, as they came.
struct RideRequest {
  std::string rider_id;
  std::string request_id;  // RequestRide only
  // Whether the contract's message had it at all.
  bool has_pickup = false;
  bool has_dropoff = false;
  Place pickup;
  Place dropoff;
  std::string product_id;
  int seats = 0;                              // 0: 1
  std::string quote_token;                    // RequestRide only
  std::map<std::string, std::string> labels;  // RequestRide only
  // What else the message holds, known to this release or not, as deterministic protobuf. RequestRide only.
  std::string further_fields;
};

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

absl::Status CheckLabels(const std::map<std::string, std::string>& labels);

// At most 512 bytes, without what CheckText refuses.
absl::Status CheckNote(const std::string& note, const std::string& field);

// A reason that a person may give.
absl::Status CheckReason(CancelReason reason, const std::string& field);

// Of a request's body: a versioned list of its fields, hashed. Equal for a repeated request, whatever encoded it.
// ("1:" and 64 hex digits.) The list is closed: it names the fields that the first release had. Later ones are in
// further_fields, which adds nothing when it is empty: stored fingerprints stay valid, and a release that does not know
// a field makes the same fingerprint as one that does.
std::string RequestFingerprint(const RideRequest& request);

}  // namespace hail::rider
