#include "driver-service/domain/offer.h"

#include <algorithm>

#include "common/errors/error.h"

namespace hail::driver {

std::string RevokeReasonName(RevokeReason reason) {
  switch (reason) {
    case RevokeReason::kNone:
      return "";
    case RevokeReason::kTaken:
      return "TAKEN";
    case RevokeReason::kRideCanceled:
      return "RIDE_CANCELED";
    case RevokeReason::kSuperseded:
      return "SUPERSEDED";
    case RevokeReason::kWentOffline:
      return "WENT_OFFLINE";
  }
  return "";
}

std::string OfferStatusName(OfferStatus status) {
  switch (status) {
    case OfferStatus::kPending:
      return "PENDING";
    case OfferStatus::kConfirming:
      return "CONFIRMING";
    case OfferStatus::kAccepted:
      return "ACCEPTED";
    case OfferStatus::kDeclined:
      return "DECLINED";
    case OfferStatus::kExpired:
      return "EXPIRED";
    case OfferStatus::kRevoked:
      return "REVOKED";
  }
  return "";
}

OfferStatus OfferStatusNamed(std::string_view name) {
  for (const OfferStatus status : {OfferStatus::kPending, OfferStatus::kConfirming, OfferStatus::kAccepted,
                                   OfferStatus::kDeclined, OfferStatus::kExpired, OfferStatus::kRevoked}) {
    if (OfferStatusName(status) == name) return status;
  }
  return OfferStatus::kExpired;
}

RevokeReason RevokeReasonNamed(std::string_view name) {
  for (const RevokeReason reason : {RevokeReason::kNone, RevokeReason::kTaken, RevokeReason::kRideCanceled,
                                    RevokeReason::kSuperseded, RevokeReason::kWentOffline}) {
    if (RevokeReasonName(reason) == name) return reason;
  }
  return RevokeReason::kSuperseded;
}

OfferView ViewOf(const Offer& offer, absl::Time now) {
  OfferView view{offer};
  if (offer.status == OfferStatus::kPending) view.remaining = std::max(absl::ZeroDuration(), offer.expires - now);
  return view;
}

OfferUpdate UpdateOf(const Offer& offer) { return {offer.offer_id, offer.start->ride_id, offer.status, offer.reason}; }

OfferRecord RecordOf(const Offer& offer, absl::Time now) {
  OfferRecord record;
  record.offer_id = offer.offer_id;
  record.ride_id = offer.start->ride_id;
  record.epoch = offer.start->epoch;
  record.driver_id = offer.driver_id;
  record.outcome = offer.status;
  record.reason = offer.reason;
  record.made_time = offer.made;
  record.settled_time = now;
  record.ride_waited = offer.ride_waited;
  record.pickup_eta = offer.pickup_eta;
  record.pickup_distance_m = offer.pickup_distance_m;
  record.received = offer.received;
  return record;
}

absl::Status AnswerStatus(const OfferUpdate& settled, bool accept) {
  switch (settled.status) {
    case OfferStatus::kAccepted:
      return absl::OkStatus();
    case OfferStatus::kDeclined:
      if (!accept) return absl::OkStatus();
      return FailedPrecondition(Reason::kOfferDeclined, "the offer was declined before");
    case OfferStatus::kExpired:
      return FailedPrecondition(Reason::kOfferExpired, "the time to answer the offer has passed");
    case OfferStatus::kRevoked:
      return FailedPrecondition(Reason::kOfferRevoked, "the offer was withdrawn",
                                {{"revoke_reason", RevokeReasonName(settled.reason)}});
    case OfferStatus::kPending:
    case OfferStatus::kConfirming:
      break;
  }
  return Internal("the offer is not settled");
}

}  // namespace hail::driver
