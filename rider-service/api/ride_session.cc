#include "rider-service/api/ride_session.h"

#include <utility>

#include "common/logging/log.h"
#include "rider-service/codec/ride_codec.h"

namespace hail::rider {

using hail::rider::v1::WatchRideResponse;

namespace {

constexpr char kTelemetrySlot[] = "telemetry";

}  // namespace

std::shared_ptr<RideSession> RideSession::Open(const SessionPorts& ports, std::string rider_id, std::string ride_id,
                                               std::optional<std::int64_t> cursor, std::shared_ptr<Sink> sink) {
  std::shared_ptr<RideSession> session(
      new RideSession(ports, std::move(rider_id), std::move(ride_id), cursor, std::move(sink)));
  const std::weak_ptr<RideSession> weak = session;
  auto bus_subscription = ports.bus->Subscribe(RideTopic(session->ride_id_), [weak](const BusPayload& payload) {
    if (const auto self = weak.lock()) self->OnPayload(payload);
  });
  auto fix_subscription =
      ports.telemetry->Subscribe(session->ride_id_, [weak](const std::shared_ptr<const DriverFix>& fix) {
        if (const auto self = weak.lock()) self->OnFix(*fix);
      });
  {
    absl::MutexLock lock(&session->mutex_);
    session->bus_subscription_ = std::move(bus_subscription);
    session->fix_subscription_ = std::move(fix_subscription);
  }
  ports.checks->AddRideFeed(weak);
  session->Feed([](RideFeed& feed) { feed.Begin(); });
  return session;
}

RideSession::RideSession(const SessionPorts& ports, std::string rider_id, std::string ride_id,
                         std::optional<std::int64_t> cursor, std::shared_ptr<Sink> sink)
    : ports_(ports),
      ride_id_(std::move(ride_id)),
      feed_(std::move(rider_id), ride_id_, cursor, this),
      sink_(std::move(sink)) {}

void RideSession::Close() {
  absl::MutexLock lock(&mutex_);
  sink_ = nullptr;
  if (bus_subscription_ == nullptr) return;
  ports_.housekeeping->Post([bus = std::move(bus_subscription_), fix = std::move(fix_subscription_)] {});
  bus_subscription_ = nullptr;
  fix_subscription_ = nullptr;
}

std::int64_t RideSession::known_sequence() const {
  absl::MutexLock lock(&mutex_);
  return feed_.known_sequence();
}

std::int64_t RideSession::sent_sequence() const {
  absl::MutexLock lock(&mutex_);
  return feed_.sent_sequence();
}

void RideSession::OnStoreSequences(const StoreSequences& sequences) {
  CheckPosition();
  const auto found = sequences.find(ride_id_);
  if (found == sequences.end()) return;
  Feed([sequence = found->second](RideFeed& feed) { feed.OnStoreSequence(sequence); });
}

void RideSession::CheckPosition() {
  absl::MutexLock lock(&mutex_);
  std::optional<hail::rider::v1::RideTelemetry> telemetry = Position();
  if (!telemetry.has_value() || !telemetry->has_missing_since() || missing_epoch_ == telemetry->epoch()) return;
  Send(*std::move(telemetry));
}

void RideSession::Feed(const std::function<void(RideFeed&)>& input) {
  std::optional<WantedRead> wanted;
  {
    absl::MutexLock lock(&mutex_);
    if (sink_ == nullptr) return;
    input(feed_);
    wanted = std::exchange(wanted_read_, std::nullopt);
  }
  if (!wanted) return;
  ports_.store->ReadLog(ride_id_, wanted->after, [weak = weak_from_this()](absl::StatusOr<RideLog> log) {
    if (const auto self = weak.lock()) self->Feed([&log](RideFeed& feed) { feed.OnRead(log); });
  });
}

void RideSession::OnPayload(const BusPayload& payload) {
  const absl::StatusOr<RideEvent> event = ports_.codec->Decode(*payload);
  if (!event.ok()) {
    Log(LogLevel::kError, "bad_bus_payload", {{"ride_id", ride_id_}, {"status", event.status()}});
    return;
  }
  Feed([&event](RideFeed& feed) { feed.OnEvent(*event); });
}

void RideSession::OnFix(const DriverFix& fix) {
  absl::MutexLock lock(&mutex_);
  // A newer fix may have been sent meanwhile; Position returns the latest.
  if (feed_.ride() != nullptr && feed_.ride()->epoch() == fix.telemetry.epoch()) SendPosition();
}

std::optional<hail::rider::v1::RideTelemetry> RideSession::Position() const {
  const Ride* ride = feed_.ride();
  if (sink_ == nullptr || feed_.finished() || ride == nullptr || !HasLiveDriver(ride->state())) return std::nullopt;
  return ports_.telemetry->Show(ride_id_, ride->epoch(), ride->assign_time().value_or(ride->update_time()),
                                ports_.clock->Read());
}

void RideSession::SendPosition() {
  if (std::optional<hail::rider::v1::RideTelemetry> telemetry = Position()) Send(*std::move(telemetry));
}

void RideSession::Send(hail::rider::v1::RideTelemetry telemetry) {
  missing_epoch_ = telemetry.has_missing_since() ? std::optional(telemetry.epoch()) : std::nullopt;
  WatchRideResponse message;
  *message.mutable_telemetry() = std::move(telemetry);
  sink_->SendLatest(kTelemetrySlot, std::move(message));
}

void RideSession::Read(std::optional<std::int64_t> after) { wanted_read_ = WantedRead{after}; }

void RideSession::SendSnapshot(const Ride& ride) {
  WatchRideResponse message;
  Encode(ride, message.mutable_snapshot());
  AddDriverLastSeen(*ports_.telemetry, message.mutable_snapshot());
  sink_->Send(std::move(message));
  SendPosition();
}

void RideSession::SendEvent(const RideEvent& event) {
  WatchRideResponse message;
  Encode(event, message.mutable_event());
  sink_->Send(std::move(message));
}

void RideSession::SendCaughtUp(std::int64_t sequence) {
  WatchRideResponse message;
  message.mutable_caught_up()->set_sequence(sequence);
  sink_->Send(std::move(message));
  SendPosition();
}

void RideSession::SendReset(const std::string& text) {
  WatchRideResponse message;
  message.mutable_start_over()->set_message(text);
  sink_->Send(std::move(message));
}

void RideSession::Finish(const absl::Status& status) { sink_->Finish(status); }

void AddDriverLastSeen(const PositionCache& board, hail::type::v1::Ride* ride) {
  if (!HasLiveDriver(DecodeState(ride->state()))) return;
  if (const auto fix = board.Latest(ride->ride_id(), ride->epoch())) {
    Encode(fix->observed, ride->mutable_driver_last_seen());
  }
}

}  // namespace hail::rider
