// Offers: one ride shown to one driver for a short while.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/geo/lat_lng.h"

namespace hail::driver {

// A ride that needs a driver, as rider-service sent it. Never changes.
struct DispatchStart {
  std::string ride_id;
  std::int64_t epoch = 0;
  std::string region_id;
  std::string product_id;
  int seats = 1;
  LatLng pickup;
  // Domain time until the match deadline.
  absl::Duration remaining = absl::ZeroDuration();
  // Domain time in which a driver may answer an offer.
  absl::Duration offer_time = absl::Seconds(15);
  std::vector<std::string> excluded_driver_ids;
  // A hail.internal.v1.StartDispatch: places, fare and trip for the driver's app, passed on without decoding.
  std::shared_ptr<const std::string> encoded;
};

// The life of an offer: PENDING → (CONFIRMING → ACCEPTED | REVOKED) | DECLINED | EXPIRED | REVOKED. kPending and
// kConfirming are live; all others are final.
enum class OfferStatus { kPending, kConfirming, kAccepted, kDeclined, kExpired, kRevoked };

enum class RevokeReason { kNone, kTaken, kRideCanceled, kSuperseded, kWentOffline };

// "TAKEN", "RIDE_CANCELED", …; empty for kNone. The contract's words without the prefix.
std::string RevokeReasonName(RevokeReason reason);
// "PENDING", … likewise.
std::string OfferStatusName(OfferStatus status);
// For an unknown name (of a later version): kExpired, kSuperseded.
OfferStatus OfferStatusNamed(std::string_view name);
RevokeReason RevokeReasonNamed(std::string_view name);

constexpr bool IsLive(OfferStatus status) {
  return status == OfferStatus::kPending || status == OfferStatus::kConfirming;
}

// A change of an offer.
struct OfferUpdate {
  std::string offer_id;
  std::string ride_id;
  OfferStatus status = OfferStatus::kPending;
  RevokeReason reason = RevokeReason::kNone;
};

// The answer to a response to a settled offer: OK for kAccepted and kDeclined, otherwise OFFER_EXPIRED or OFFER_REVOKED
// (metadata "revoke_reason"). An accept of a declined offer is OFFER_DECLINED.
absl::Status AnswerStatus(const OfferUpdate& settled, bool accept);

// One settled offer, for the log and for metrics.
struct OfferRecord {
  std::string offer_id;
  std::string ride_id;
  std::int64_t epoch = 0;
  std::string driver_id;
  // Final.
  OfferStatus outcome = OfferStatus::kRevoked;
  RevokeReason reason = RevokeReason::kNone;
  // Domain time.
  absl::Time made_time = absl::UnixEpoch();
  absl::Time settled_time = absl::UnixEpoch();
  // Domain time from the ride's start at this epoch to made_time.
  absl::Duration ride_waited = absl::ZeroDuration();
  absl::Duration pickup_eta = absl::ZeroDuration();
  double pickup_distance_m = 0;
  // Whether the app reported that it shows the offer, or answered it.
  bool received = false;
};

// An offer in the process that made it.
struct Offer {
  std::string offer_id;
  std::string driver_id;
  std::shared_ptr<const DispatchStart> start;
  OfferStatus status = OfferStatus::kPending;
  RevokeReason reason = RevokeReason::kNone;
  // Domain time.
  absl::Time made;
  absl::Time expires;
  absl::Duration ride_waited = absl::ZeroDuration();
  absl::Duration pickup_eta = absl::ZeroDuration();
  double pickup_distance_m = 0;
  bool received = false;
};

// An offer for its driver's app.
struct OfferView : Offer {
  // Domain time left to answer, when this view was made; never negative, zero if the offer cannot be answered.
  absl::Duration remaining = absl::ZeroDuration();
};

// `now` is domain time.
OfferView ViewOf(const Offer& offer, absl::Time now);
OfferUpdate UpdateOf(const Offer& offer);
// The record of an offer that was settled at `now`, domain time.
OfferRecord RecordOf(const Offer& offer, absl::Time now);

// The log's record of an offer.
struct LoggedOffer {
  std::string driver_id;
  std::string ride_id;
  OfferStatus outcome = OfferStatus::kExpired;
  RevokeReason reason = RevokeReason::kNone;

  friend bool operator==(const LoggedOffer&, const LoggedOffer&) = default;
};

}  // namespace hail::driver
