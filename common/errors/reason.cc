#include "common/errors/reason.h"

namespace hail {

std::string_view ReasonName(Reason reason) {
  // No default: the compiler then names the enumerator that is missing here.
  switch (reason) {
    case Reason::kInvalidField:
      return "INVALID_FIELD";
    case Reason::kOutsideServiceArea:
      return "OUTSIDE_SERVICE_AREA";
    case Reason::kRideNotFound:
      return "RIDE_NOT_FOUND";
    case Reason::kDriverNotFound:
      return "DRIVER_NOT_FOUND";
    case Reason::kOfferNotFound:
      return "OFFER_NOT_FOUND";
    case Reason::kRequestIdReused:
      return "REQUEST_ID_REUSED";
    case Reason::kDriverExists:
      return "DRIVER_EXISTS";
    case Reason::kPlateInUse:
      return "PLATE_IN_USE";
    case Reason::kRiderBusy:
      return "RIDER_BUSY";
    case Reason::kDriverBusy:
      return "DRIVER_BUSY";
    case Reason::kDriverExcluded:
      return "DRIVER_EXCLUDED";
    case Reason::kQuoteExpired:
      return "QUOTE_EXPIRED";
    case Reason::kQuoteUsed:
      return "QUOTE_USED";
    case Reason::kQuoteMismatch:
      return "QUOTE_MISMATCH";
    case Reason::kRideEnded:
      return "RIDE_ENDED";
    case Reason::kRideNotMatching:
      return "RIDE_NOT_MATCHING";
    case Reason::kStaleEpoch:
      return "STALE_EPOCH";
    case Reason::kAssignmentEnded:
      return "ASSIGNMENT_ENDED";
    case Reason::kIllegalTransition:
      return "ILLEGAL_TRANSITION";
    case Reason::kOfferExpired:
      return "OFFER_EXPIRED";
    case Reason::kOfferRevoked:
      return "OFFER_REVOKED";
    case Reason::kOfferDeclined:
      return "OFFER_DECLINED";
    case Reason::kStreamTooSlow:
      return "STREAM_TOO_SLOW";
    case Reason::kOverloaded:
      return "OVERLOADED";
    case Reason::kDraining:
      return "DRAINING";
    case Reason::kStoreUnavailable:
      return "STORE_UNAVAILABLE";
    case Reason::kReplicaTooOld:
      return "REPLICA_TOO_OLD";
    case Reason::kPeerUnavailable:
      return "PEER_UNAVAILABLE";
    case Reason::kIdentityMismatch:
      return "IDENTITY_MISMATCH";
    case Reason::kTokenMissing:
      return "TOKEN_MISSING";
    case Reason::kTokenExpired:
      return "TOKEN_EXPIRED";
    case Reason::kTokenInvalid:
      return "TOKEN_INVALID";
    case Reason::kRoleNotAllowed:
      return "ROLE_NOT_ALLOWED";
    case Reason::kRateLimited:
      return "RATE_LIMITED";
    case Reason::kProtocolViolation:
      return "PROTOCOL_VIOLATION";
    case Reason::kUnreadableMessage:
      return "UNREADABLE_MESSAGE";
    case Reason::kNotServed:
      return "NOT_SERVED";
    case Reason::kOutcomeUnknown:
      return "OUTCOME_UNKNOWN";
    case Reason::kStreamSilent:
      return "STREAM_SILENT";
    case Reason::kInternal:
      return "INTERNAL";
  }
  return "INTERNAL";
}

std::optional<Reason> ReasonFromName(std::string_view name) {
  for (int value = 0; value <= static_cast<int>(Reason::kInternal); ++value) {
    const auto reason = static_cast<Reason>(value);
    if (ReasonName(reason) == name) return reason;
  }
  return std::nullopt;
}

}  // namespace hail
