// The loop that the dispatch core lives on, and the core's effects: input from calls and streams is posted to the loop;
// what the core wants done goes to the streams, to the store, to rider-service and to other replicas.
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

// Thread-safe, unless a function says otherwise.
class DispatchHost final : private Effects {
 public:
  using Input = std::function<void(Dispatch& core, Now now)>;
  using DriverSink = std::function<void(const DriverMessage& message)>;
  using LinkSink = std::function<void(const LinkMessage& message)>;
  // Runs on the loop with the driver's session open, or with why it could not be opened (then `core` must not be asked
  // about the driver): PEER_UNAVAILABLE where another replica has it.
  using SessionInput = std::function<void(absl::StatusOr<std::int64_t> session_epoch, Dispatch& core, Now now)>;
  // Runs on the loop with what came of a claim.
  using ClaimInput = std::function<void(const absl::StatusOr<ClaimedSession>& claimed, Dispatch& core, Now now)>;

  // All references must outlive the host.
  struct Parts {
    const Clock& clock;
    LocationIndex& index;
    const TravelTimes& travel_times;
    const Matcher& matcher;
    DriverStore& store;
    RiderCalls& rider;
    // For the positions of drivers on a trip.
    TripPositions& trips;
    // Null: no other replica wants to know.
    PresenceGossip* presences = nullptr;
    // What the core lives on: everything of it runs here.
    Executor& loop;
    // For ids.
    RandomBits random;
    // This process among those that share the store: DispatchOptions::replica.
    std::string replica = {};
  };
  DispatchHost(Parts parts, DispatchOptions options);

  // Opens the feed. Before anything is posted. `replicas` (null: this process is alone) must live until the loop has
  // stopped; `on_offer_settled` runs on the loop and must not block.
  void Start(std::function<void(const OfferRecord& record)> on_offer_settled, Replicas* replicas = nullptr);
  // Ends the feed. Before the loop is stopped; idempotent.
  void Stop();
  // Whether the feed is open.
  bool feed_up() const { return feed_->up(); }

  // Runs `input` on the loop. False, without running it, once stopped.
  bool Post(Input input);

  // Runs `task` on the loop after `wall`; never, once stopped.
  void PostAfter(absl::Duration wall, std::function<void()> task) { parts_.loop.PostAfter(wall, std::move(task)); }

  // For links whose handlers run on the loop; they reach the core by Here().
  Executor& loop() { return parts_.loop; }

  // On the loop only: runs `input` at once.
  void Here(const Input& input) { input(core_, parts_.clock.Read()); }

  // Counts the caller as a contact of `driver_id`, opening a session for a stored driver that has none. If another
  // replica has it, `elsewhere` runs instead, on the loop. `gone`: the epoch of a session whose replica said that it
  // has it no more. Once the loop has stopped: never runs.
  void WithSession(const std::string& driver_id, SessionInput input,
                   std::function<void(const SessionClaim& session)> elsewhere = nullptr, std::int64_t gone = 0);

  // On the loop only. Whether a session of `driver_id` is open here, or being opened.
  bool HasOrOpensSession(const std::string& driver_id) const ABSL_LOCKS_EXCLUDED(claims_mutex_);

  // Claims the session for a stream of the driver's app. Once the loop has stopped: never runs.
  void ClaimForStream(const std::string& driver_id, const Opening& opening, ClaimInput input);

  // A number no other stream or link of this process has.
  std::int64_t NewId() { return next_id_.fetch_add(1, std::memory_order_relaxed); }

  // On the loop only. Sinks are called on the loop, must not block, nor call the core.
  void AddDriverSink(StreamId stream, DriverSink sink);
  void RemoveDriverSink(StreamId stream);
  void AddLinkSink(LinkId link, LinkSink sink);
  // For sinks: what the core says in one go, for `send` (rpc::Batcher).
  template <typename Message>
  rpc::Batcher<Message> BatcherOf(std::function<void(Message)> send) const {
    return rpc::Batcher<Message>(&parts_.loop, std::move(send));
  }
  void RemoveLinkSink(LinkId link);

  const Clock& clock() const { return parts_.clock; }
  const std::string& replica() const { return parts_.replica; }

  // As of less than a second ago.
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
  void OnOfferable(const std::string& driver_id, std::int64_t session_epoch, bool offerable,
                   const std::shared_ptr<const CarProfile>& car) override;
  void OnSessionGone(const std::string& driver_id) override;

  RiderCalls::FeedHandlers HandlersOfFeed();
  void CountOn(Now now);
  // For a claim that is about to be made.
  DriverStore::ClaimDone OnLoop(const std::string& driver_id, ClaimInput input) ABSL_LOCKS_EXCLUDED(claims_mutex_);

  const Parts parts_;
  Replicas* replicas_ = nullptr;
  std::function<void(const OfferRecord&)> on_offer_settled_;
  std::atomic<std::int64_t> next_id_{1};
  // Loop only.
  Dispatch core_;
  std::uint64_t feed_link_ = 0;
  absl::flat_hash_map<StreamId, DriverSink> driver_sinks_;
  absl::flat_hash_map<LinkId, LinkSink> link_sinks_;

  mutable absl::Mutex claims_mutex_;
  // Claims under way, by driver.
  absl::flat_hash_map<std::string, int> claiming_ ABSL_GUARDED_BY(claims_mutex_);

  mutable absl::Mutex counts_mutex_;
  DispatchCounts counts_ ABSL_GUARDED_BY(counts_mutex_);
  // Of the loop: the count under way, and when it began or may begin.
  DispatchTally tally_;
  absl::Time count_from_ = absl::InfinitePast();

  const std::unique_ptr<RiderCalls::Feed> feed_;
};

}  // namespace hail::driver
