// The effects of the dispatch core outside itself.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "driver-service/domain/dispatch_types.h"
#include "driver-service/domain/replica_message.h"

namespace hail::driver {

// The only output of the core. Called from inside its inputs; must not block or call back.
class Effects {
 public:
  virtual ~Effects() = default;

  // `stream` is open as far as the core knows; messages to a closed stream are dropped.
  virtual void ToDriver(StreamId stream, const DriverMessage& message) = 0;
  virtual void ToLink(LinkId link, const LinkMessage& message) = 0;
  // One ConfirmAssignment call with a deadline of a few seconds; Dispatch::OnConfirmed gets the answer.
  virtual void Confirm(const ConfirmCall& call) = 0;
  // One FindAssignment call; Dispatch::OnFound gets the answer.
  virtual void FindAssignment(const FindCall& call) = 0;
  // On the feed that Dispatch::OnFeedUp reported. For a subscribed driver: starts over.
  virtual void FeedSubscribe(const std::string& driver_id, std::int64_t subscription,
                             const std::optional<RideCursor>& cursor) = 0;
  virtual void FeedUnsubscribe(const std::string& driver_id) = 0;
  // The driver's live ride has changed (null: none), for the positions reported to riders.
  virtual void OnTrip(const std::string& driver_id, std::int64_t session_epoch, const RideRef& ride) = 0;
  // An offer settled: for the log and metrics.
  virtual void LogOffer(const OfferRecord& record) = 0;

  // To other replicas. A process that is alone need not implement these.
  virtual void ToReplica(const std::string& /*replica*/, const ReplicaMessage& /*message*/) {}
  virtual void ToReplicas(const ReplicaMessage& /*message*/) {}
  // A session was opened here, or its driver's offerability has changed: for presences.
  virtual void OnOfferable(const std::string& /*driver_id*/, std::int64_t /*session_epoch*/, bool /*offerable*/,
                           bool /*on_map*/, const std::shared_ptr<const CarProfile>& /*car*/) {}
  // The session is no longer here.
  virtual void OnSessionGone(const std::string& /*driver_id*/) {}
};

}  // namespace hail::driver
