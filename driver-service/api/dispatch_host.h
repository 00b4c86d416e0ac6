// The loop of the dispatch core, and the core's effects. Calls and streams post input to the loop; the core's effects
// go to the streams, the store, rider-service and other replicas.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/exec/executor.h"
#include "common/ids/uuid.h"
#include "common/rpc/joined.h"
#include "common/time/clock.h"
#include "driver-service/api/presence_gossip.h"
#include "driver-service/api/rider_calls.h"
#include "driver-service/api/trip_positions.h"
#include "driver-service/domain/dispatch.h"
#include "driver-service/domain/driver_store.h"

namespace hail::driver {

class Replicas;

// Thread-safe, unless a function is marked otherwise.
class DispatchHost final : private Effects {
 public:
  using Input = std::function<void(Dispatch& core, Now now)>;
  using DriverSink = std::function<void(const DriverMessage& message)>;
  using LinkSink = std::function<void(const LinkMessage& message)>;
  // Runs on the loop once the driver's session is open, or with the error (then `core` has no state of the driver):
  // PEER_UNAVAILABLE if another replica has the session.
  using SessionInput = std::function<void(absl::StatusOr<std::int64_t> session_epoch, Dispatch& core, Now now)>;
  // Runs on the loop with the result of a claim.
  using ClaimInput = std::function<void(const absl::StatusOr<ClaimedSession>& claimed, Dispatch& core, Now now)>;

  // All references must outlive the host.
  struct Parts {
    const Clock& clock;
    LocationIndex& index;
    const TravelTimes& travel_times;
    const Matcher& matcher;
    DriverStore& store;
    RiderCalls& rider;
    // Receives the rides of drivers on a trip.
    TripPositions& trips;
    // Null: no other replica needs presences.
    PresenceGossip* presences = nullptr;
    // The loop on which the whole core runs.
    Executor& loop;
    // The source of ids.
    RandomBits random;
    // Names this process among those that share the store: DispatchOptions::replica.
    std::string replica = {};
  };
  DispatchHost(Parts parts, DispatchOptions options);

  // Opens the feed. Must be called before any post. `replicas` (null: this process is alone) must live until the loop
  // has stopped; `on_offer_settled` runs on the loop and must not block.
  void Start(std::function<void(const OfferRecord& record)> on_offer_settled, Replicas* replicas = nullptr);
  // Closes the feed. Must be called before the loop is stopped; idempotent.
  void Stop();
  // Whether the feed is open.
  bool feed_up() const { return feed_->up(); }

  // Runs `input` on the loop. False, without running it, once stopped.
  bool Post(Input input);

  // Runs `task` on the loop after `wall`; never, once stopped.
  void PostAfter(absl::Duration wall, std::function<void()> task) { parts_.loop.PostAfter(wall, std::move(task)); }

  // For links whose handlers run on the loop; they reach the core through Here().
  Executor& loop() { return parts_.loop; }

  // On the loop only: runs `input` at once.
  void Here(const Input& input) { input(core_, parts_.clock.Read()); }

  // Counts as a contact of `driver_id`; opens a session for a stored driver without one. If another replica has the
  // session, `elsewhere` runs instead, on the loop. `gone`: the epoch of a session that its replica reported as lost.
  // Never runs once the loop has stopped.
  void WithSession(const std::string& driver_id, SessionInput input,
                   std::function<void(const SessionClaim& session)> elsewhere = nullptr, std::int64_t gone = 0);

  // On the loop only. Whether a session of `driver_id` is open or opening here.
  bool HasOrOpensSession(const std::string& driver_id) const ABSL_LOCKS_EXCLUDED(claims_mutex_);

  // Claims the session for a stream of the driver's app. Never runs once the loop has stopped.
  void ClaimForStream(const std::string& driver_id, const Opening& opening, ClaimInput input);

  // The driver's profile was deleted: no replica keeps what it knows of the driver. `session_epoch`: above those of all
  // claims of the driver's session.
  void ForgetDriver(const std::string& driver_id, std::int64_t session_epoch);

  // A number that no other stream or link of this process has.
  std::int64_t NewId() { return next_id_.fetch_add(1, std::memory_order_relaxed); }

  // On the loop only. Sinks are called on the loop; they must not block or call the core.
  void AddDriverSink(StreamId stream, DriverSink sink);
  void RemoveDriverSink(StreamId stream);
  void AddLinkSink(LinkId link, LinkSink sink);
  // For sinks: batches the messages of one pass of the loop for `send` (rpc::Batcher).
  template <typename Message>
  rpc::Batcher<Message> BatcherOf(std::function<void(Message)> send) const {
    return rpc::Batcher<Message>(&parts_.loop, std::move(send));
  }
  void RemoveLinkSink(LinkId link);

  const Clock& clock() const { return parts_.clock; }
  const std::string& replica() const { return parts_.replica; }

  // At most one second old.
  DispatchCounts counts() const;
  std::size_t depth() const { return parts_.loop.depth(); }

 private:
  void ToDriver(StreamId stream, const DriverMessage& message) override;
  void ToLink(LinkId link, const LinkMessage& message) override;
  void Confirm(const ConfirmCall& call) override;
  void FindAssignment(const FindCall& call) override;
  void FeedSubscribe(const std::string& driver_id, std::int64_t subscription,
                     const std::optional<RideCursor>& cursor) override;
  void FeedUnsubscribe(const std::string& driver_id) override;
  void OnTrip(const std::string& driver_id, std::int64_t session_epoch, const RideRef& ride) override;
  void LogOffer(const OfferRecord& record) override;
  void ToReplica(const std::string& replica, const ReplicaMessage& message) override;
  void ToReplicas(const ReplicaMessage& message) override;
  void OnOfferable(const std::string& driver_id, std::int64_t session_epoch, bool offerable, bool on_map,
                   const std::shared_ptr<const CarProfile>& car) override;
  void OnSessionGone(const std::string& driver_id) override;

  RiderCalls::FeedHandlers HandlersOfFeed();
  void CountOn(Now now);
  // Wraps the callback of a claim that is about to be made.
  DriverStore::ClaimDone OnLoop(const std::string& driver_id, ClaimInput input) ABSL_LOCKS_EXCLUDED(claims_mutex_);

  const Parts parts_;
  Replicas* replicas_ = nullptr;
  std::function<void(const OfferRecord&)> on_offer_settled_;
  std::atomic<std::int64_t> next_id_{1};
  // Used on the loop only.
  Dispatch core_;
  std::uint64_t feed_link_ = 0;
  absl::flat_hash_map<StreamId, DriverSink> driver_sinks_;
  absl::flat_hash_map<LinkId, LinkSink> link_sinks_;

  mutable absl::Mutex claims_mutex_;
  // The number of open claims, by driver.
  absl::flat_hash_map<std::string, int> claiming_ ABSL_GUARDED_BY(claims_mutex_);

  mutable absl::Mutex counts_mutex_;
  DispatchCounts counts_ ABSL_GUARDED_BY(counts_mutex_);
  // Used on the loop only: the running count, and when it began or may begin.
  DispatchTally tally_;
  absl::Time count_from_ = absl::InfinitePast();

  const std::unique_ptr<RiderCalls::Feed> feed_;
};

}  // namespace hail::driver
