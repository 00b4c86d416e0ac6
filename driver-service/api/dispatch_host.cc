#include "driver-service/api/dispatch_host.h"

#include <algorithm>
#include <utility>

#include "common/errors/error.h"
#include "common/failpoint/failpoint.h"
#include "common/logging/log.h"
#include "driver-service/api/replicas.h"
#include "driver-service/codec/internal_codec.h"

namespace hail::driver {
namespace {

// Short enough for offers of 15 s with domain time 30 times as fast as wall time.
constexpr absl::Duration kTick = absl::Milliseconds(20);
// Interval of the counts of all sessions, and the number of steps per count.
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
            parts_.random, *this),
      feed_(parts_.rider.WatchDrivers(HandlersOfFeed())) {}

void DispatchHost::Start(std::function<void(const OfferRecord&)> on_offer_settled, Replicas* replicas) {
  replicas_ = replicas;
  on_offer_settled_ = std::move(on_offer_settled);
  parts_.loop.Every(kTick, [this] {
    const Now now = parts_.clock.Read();
    core_.Tick(now);
    CountOn(now);
  });
  feed_->Start();
}

void DispatchHost::Stop() { feed_->Stop(); }

RiderCalls::FeedHandlers DispatchHost::HandlersOfFeed() {
  return {
      .on_up =
          [this](std::uint64_t link) {
            Log(LogLevel::kInfo, "rider_feed_up");
            feed_link_ = link;
            core_.OnFeedUp(parts_.clock.Read());
          },
      .on_message =
          [this](const internal::v1::WatchDriversResponse& message) {
            if (message.has_snapshot()) {
              core_.OnFeedSnapshot(parts_.clock.Read(), FromProto(message.snapshot()));
            } else if (message.has_event()) {
              core_.OnFeedEvent(parts_.clock.Read(), FromProto(message.event()));
            }
          },
      .on_down =
          [this](const absl::Status& status) {
            Log(LogLevel::kWarn, "rider_feed_down", {{"status", status}});
            core_.OnFeedDown(parts_.clock.Read());
          },
      .heartbeat =
          [] {
            internal::v1::WatchDriversRequest request;
            request.mutable_heartbeat();
            return request;
          },
  };
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

void DispatchHost::ForgetDriver(const std::string& driver_id, std::int64_t session_epoch) {
  Post([this, driver_id, session_epoch](Dispatch& core, Now now) {
    // A session that nobody owns ends wherever it is.
    core.OnClaims(now, {{.driver_id = driver_id, .epoch = session_epoch}});
    parts_.index.Remove(driver_id);
    ToReplicas(SessionClaimed{driver_id, session_epoch, false});
  });
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

void DispatchHost::Confirm(const ConfirmCall& call) {
  HAIL_FAILPOINT(kConfirmBefore);
  parts_.rider.Confirm(call, [this, offer_id = call.offer_id, attempt = call.attempt](absl::StatusOr<RideView> result) {
    HAIL_FAILPOINT(kConfirmReplied);
    Post([offer_id, attempt, result = std::move(result)](Dispatch& core, Now now) {
      core.OnConfirmed(now, offer_id, attempt, result);
    });
  });
}

void DispatchHost::FindAssignment(const FindCall& call) {
  parts_.rider.FindAssignment(call, [this, call](absl::StatusOr<RideView> result) {
    if (!absl::IsNotFound(result.status())) {
      Post([find = call.find, result](Dispatch& core, Now now) { core.OnFound(now, find, result); });
      return;
    }
    // The offer did not lead to a ride, and cannot any more. The log has its outcome.
    using Logged = absl::StatusOr<std::optional<LoggedOffer>>;
    parts_.store.FindOffer(call.offer_id, [this, find = call.find, result](const Logged& logged) {
      Post([=](Dispatch& core, Now now) { core.OnFound(now, find, result, logged); });
    });
  });
}

void DispatchHost::FeedSubscribe(const std::string& driver_id, std::int64_t subscription,
                                 const std::optional<RideCursor>& cursor) {
  feed_->Send(feed_link_, SubscribeMessage(driver_id, subscription, cursor));
  HAIL_FAILPOINT(kFeedSubscribed);
}

void DispatchHost::FeedUnsubscribe(const std::string& driver_id) {
  feed_->Send(feed_link_, UnsubscribeMessage(driver_id));
}

void DispatchHost::OnTrip(const std::string& driver_id, std::int64_t, const RideRef& ride) {
  parts_.trips.SetRide(driver_id, ride);
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

void DispatchHost::OnOfferable(const std::string& driver_id, std::int64_t session_epoch, bool offerable, bool on_map,
                               const std::shared_ptr<const CarProfile>& car) {
  if (parts_.presences != nullptr) parts_.presences->SetSession(driver_id, session_epoch, offerable, on_map, car);
}

void DispatchHost::OnSessionGone(const std::string& driver_id) {
  if (parts_.presences != nullptr) parts_.presences->Forget(driver_id);
}

}  // namespace hail::driver
