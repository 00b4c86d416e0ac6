#include "tests/simulation/situations.h"

namespace hail::simulation {

std::string_view NameOf(Situation situation) {
  switch (situation) {
    case Situation::kRiderDiedBetweenCommitAndAck:
      return "rider-service died between commit and answer";
    case Situation::kRiderDiedWithWritesWaiting:
      return "rider-service died with writes waiting";
    case Situation::kRiderDiedWithConfirmUnderWay:
      return "rider-service died with a confirmation under way";
    case Situation::kDriverDiedWithOfferPending:
      return "driver-service died with an offer on a screen";
    case Situation::kDriverDiedWithConfirmUnderWay:
      return "driver-service died with a confirmation under way";
    case Situation::kBothDead:
      return "both services dead at once";
    case Situation::kStoreFailedAfterWritingRequest:
      return "commit error, yet the request was written";
    case Situation::kStoreFailedAfterWritingAssignment:
      return "commit error, yet the assignment was written";
    case Situation::kStoreFailedAfterWritingStep:
      return "commit error, yet the step was written";
    case Situation::kRequestFoundItsRide:
      return "repeated request found its ride";
    case Situation::kRequestFoundItsRideAfterRestart:
      return "repeated request found its ride after a restart";
    case Situation::kRequestRefusedForLiveRide:
      return "request refused: another ride is live";
    case Situation::kRequestIdReused:
      return "request_id reused with another body";
    case Situation::kTwoRequestsOfOneRiderRaced:
      return "two requests of one rider in one second";
    case Situation::kConfirmCommittedReplyLost:
      return "confirm committed, reply lost";
    case Situation::kConfirmRepeatedFoundItself:
      return "repeated confirm found itself committed";
    case Situation::kConfirmRepeatedFoundRideOver:
      return "repeated confirm found its ride over";
    case Situation::kConfirmRefusedStaleEpoch:
      return "confirm refused: stale epoch";
    case Situation::kConfirmRefusedRideCanceled:
      return "confirm refused: ride canceled";
    case Situation::kConfirmTooLateToBegin:
      return "confirm too late to begin";
    case Situation::kConfirmOutlivedItsLink:
      return "confirm settled after its link had ended";
    case Situation::kConfirmOfDeadProcessCommitted:
      return "confirm of a dead driver-service committed";
    case Situation::kCommitDoneReplyLostDriverOnAnotherStream:
      return "commit done, reply lost, driver moved to another stream";
    case Situation::kDriverMovedToAnotherStreamWhileConfirming:
      return "driver moved to another stream while confirming";
    case Situation::kAssignmentLearnedFromFeedFirst:
      return "assignment learned from the feed before the reply";
    case Situation::kAssignmentSupersededAnOffer:
      return "assignment learned superseded a live offer";
    case Situation::kOfferShownAgainAfterReconnect:
      return "offer shown again after a reconnect";
    case Situation::kAnswerCameAfterExpiry:
      return "answer came after expiry";
    case Situation::kAnswerCameAfterRevocation:
      return "answer came after revocation";
    case Situation::kAcceptRepeatedWhileConfirming:
      return "accept repeated while confirming";
    case Situation::kWatchingDriverGotARide:
      return "a driver who watches accepted an offer and got the ride";
    case Situation::kForgottenOfferWasTheAssignment:
      return "forgotten offer looked up: it was the assignment";
    case Situation::kForgottenOfferWasNot:
      return "forgotten offer looked up: it was not";
    case Situation::kOfferNeverReceived:
      return "offer never received by the app";
    case Situation::kOfferWithdrawnByOffline:
      return "offer withdrawn: driver went offline";
    case Situation::kOfferWithdrawnByLink:
      return "offer withdrawn: link ended";
    case Situation::kCancelAndAcceptRacedCancelWon:
      return "cancel and accept raced, cancel won";
    case Situation::kCancelAndAcceptRacedAcceptWon:
      return "cancel and accept raced, accept won";
    case Situation::kDriverGaveUpBeforeArrival:
      return "driver gave up before arrival";
    case Situation::kDriverGaveUpAtPickup:
      return "driver gave up at the pickup";
    case Situation::kRedispatchLimit:
      return "re-dispatch limit reached";
    case Situation::kDriverUnreachable:
      return "assignment never seen: driver unreachable";
    case Situation::kSeenCameTooLate:
      return "assignment seen after it was given up";
    case Situation::kUnfulfilledAfterExhausted:
      return "unfulfilled after driver-service said exhausted";
    case Situation::kUnfulfilledWithoutWord:
      return "unfulfilled without a word from driver-service";
    case Situation::kStepRepeatedAfterCommit:
      return "step repeated after its commit";
    case Situation::kStepOfOlderEpoch:
      return "step of an older epoch";
    case Situation::kStepAhead:
      return "step ahead of its time";
    case Situation::kStepOfAnotherLeg:
      return "step of another leg";
    case Situation::kDriverWaited:
      return "driver said that the car waits";
    case Situation::kEpochRaised:
      return "epoch raised without an event";
    case Situation::kEpochRaisedTwiceInARow:
      return "epoch raised twice in a row";
    case Situation::kStartRepeated:
      return "start repeated for want of an acknowledgement";
    case Situation::kLinkBrokeWithOfferPending:
      return "link broke with an offer pending";
    case Situation::kLinkBrokeWithConfirmUnderWay:
      return "link broke with a confirmation under way";
    case Situation::kDispatchRestartedAfterRiderDeath:
      return "ride dispatched anew after rider-service's death";
    case Situation::kRideOfAnotherReplicaChanged:
      return "waiting ride changed at another replica than its keeper";
    case Situation::kTripWentOnAtAnotherReplica:
      return "trip went on at another replica than its keeper";
    case Situation::kRideOfALivingReplicaTakenOver:
      return "waiting ride taken over from a replica whose lease ended alive";
    case Situation::kOrphanTakenOver:
      return "waiting ride of a dead replica taken over";
    case Situation::kOrphanChangedBeforeAnybodyTookItOver:
      return "ride of a dead replica changed before anybody took it over";
    case Situation::kLeaseEndedInALivingProcess:
      return "lease ended in a living process";
    case Situation::kSessionMovedToAnotherReplica:
      return "driver's session moved to another replica";
    case Situation::kSessionMovedOnTrip:
      return "driver's session moved to another replica on a trip";
    case Situation::kSessionMovedWhileConfirming:
      return "driver's session moved to another replica while confirming";
    case Situation::kSessionMovedWithOfferPending:
      return "driver's session moved to another replica with an offer pending";
    case Situation::kSessionOfADeadReplicaClaimed:
      return "session of a dead replica claimed";
    case Situation::kSessionOfALivingReplicaClaimedByCall:
      return "session of a living replica claimed by a unary call";
    case Situation::kWishRacedAMove:
      return "desired availability asked for at one replica while the session moved to another";
    case Situation::kCallPassedOn:
      return "unary call passed on to the session's owner";
    case Situation::kOfferAskedOfAnotherReplica:
      return "offer made for another replica's ride";
    case Situation::kAskedOfferAccepted:
      return "offer made for another replica's ride accepted";
    case Situation::kAskedOfferWithdrawn:
      return "offer asked of another replica withdrawn";
    case Situation::kAskerDiedWithOfferElsewhere:
      return "replica died whose ride another one was offering";
    case Situation::kRiderResumedBehind:
      return "rider resumed events behind";
    case Situation::kRiderCursorAhead:
      return "rider's cursor ahead of the ride";
    case Situation::kRiderResumedAfterRestart:
      return "rider resumed at a new process";
    case Situation::kEventFoundByCheck:
      return "event the bus lost found by the 2 s check";
    case Situation::kBusLost:
      return "bus lost a message somebody waited for";
    case Situation::kBusDoubled:
      return "bus doubled a message";
    case Situation::kBusReordered:
      return "bus delivered out of order";
    case Situation::kFeedBrokeWithDriverOnTrip:
      return "feed broke with a driver on a trip";
    case Situation::kDriverReplaced:
      return "driver's stream replaced by a newer one";
    case Situation::kDriverReplacedOnTrip:
      return "driver's stream replaced on a trip";
    case Situation::kDriverResumedAcrossRides:
      return "driver resumed with an older ride's cursor";
    case Situation::kDriverMissedTheEndOfARide:
      return "driver was away when the ride ended";
    case Situation::kDriverOfflineOnTrip:
      return "driver went offline on a trip";
    case Situation::kDrained:
      return "stream drained";
    case Situation::kStrangerRefused:
      return "stranger refused";
    case Situation::kDeviceClockWrong:
      return "position from a device whose clock is wrong";
    case Situation::kPositionGivenUp:
      return "known position given up for later ones that agree";
    case Situation::kPositionMissing:
      return "rider informed that the driver's position is missing";
    case Situation::kClockSetWithOfferPending:
      return "wall clock set with an offer on a screen";
    case Situation::kClockSetWithRideWaiting:
      return "wall clock set with a ride waiting for a driver";
    case Situation::kClockSetWithAssignmentUnseen:
      return "wall clock set with an assignment unseen";
    case Situation::kCount:
      break;
  }
  return "";
}

}  // namespace hail::simulation
