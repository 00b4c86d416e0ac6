// The rare situations that the simulation must reach: a suite without a seed that reaches one of them does not test it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hail::simulation {

enum class Situation : std::size_t {
  // --- Commits, and deaths around them ---
  kRiderDiedBetweenCommitAndAck,
  kRiderDiedWithWritesWaiting,
  kRiderDiedWithConfirmUnderWay,
  kDriverDiedWithOfferPending,
  kDriverDiedWithConfirmUnderWay,
  kBothDead,
  kStoreFailedAfterWritingRequest,
  kStoreFailedAfterWritingAssignment,
  kStoreFailedAfterWritingStep,
  // --- Requests ---
  kRequestFoundItsRide,
  kRequestFoundItsRideAfterRestart,
  kRequestRefusedForLiveRide,
  kRequestIdReused,
  kTwoRequestsOfOneRiderRaced,
  // --- Confirmations ---
  kConfirmCommittedReplyLost,
  kConfirmRepeatedFoundItself,
  kConfirmRepeatedFoundRideOver,
  kConfirmRefusedStaleEpoch,
  kConfirmRefusedRideCanceled,
  kConfirmTooLateToBegin,
  kConfirmOutlivedItsLink,
  kConfirmOfDeadProcessCommitted,
  kCommitDoneReplyLostDriverOnAnotherStream,
  kDriverMovedToAnotherStreamWhileConfirming,
  kAssignmentLearnedFromFeedFirst,
  kAssignmentSupersededAnOffer,
  // --- Offers ---
  kOfferShownAgainAfterReconnect,
  kAnswerCameAfterExpiry,
  kAnswerCameAfterRevocation,
  kAcceptRepeatedWhileConfirming,
  kWatchingDriverGotARide,
  kForgottenOfferWasTheAssignment,
  kForgottenOfferWasNot,
  kOfferNeverReceived,
  kOfferWithdrawnByOffline,
  kOfferWithdrawnByLink,
  // --- Rides ---
  kCancelAndAcceptRacedCancelWon,
  kCancelAndAcceptRacedAcceptWon,
  kDriverGaveUpBeforeArrival,
  kDriverGaveUpAtPickup,
  kRedispatchLimit,
  kDriverUnreachable,
  kSeenCameTooLate,
  kUnfulfilledAfterExhausted,
  kUnfulfilledWithoutWord,
  kStepRepeatedAfterCommit,
  kStepOfOlderEpoch,
  kStepAhead,
  kStepOfAnotherLeg,
  kDriverWaited,
  // --- Dispatch ---
  kEpochRaised,
  kEpochRaisedTwiceInARow,
  kStartRepeated,
  kLinkBrokeWithOfferPending,
  kLinkBrokeWithConfirmUnderWay,
  kDispatchRestartedAfterRiderDeath,
  // --- Several replicas of rider-service ---
  kRideOfAnotherReplicaChanged,
  kTripWentOnAtAnotherReplica,
  kRideOfALivingReplicaTakenOver,
  kOrphanTakenOver,
  kOrphanChangedBeforeAnybodyTookItOver,
  kLeaseEndedInALivingProcess,
  // --- Several replicas of driver-service ---
  kSessionMovedToAnotherReplica,
  kSessionMovedOnTrip,
  kSessionMovedWhileConfirming,
  kSessionMovedWithOfferPending,
  kSessionOfADeadReplicaClaimed,
  kSessionOfALivingReplicaClaimedByCall,
  kWishRacedAMove,
  kCallPassedOn,
  kOfferAskedOfAnotherReplica,
  kAskedOfferAccepted,
  kAskedOfferWithdrawn,
  kAskerDiedWithOfferElsewhere,
  // --- Streams and feeds ---
  kRiderResumedBehind,
  kRiderCursorAhead,
  kRiderResumedAfterRestart,
  kEventFoundByCheck,
  kBusLost,
  kBusDoubled,
  kBusReordered,
  kFeedBrokeWithDriverOnTrip,
  kDriverReplaced,
  kDriverReplacedOnTrip,
  kDriverResumedAcrossRides,
  kDriverMissedTheEndOfARide,
  kDriverOfflineOnTrip,
  kDrained,
  kStrangerRefused,
  kDeviceClockWrong,
  kPositionGivenUp,
  kPositionMissing,
  // --- Wall clocks that are set ---
  kClockSetWithOfferPending,
  kClockSetWithRideWaiting,
  kClockSetWithAssignmentUnseen,
  kCount,
};

inline constexpr std::size_t kSituations = static_cast<std::size_t>(Situation::kCount);

// "commit done, reply lost, driver on another stream", …
std::string_view NameOf(Situation situation);

// How often each came up.
using SituationCounts = std::array<std::int64_t, kSituations>;

}  // namespace hail::simulation
