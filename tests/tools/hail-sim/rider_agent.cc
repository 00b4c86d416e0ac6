#include "tests/tools/hail-sim/rider_agent.h"

#include <algorithm>
#include <utility>

#include "common/proto/time.h"
#include "tests/tools/hail-sim/audit.h"
#include "tests/tools/hail-sim/motion.h"

namespace hail::sim {

namespace rpb = hail::rider::v1;
namespace tpb = hail::type::v1;

namespace {

// The contract's: a heartbeat every 5 s; after 12 s of silence the peer is gone (wall time).
constexpr absl::Duration kHeartbeat = absl::Seconds(5);
constexpr absl::Duration kSilence = absl::Seconds(12);

// How often the simulated riders use the optional calls.
constexpr double kLooksAtProducts = 0.3;
constexpr double kLooksAtCars = 0.2;
constexpr double kQuotes = 0.8;
constexpr double kRepeatsRequest = 0.05;
constexpr double kAsksForActiveRide = 0.3;
constexpr double kListsRides = 0.1;
constexpr double kWantsAnotherProduct = 0.12;

void Put(const LatLng& from, tpb::LatLng* to) {
  to->set_latitude_deg(from.latitude_deg);
  to->set_longitude_deg(from.longitude_deg);
}

}  // namespace

RiderAgent::RiderAgent(std::string rider_id, std::string request_id, const Trip& trip, std::string product_id,
                       const Odds& odds, std::uint64_t seed, RiderOut* out, const RiderScript* script)
    : rider_id_(std::move(rider_id)),
      request_id_(std::move(request_id)),
      trip_(trip),
      odds_(odds),
      random_(seed, "rider " + trip.trip_id),
      out_(out),
      script_(script),
      product_id_(std::move(product_id)),
      repeats_request_(random_.Chance(kRepeatsRequest)),
      bidirectional_(!random_.Chance(odds.watch)) {}

void RiderAgent::Begin(const Now&) {
  if (random_.Chance(kLooksAtProducts)) {
    rpb::ListProductsRequest call;
    Put(trip_.pickup, call.mutable_position());
    out_->Call(call);
  }
  if (random_.Chance(kLooksAtCars)) {
    rpb::ListNearbyCarsRequest call;
    Put(trip_.pickup, call.mutable_position());
    call.set_radius_m(1'500);
    out_->Call(call);
  }
  if (random_.Chance(kQuotes)) {
    Quote();
  } else {
    out_->Wake(absl::Seconds(random_.Between(1, 5)), RiderTimer::kRequest, 0);
  }
}

void RiderAgent::Quote() {
  rpb::QuoteRideRequest call;
  call.set_rider_id(rider_id_);
  Put(trip_.pickup, call.mutable_pickup()->mutable_position());
  Put(trip_.dropoff, call.mutable_dropoff()->mutable_position());
  call.set_seats(trip_.seats);
  if (script_ != nullptr) call.set_product_id(product_id_);
  out_->Call(call);
}

void RiderAgent::Request(const Now& now) {
  if (!asked_) request_time_ = now.domain;
  asked_ = true;
  rpb::RequestRideRequest call;
  call.set_rider_id(rider_id_);
  call.set_request_id(request_id_);
  Put(trip_.pickup, call.mutable_pickup()->mutable_position());
  Put(trip_.dropoff, call.mutable_dropoff()->mutable_position());
  call.set_product_id(product_id_);
  call.set_seats(trip_.seats);
  call.set_quote_token(quote_token_);
  (*call.mutable_labels())["trip"] = trip_.trip_id.substr(0, 64);
  if (script_ != nullptr) {
    call.set_rider_display_name(std::string("Sandbox rider: ") + script_->name);
    if (script_->notes) {
      call.mutable_pickup()->set_address("1 Sandbox Street");
      call.mutable_pickup()->set_note("blue door, ring twice");
      call.mutable_dropoff()->set_address("2 Sandbox Street");
      call.mutable_dropoff()->set_note("to the back entrance, please");
    }
  }
  out_->Call(call);
}

void RiderAgent::OnReply(const Now& now, const RiderCall& call, const Outcome& outcome, const RiderReply& reply) {
  if (std::holds_alternative<rpb::QuoteRideRequest>(call)) {
    if (asked_) return;
    if (outcome.ok()) {
      const rpb::QuoteRideResponse& quotes = std::get<rpb::QuoteRideResponse>(reply);
      if (quotes.quotes_size() > 0) {
        // Mostly the cheapest product, which comes first.
        const std::size_t pick = random_.Chance(kWantsAnotherProduct) ? random_.Index(quotes.quotes_size()) : 0;
        product_id_ = quotes.quotes(static_cast<int>(pick)).product_id();
        quote_token_ = quotes.quotes(static_cast<int>(pick)).quote_token();
      }
      call_backoff_.Reset();
      out_->Count("quotes");
      out_->Wake(absl::Seconds(random_.Between(2, 10)), RiderTimer::kRequest, 0);
    } else if (outcome.Retryable()) {
      out_->WakeWall(call_backoff_.Next(random_, outcome.retry_after), RiderTimer::kQuote, 0);
    } else {
      if (!asked_) request_time_ = now.domain;
      asked_ = true;
      Refused(outcome);
    }
  } else if (std::holds_alternative<rpb::RequestRideRequest>(call)) {
    if (outcome.ok()) {
      Acknowledged(now, std::get<rpb::RequestRideResponse>(reply).ride());
    } else if (!ride_id_.empty()) {
      // A repeat of an acknowledged request: only its transport may fail.
      if (!outcome.Retryable()) out_->Count("request_conflicts");
    } else if (outcome.Retryable()) {
      out_->Count("request_retries");
      out_->WakeWall(call_backoff_.Next(random_, outcome.retry_after), RiderTimer::kRequest, 0);
    } else if (outcome.reason == "QUOTE_EXPIRED") {
      // A refused request does not use up its request_id: repeat it without the quote.
      out_->Count("quotes_expired");
      quote_token_.clear();
      Request(now);
    } else {
      Refused(outcome);
    }
  } else if (std::holds_alternative<rpb::CancelRideRequest>(call)) {
    if (outcome.ok()) {
      out_->Count("rider_cancels");
    } else if (outcome.Retryable()) {
      out_->WakeWall(call_backoff_.Next(random_, outcome.retry_after), RiderTimer::kCancel, 0);
    } else {
      out_->Count(outcome.reason == "RIDE_ENDED" ? "rider_cancels_too_late" : "refused_commands");
    }
  } else if (std::holds_alternative<rpb::ListProductsRequest>(call)) {
    if (outcome.ok()) out_->Count("product_lists");
  } else if (std::holds_alternative<rpb::ListNearbyCarsRequest>(call)) {
    if (outcome.ok()) out_->Count("nearby_car_lists");
  } else if (std::holds_alternative<rpb::GetActiveRideRequest>(call)) {
    if (outcome.ok()) out_->Count("active_ride_reads");
  } else if (std::holds_alternative<rpb::ListRidesRequest>(call)) {
    if (!outcome.ok()) return;
    out_->Count("ride_lists");
    const rpb::ListRidesResponse& rides = std::get<rpb::ListRidesResponse>(reply);
    const bool found = std::any_of(rides.rides().begin(), rides.rides().end(),
                                   [&](const tpb::Ride& ride) { return ride.ride_id() == ride_id_; });
    if (!found) out_->Count("rides_missing_from_lists");
  }
}

void RiderAgent::Acknowledged(const Now& now, const tpb::Ride& ride) {
  if (!ride_id_.empty()) {
    out_->Count(ride.ride_id() == ride_id_ ? "repeated_requests" : "request_conflicts");
    return;
  }
  ride_id_ = ride.ride_id();
  call_backoff_.Reset();
  Learn(now, ride);
  Open(now);
  if (repeats_request_) Request(now);
  if (called_off_) Cancel();
  if (random_.Chance(odds_.rider_cancel)) {
    // Spread over matching, the way to the pickup and the trip, so that each kind of cancellation occurs.
    const absl::Duration likely = absl::Seconds(240) + DriveTime(DistanceM(trip_.pickup, trip_.dropoff)) * 0.5;
    out_->Wake(likely * random_.Unit(), RiderTimer::kCancel, 0);
  }
  if (random_.Chance(odds_.disconnect)) {
    const absl::Duration likely = absl::Seconds(240) + DriveTime(DistanceM(trip_.pickup, trip_.dropoff));
    out_->Wake(likely * random_.Unit(), RiderTimer::kDrop, 0);
  }
}

void RiderAgent::Refused(const Outcome& outcome) {
  refusal_ = outcome;
  done_ = true;
  out_->Count("rejected " + outcome.Name());
}

void RiderAgent::Open(const Now& now) {
  rpb::WatchRideRequest open;
  open.set_rider_id(rider_id_);
  open.set_ride_id(ride_id_);
  if (cursor_) open.set_after_sequence(*cursor_);
  draining_.reset();
  connected_ = true;
  last_heard_ = now.wall;
  out_->Open(open, bidirectional_);
  out_->WakeWall(kHeartbeat, RiderTimer::kWatchdog, ++stream_);
}

void RiderAgent::Learn(const Now& now, const tpb::Ride& ride) {
  if (ride.sequence() < ride_.sequence()) return;
  const bool changed = ride.state() != ride_.state();
  ride_ = ride;
  last_news_ = now.wall;
  if (script_ == nullptr || !changed) return;
  if (const auto after = CancelsAfter(*script_, ride_.state())) out_->Wake(*after, RiderTimer::kScript, 0);
}

void RiderAgent::OnUpdate(const Now& now, const rpb::WatchRideResponse& message) {
  last_heard_ = now.wall;
  switch (message.message_case()) {
    case rpb::WatchRideResponse::kSnapshot:
      stream_backoff_.Reset();
      cursor_ = message.snapshot().sequence();
      Learn(now, message.snapshot());
      break;
    case rpb::WatchRideResponse::kEvent:
      stream_backoff_.Reset();
      cursor_ = std::max(cursor_.value_or(0), message.event().sequence());
      Learn(now, message.event().ride());
      break;
    case rpb::WatchRideResponse::kStartOver:
      cursor_.reset();
      break;
    case rpb::WatchRideResponse::kDraining:
      draining_ = DecodeDuration(message.draining().retry_after());
      break;
    default:
      break;
  }
}

void RiderAgent::OnCommandResult(const Now& now, const rpb::CommandResult& result, const Outcome& outcome) {
  last_heard_ = now.wall;
  canceling_ = false;
  if (outcome.ok()) {
    out_->Count("rider_cancels");
  } else if (outcome.Retryable()) {
    out_->WakeWall(call_backoff_.Next(random_, outcome.retry_after), RiderTimer::kCancel, 0);
  } else {
    out_->Count(outcome.reason == "RIDE_ENDED" ? "rider_cancels_too_late" : "refused_commands");
  }
  if (result.has_ride()) last_news_ = now.wall;
}

void RiderAgent::OnStreamEnd(const Now&, const Outcome& outcome) {
  connected_ = false;
  if (done_) return;
  if (IsFinal(ride_.state()) && cursor_ == ride_.sequence()) {
    done_ = true;
    if (!outcome.ok()) out_->Count("streams_ended_badly");
    if (random_.Chance(kListsRides)) {
      rpb::ListRidesRequest call;
      call.set_rider_id(rider_id_);
      out_->Call(call);
    }
    return;
  }
  if (outcome.reason == "RIDE_NOT_FOUND") {
    // An acknowledged ride that does not exist any more; the final check counts it as lost.
    out_->Count("rides_not_found");
    done_ = true;
    return;
  }
  // A command that was in flight is repeated by its unary twin.
  if (canceling_) {
    canceling_ = false;
    out_->WakeWall(call_backoff_.Next(random_), RiderTimer::kCancel, 0);
  }
  if (draining_) out_->Count("drained_streams");
  Reconnect(draining_.value_or(stream_backoff_.Next(random_, outcome.retry_after)));
}

void RiderAgent::Reconnect(absl::Duration wall) {
  out_->Count("rider_reconnects");
  out_->WakeWall(wall, RiderTimer::kReconnect, stream_);
}

void RiderAgent::Cancel() {
  if (done_ || IsFinal(ride_.state())) return;
  rpb::CancelRideRequest cancel;
  cancel.set_reason(random_.Chance(0.5) ? tpb::CANCEL_REASON_CHANGED_PLANS : tpb::CANCEL_REASON_WAIT_TOO_LONG);
  if (bidirectional_ && connected_) {
    rpb::StreamRideRequest message;
    message.set_command_id("cancel-" + request_id_.substr(0, 100));
    *message.mutable_cancel_ride() = cancel;
    canceling_ = true;
    out_->Send(message);
    return;
  }
  cancel.set_rider_id(rider_id_);
  cancel.set_ride_id(ride_id_);
  out_->Call(cancel);
}

void RiderAgent::CallOff() {
  called_off_ = true;
  if (!asked_) done_ = true;
  if (!ride_id_.empty()) Cancel();
}

void RiderAgent::OnTimer(const Now& now, RiderTimer timer, std::uint64_t token) {
  switch (timer) {
    case RiderTimer::kRequest:
      if (ride_id_.empty() && !done_) Request(now);
      break;
    case RiderTimer::kQuote:
      if (!asked_ && !done_) Quote();
      break;
    case RiderTimer::kCancel:
      Cancel();
      break;
    case RiderTimer::kScript:
      if (ride_.state() == script_->cancels_in) Cancel();
      break;
    case RiderTimer::kDrop:
      if (!connected_ || done_ || IsFinal(ride_.state())) break;
      connected_ = false;
      out_->Count("rider_drops");
      out_->Drop();
      if (canceling_) {
        canceling_ = false;
        out_->WakeWall(call_backoff_.Next(random_), RiderTimer::kCancel, 0);
      }
      if (random_.Chance(kAsksForActiveRide)) {
        rpb::GetActiveRideRequest call;
        call.set_rider_id(rider_id_);
        out_->Call(call);
      }
      out_->Wake(absl::Seconds(random_.Between(1, 30)), RiderTimer::kReconnect, stream_);
      break;
    case RiderTimer::kReconnect:
      if (!connected_ && !done_ && token == stream_) Open(now);
      break;
    case RiderTimer::kWatchdog:
      if (!connected_ || done_ || token != stream_) break;
      if (now.wall - last_heard_ > kSilence) {
        out_->Count("silent_streams");
        connected_ = false;
        out_->Drop();
        Reconnect(stream_backoff_.Next(random_));
        break;
      }
      if (bidirectional_) {
        rpb::StreamRideRequest message;
        message.mutable_heartbeat();
        out_->Send(message);
      }
      out_->WakeWall(kHeartbeat, RiderTimer::kWatchdog, stream_);
      break;
  }
}

}  // namespace hail::sim
