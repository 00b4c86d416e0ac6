#include "driver-service/api/dispatch_host.h"

#include <algorithm>
#include <utility>

#include "common/errors/error.h"

namespace hail::driver {
namespace {

// Short enough for offers of 15 s at 30 times the speed of life.
constexpr absl::Duration kTick = absl::Milliseconds(20);
// All are counted so often, in so many steps.
constexpr absl::Duration kCount = absl::Milliseconds(500);
constexpr std::size_t kCountSteps = 20;
constexpr std::size_t kLeastCounted = 200;

DispatchOptions OptionsOf(DispatchOptions options, const std::string& replica) {
  options.replica = replica;
  return options;
}

}  // namespace

DispatchHost::DispatchHost(Parts parts, DispatchOptions options)
    : parts_(std::move(parts)),
      core_(OptionsOf(std::move(options), parts_.replica), parts_.index, parts_.travel_times, parts_.matcher,
            parts_.random, *this) {}

void DispatchHost::Start(DispatchPeer& peer, std::function<void(const OfferRecord&)> on_offer_settled,
                         ReplicaPeers* replicas) {
  peer_ = &peer;
  replicas_ = replicas;
  on_offer_settled_ = std::move(on_offer_settled);
  parts_.loop.Every(kTick, [this] {
    const Now now = parts_.clock.Read();
    core_.Tick(now);
    CountOn(now);
  });
}

void DispatchHost::CountOn(Now now) {
  if (now.wall < count_from_) return;
  if (!core_.CountOn(now, tally_, std::max(kLeastCounted, core_.session_count() / kCountSteps))) return;
  {
    absl::MutexLock lock(&counts_mutex_);
    counts_ = tally_.counts;
  }
  tally_ = {};
  count_from_ = std::max(count_from_ + kCount, now.wall);
}

bool DispatchHost::Post(Input input) {
  return parts_.loop.Post([this, input = std::move(input)] { input(core_, parts_.clock.Read()); });
}

void DispatchHost::WithSession(const std::string& driver_id, SessionInput input,
                               std::function<void(const SessionClaim&)> elsewhere, std::int64_t gone) {
  Post([this, driver_id, input = std::move(input), elsewhere = std::move(elsewhere), gone](Dispatch& core, Now now) {
    if (core.Contact(now, driver_id)) {
      input(core.State(now, driver_id).session_epoch, core, now);
      return;
    }
    const auto opened = [input, elsewhere](const absl::StatusOr<ClaimedSession>& claimed, Dispatch& core, Now now) {
      if (!claimed.ok()) {
        input(claimed.status(), core, now);
      } else if (claimed->claimed) {
        const StoredDriver& stored = claimed->stored;
        input(core.OpenUnary(now, stored.driver, stored.availability, claimed->session.epoch), core, now);
      } else if (elsewhere) {
        elsewhere(claimed->session);
      } else {
        input(Unavailable(Reason::kPeerUnavailable, "another replica has the driver's session; retry"), core, now);
      }
    };
    parts_.store.ClaimIdleSession(driver_id, parts_.replica, gone, OnLoop(driver_id, opened));
  });
}

void DispatchHost::ClaimForStream(const std::string& driver_id, const Opening& opening, ClaimInput input) {
  parts_.store.ClaimSession(driver_id, parts_.replica, opening, OnLoop(driver_id, std::move(input)));
}

DriverStore::ClaimDone DispatchHost::OnLoop(const std::string& driver_id, ClaimInput input) {
  {
    absl::MutexLock lock(&claims_mutex_);
    ++claiming_[driver_id];
  }
  return [this, driver_id, input = std::move(input)](absl::StatusOr<ClaimedSession> claimed) {
    Post([this, driver_id, input, claimed = std::move(claimed)](Dispatch& core, Now now) {
      input(claimed, core, now);
      absl::MutexLock lock(&claims_mutex_);
      if (auto claiming = claiming_.find(driver_id); --claiming->second == 0) claiming_.erase(claiming);
    });
  };
}

bool DispatchHost::HasOrOpensSession(const std::string& driver_id) const {
  if (core_.HasSession(driver_id)) return true;
  absl::MutexLock lock(&claims_mutex_);
  return claiming_.contains(driver_id);
}

void DispatchHost::AddDriverSink(StreamId stream, DriverSink sink) { driver_sinks_[stream] = std::move(sink); }

void DispatchHost::RemoveDriverSink(StreamId stream) { driver_sinks_.erase(stream); }

void DispatchHost::AddLinkSink(LinkId link, LinkSink sink) { link_sinks_[link] = std::move(sink); }

void DispatchHost::RemoveLinkSink(LinkId link) { link_sinks_.erase(link); }

DispatchCounts DispatchHost::counts() const {
  absl::MutexLock lock(&counts_mutex_);
  return counts_;
}

void DispatchHost::ToDriver(StreamId stream, const DriverMessage& message) {
  if (const auto found = driver_sinks_.find(stream); found != driver_sinks_.end()) found->second(message);
}

void DispatchHost::ToLink(LinkId link, const LinkMessage& message) {
  if (const auto found = link_sinks_.find(link); found != link_sinks_.end()) found->second(message);
}

void DispatchHost::Confirm(const ConfirmCall& call) { peer_->Confirm(call); }

void DispatchHost::FindAssignment(const FindCall& call) { peer_->FindAssignment(call); }

void DispatchHost::FeedSubscribe(const std::string& driver_id, std::int64_t subscription,
                                 const std::optional<RideCursor>& cursor) {
  peer_->FeedSubscribe(driver_id, subscription, cursor);
}

void DispatchHost::FeedUnsubscribe(const std::string& driver_id) { peer_->FeedUnsubscribe(driver_id); }

void DispatchHost::OnTrip(const std::string& driver_id, std::int64_t, const RideRef& ride) {
  peer_->OnTrip(driver_id, ride);
}

void DispatchHost::LogOffer(const OfferRecord& record) {
  parts_.store.AppendOfferLog(record);
  on_offer_settled_(record);
}

void DispatchHost::ToReplica(const std::string& replica, const ReplicaMessage& message) {
  if (replicas_ != nullptr) replicas_->ToReplica(replica, message);
}

void DispatchHost::ToReplicas(const ReplicaMessage& message) {
  if (replicas_ != nullptr) replicas_->ToReplicas(message);
}

void DispatchHost::OnOfferable(const std::string& driver_id, std::int64_t session_epoch, bool offerable,
                               const std::shared_ptr<const CarProfile>& car) {
  if (replicas_ != nullptr) replicas_->OnOfferable(driver_id, session_epoch, offerable, car);
}

void DispatchHost::OnSessionGone(const std::string& driver_id) {
  if (replicas_ != nullptr) replicas_->OnSessionGone(driver_id);
}

}  // namespace hail::driver
