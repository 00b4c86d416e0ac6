// The reasons Hail's errors carry in google.rpc.ErrorInfo.reason. Clients switch on them: a name, once released, stays.
#pragma once

#include <optional>
#include <string_view>

namespace hail {

enum class Reason {
  // INVALID_ARGUMENT: the field named in the BadRequest is missing, too long or impossible.
  kInvalidField,
  // FAILED_PRECONDITION: the position is in no region Hail serves, or pickup and drop-off cannot be joined.
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
  // FAILED_PRECONDITION: the driver has a live ride.
  kDriverBusy,
  // FAILED_PRECONDITION: the driver gave this ride up before.
  kDriverExcluded,
  // FAILED_PRECONDITION: the quote's time is over.
  kQuoteExpired,
  // FAILED_PRECONDITION: the quote was used for another ride.
  kQuoteUsed,
  // INVALID_ARGUMENT: the quote is forged, damaged, or for another rider, product, seats or route.
  kQuoteMismatch,
  // FAILED_PRECONDITION: the ride is over and did not end the way the call asks for.
  kRideEnded,
  // FAILED_PRECONDITION: the ride is not looking for a driver (internal).
  kRideNotMatching,
  // FAILED_PRECONDITION: the epoch is older than the ride's (internal).
  kStaleEpoch,
  // FAILED_PRECONDITION: the driver's assignment to this ride is over.
  kAssignmentEnded,
  // FAILED_PRECONDITION: the step is not the ride's next.
  kIllegalTransition,
  // FAILED_PRECONDITION: the offer's time is over, or nobody remembers it and it was not taken.
  kOfferExpired,
  // FAILED_PRECONDITION: the offer was withdrawn (metadata "revoke_reason").
  kOfferRevoked,
  // FAILED_PRECONDITION: the driver has declined the offer.
  kOfferDeclined,
  // RESOURCE_EXHAUSTED: the caller reads its stream too slowly; resume from the cursor.
  kStreamTooSlow,
  // RESOURCE_EXHAUSTED: more work is queued than can be done in time; retry after RetryInfo.
  kOverloaded,
  // UNAVAILABLE: the service is shutting down; retry at another replica.
  kDraining,
  // UNAVAILABLE: the store cannot be used now; retry.
  kStoreUnavailable,
  // UNAVAILABLE: a newer version works on the ride in a way that this replica does not know; retry at another replica.
  kReplicaTooOld,
  // UNAVAILABLE: the other service cannot be reached now; retry.
  kPeerUnavailable,
  // PERMISSION_DENIED: the caller may not speak for the rider or driver named.
  kIdentityMismatch,
  // INVALID_ARGUMENT / FAILED_PRECONDITION: the messages of a stream came in an order the contract does not allow.
  kProtocolViolation,
  // INVALID_ARGUMENT: the bytes that were sent are no message of the method's kind.
  kUnreadableMessage,
  // UNIMPLEMENTED: the method, or the way the message is encoded, is not served here.
  kNotServed,
  // DEADLINE_EXCEEDED: the call's time was over before its outcome was certain; repeat it.
  kOutcomeUnknown,
  // DEADLINE_EXCEEDED: nothing came from the client for 12 s; open the stream again.
  kStreamSilent,
  // INTERNAL: a bug; see the service's log.
  kInternal,
  // New ones go before it: ReasonFromName counts up to kInternal.
};

// "INVALID_FIELD", "OUTSIDE_SERVICE_AREA", …: the enumerator's words in upper snake case.
std::string_view ReasonName(Reason reason);

// The other way round, for errors that come from the other service; nullopt for a name this build does not know.
std::optional<Reason> ReasonFromName(std::string_view name);

}  // namespace hail
