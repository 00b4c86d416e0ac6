// The reasons in google.rpc.ErrorInfo.reason of Hail's errors. Clients switch on them: a released name never changes.
#pragma once

#include <optional>
#include <string_view>

namespace hail {

enum class Reason {
  // INVALID_ARGUMENT: the field named in the BadRequest is missing, too long or impossible.
  kInvalidField,
  // FAILED_PRECONDITION: the position is in no region of Hail, or no route connects pickup and drop-off.
  kOutsideServiceArea,
  // NOT_FOUND: no such ride, or not the caller's.
  kRideNotFound,
  // NOT_FOUND: no such driver.
  kDriverNotFound,
  // NOT_FOUND: no such offer was ever made to this driver.
  kOfferNotFound,
  // ALREADY_EXISTS: the request_id was used for a ride with another body.
  kRequestIdReused,
  // ALREADY_EXISTS: the driver_id is registered with another body. No longer sent.
  kDriverExists,
  // FAILED_PRECONDITION: another driver is online with the same plate.
  kPlateInUse,
  // FAILED_PRECONDITION: the rider has a live ride (metadata ride_id).
  kRiderBusy,
  // FAILED_PRECONDITION: the driver has a live ride, or an accept that is being confirmed.
  kDriverBusy,
  // FAILED_PRECONDITION: the driver gave up this ride before.
  kDriverExcluded,
  // FAILED_PRECONDITION: the quote has expired.
  kQuoteExpired,
  // FAILED_PRECONDITION: the quote was used for another ride.
  kQuoteUsed,
  // INVALID_ARGUMENT: the quote is forged, damaged, or for another rider, product, seats or route.
  kQuoteMismatch,
  // FAILED_PRECONDITION: the ride has ended, and not in the way that the call asks for.
  kRideEnded,
  // FAILED_PRECONDITION: the ride is not in MATCHING (internal).
  kRideNotMatching,
  // FAILED_PRECONDITION: the epoch is older than the ride's (internal).
  kStaleEpoch,
  // FAILED_PRECONDITION: the driver's assignment to this ride has ended.
  kAssignmentEnded,
  // FAILED_PRECONDITION: the step is not the ride's next step.
  kIllegalTransition,
  // FAILED_PRECONDITION: the offer has expired, or it is unknown and was not accepted.
  kOfferExpired,
  // FAILED_PRECONDITION: the offer was withdrawn (metadata "revoke_reason").
  kOfferRevoked,
  // FAILED_PRECONDITION: the driver has declined the offer.
  kOfferDeclined,
  // RESOURCE_EXHAUSTED: the caller reads its stream too slowly; resume from the cursor.
  kStreamTooSlow,
  // RESOURCE_EXHAUSTED: the queue is longer than can be served in time; retry after RetryInfo.
  kOverloaded,
  // UNAVAILABLE: the service is shutting down; retry at another replica.
  kDraining,
  // UNAVAILABLE: the store cannot be used now; retry.
  kStoreUnavailable,
  // UNAVAILABLE: a newer version changed the ride in a way that this replica does not know; retry at another replica.
  kReplicaTooOld,
  // UNAVAILABLE: the other service cannot be reached now; retry.
  kPeerUnavailable,
  // PERMISSION_DENIED: the caller may not act for the rider or driver named.
  kIdentityMismatch,
  // UNAUTHENTICATED: the call carries no token; sign in.
  kTokenMissing,
  // UNAUTHENTICATED: the token has expired; repeat the call with a new one.
  kTokenExpired,
  // UNAUTHENTICATED: the token is damaged, forged, from another issuer, or for another service; sign in again.
  kTokenInvalid,
  // PERMISSION_DENIED: callers with this role may not call the method.
  kRoleNotAllowed,
  // RESOURCE_EXHAUSTED: the caller makes too many calls of this kind; retry after RetryInfo.
  kRateLimited,
  // INVALID_ARGUMENT / FAILED_PRECONDITION: the contract does not allow this order of messages in a stream.
  kProtocolViolation,
  // INVALID_ARGUMENT: the bytes are not a message of the method's type.
  kUnreadableMessage,
  // UNIMPLEMENTED: this server does not serve the method or the message encoding.
  kNotServed,
  // DEADLINE_EXCEEDED: the deadline passed before the outcome was certain; repeat the call.
  kOutcomeUnknown,
  // DEADLINE_EXCEEDED: the client sent nothing for 12 s; open the stream again.
  kStreamSilent,
  // INTERNAL: a bug; see the service's log.
  kInternal,
  // New reasons go before it: ReasonFromName counts up to kInternal.
};

// "INVALID_FIELD", "OUTSIDE_SERVICE_AREA", …: the enumerator's words in upper snake case.
std::string_view ReasonName(Reason reason);

// The inverse, for errors from the other service; nullopt for a name that this build does not know.
std::optional<Reason> ReasonFromName(std::string_view name);

}  // namespace hail
