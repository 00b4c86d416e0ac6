#include "driver-service/api/rider_peer.h"

#include <utility>

#include "common/failpoint/failpoint.h"
#include "common/logging/log.h"
#include "driver-service/codec/internal_codec.h"

namespace hail::driver {
namespace {

// Wall time. Positions are passed on as they come, all that came in meanwhile together, but no oftener than this: a
// message costs more than the positions in it.
constexpr absl::Duration kPositionsApart = absl::Milliseconds(5);
// When those are passed on that came while the stream was down.
constexpr absl::Duration kPositionsEvery = absl::Milliseconds(100);

}  // namespace

RiderPeer::RiderPeer(const Clock& clock, DispatchHost& host, TripPositions& trips, RiderCalls& calls,
                     const Streams& streams)
    : clock_(clock),
      host_(host),
      trips_(trips),
      calls_(calls),
      feed_(streams.feed(HandlersOfFeed())),
      positions_(streams.positions(HandlersOfPositions())) {}

void RiderPeer::Start() {
  feed_->Start();
  positions_->Start();
  trips_.TellFresh([this] { host_.loop().Post([this] { SendPositionsSoon(); }); });
  host_.loop().Every(kPositionsEvery, [this] { SendPositions(); });
}

void RiderPeer::Stop() {
  trips_.TellFresh(nullptr);
  feed_->Stop();
  positions_->Stop();
}

void RiderPeer::Confirm(const ConfirmCall& call) {
  HAIL_FAILPOINT(kConfirmBefore);
  calls_.Confirm(call, [this, offer_id = call.offer_id, attempt = call.attempt](absl::StatusOr<RideView> result) {
    HAIL_FAILPOINT(kConfirmReplied);
    host_.Post([offer_id, attempt, result = std::move(result)](Dispatch& core, Now now) {
      core.OnConfirmed(now, offer_id, attempt, result);
    });
  });
}

void RiderPeer::FindAssignment(const FindCall& call) {
  calls_.FindAssignment(call, [this, call](absl::StatusOr<RideView> result) {
    if (!absl::IsNotFound(result.status())) {
      host_.Post([find = call.find, result](Dispatch& core, Now now) { core.OnFound(now, find, result); });
      return;
    }
    // It brought no ride, and will not. What it came to, the log knows.
    using Logged = absl::StatusOr<std::optional<LoggedOffer>>;
    host_.FindOffer(call.offer_id, [this, find = call.find, result](const Logged& logged) {
      host_.Post([=](Dispatch& core, Now now) { core.OnFound(now, find, result, logged); });
    });
  });
}

void RiderPeer::FeedSubscribe(const std::string& driver_id, std::int64_t subscription,
                              const std::optional<RideCursor>& cursor) {
  feed_->Send(feed_link_, SubscribeMessage(driver_id, subscription, cursor));
  HAIL_FAILPOINT(kFeedSubscribed);
}

void RiderPeer::FeedUnsubscribe(const std::string& driver_id) {
  feed_->Send(feed_link_, UnsubscribeMessage(driver_id));
}

RiderPeer::FeedHandlers RiderPeer::HandlersOfFeed() {
  return {
      .on_up =
          [this](std::uint64_t link) {
            Log(LogLevel::kInfo, "rider_feed_up");
            feed_link_ = link;
            host_.Here([](Dispatch& core, Now now) { core.OnFeedUp(now); });
          },
      .on_message = [this](const internal::v1::WatchDriversResponse& message) { OnFeedMessage(message); },
      .on_down =
          [this](const absl::Status& status) {
            Log(LogLevel::kWarn, "rider_feed_down", {{"status", status}});
            host_.Here([](Dispatch& core, Now now) { core.OnFeedDown(now); });
          },
      .heartbeat =
          [] {
            internal::v1::WatchDriversRequest request;
            request.mutable_heartbeat();
            return request;
          },
  };
}

RiderPeer::PositionHandlers RiderPeer::HandlersOfPositions() {
  return {
      .on_up = [this](std::uint64_t link) { positions_link_ = link; },
      .on_down =
          [](const absl::Status& status) {
            Log(LogLevel::kDebug, "rider_positions_down", {{"status", status}});
          },
      .heartbeat = [] { return internal::v1::ReportLocationsRequest(); },
  };
}

void RiderPeer::OnFeedMessage(const internal::v1::WatchDriversResponse& message) {
  if (message.has_snapshot()) {
    host_.Here([&](Dispatch& core, Now now) { core.OnFeedSnapshot(now, FromProto(message.snapshot())); });
  } else if (message.has_event()) {
    host_.Here([&](Dispatch& core, Now now) { core.OnFeedEvent(now, FromProto(message.event())); });
  }
}

void RiderPeer::SendPositionsSoon() {
  const absl::Duration wait = positions_sent_ + kPositionsApart - clock_.Read().wall;
  // A clock that was set back must not hold them up.
  if (wait <= absl::ZeroDuration() || wait > kPositionsApart) return SendPositions();
  host_.loop().PostAfter(wait, [this] { SendPositions(); });
}

void RiderPeer::SendPositions() {
  // Down: they wait, and the latest counts.
  if (!positions_->up()) return;
  positions_sent_ = clock_.Read().wall;
  for (internal::v1::ReportLocationsRequest& message : trips_.Take(clock_.Read().domain)) {
    positions_->Send(positions_link_, std::move(message));
  }
}

}  // namespace hail::driver
