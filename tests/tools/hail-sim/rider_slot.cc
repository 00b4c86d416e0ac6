#include "tests/tools/hail-sim/rider_slot.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/proto/time.h"
#include "tests/tools/hail-sim/entries.h"
#include "tests/tools/hail-sim/outcome_of.h"

namespace hail::sim {

namespace rpb = hail::rider::v1;
namespace tpb = hail::type::v1;

namespace {

// Between two reads of a ride if the first one failed (wall).
constexpr absl::Duration kCheckAgain = absl::Milliseconds(300);

// The ride's timestamp must lie between the call and its answer, on the clock that services and simulator share.
absl::Status CheckClock(const TimeScale& scale, absl::Time sent, const Now& now, absl::Time created) {
  const absl::Duration slack = absl::Seconds(2) + scale.ToDomain(absl::Seconds(2));
  if (created >= scale.ToDomain(sent) - slack && created <= now.domain + slack) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "the services' clock reads ", absl::FormatTime(created, absl::UTCTimeZone()), " where this one reads ",
      absl::FormatTime(now.domain, absl::UTCTimeZone()),
      ": start rider-service, driver-service and hail-sim with the same scale and anchor (--set time_scale=X --set "
      "time_anchor=WALL:DOMAIN; --speed X --anchor WALL:DOMAIN)"));
}

}  // namespace

RiderSlot::RiderSlot(PhoneContext* context, rpb::RiderService::Stub* stub, std::string rider_id, std::string request_id,
                     const Trip& trip, std::string product_id, const Odds& odds, std::uint64_t seed,
                     const RiderScript* script)
    : context_(context),
      stub_(stub),
      agent_(std::move(rider_id), std::move(request_id), trip, std::move(product_id), odds, seed, this, script),
      audit_(context->report.violations) {}

void RiderSlot::Begin() { agent_.Begin(context_->clock.Read()); }

void RiderSlot::Write(absl::Time wall, const char* kind, nlohmann::json fields) {
  fields["request_id"] = agent_.request_id();
  if (!fields.contains("ride_id") && !agent_.ride_id().empty()) fields["ride_id"] = agent_.ride_id();
  context_->ledger->Write(Ledger::kRiders, wall, agent_.rider_id(), kind, std::move(fields));
}

template <class Request, class Response>
void RiderSlot::StartCall(const Request& request,
                          void (rpb::RiderService::StubInterface::async_interface::*method)(
                              grpc::ClientContext*, const Request*, Response*, std::function<void(grpc::Status)>)) {
  const absl::Time sent = context_->clock.Read().wall;
  StartUnary<Request, Response>(
      [this, method](grpc::ClientContext* context, const Request* message, Response* response,
                     std::function<void(grpc::Status)> done) {
        (For(context)->*method)(context, message, response, std::move(done));
      },
      request, kCallDeadline,
      [this, sent, request](absl::Time wall, const grpc::Status& status, const Response& response) {
        context_->inbox.Post([this, wall, sent, request, outcome = OutcomeOf(status), response] {
          Replied(wall, sent, request, outcome, response);
        });
      },
      &context_->in_flight);
}

void RiderSlot::Call(const RiderCall& call) {
  using Async = rpb::RiderService::StubInterface::async_interface;
  struct Start {
    RiderSlot* slot;
    void operator()(const rpb::ListProductsRequest& request) const { slot->StartCall(request, &Async::ListProducts); }
    void operator()(const rpb::QuoteRideRequest& request) const { slot->StartCall(request, &Async::QuoteRide); }
    void operator()(const rpb::RequestRideRequest& request) const { slot->StartCall(request, &Async::RequestRide); }
    void operator()(const rpb::GetRideRequest& request) const { slot->StartCall(request, &Async::GetRide); }
    void operator()(const rpb::GetActiveRideRequest& request) const { slot->StartCall(request, &Async::GetActiveRide); }
    void operator()(const rpb::ListRidesRequest& request) const { slot->StartCall(request, &Async::ListRides); }
    void operator()(const rpb::CancelRideRequest& request) const { slot->StartCall(request, &Async::CancelRide); }
    void operator()(const rpb::ListNearbyCarsRequest& request) const {
      slot->StartCall(request, &Async::ListNearbyCars);
    }
  };
  const absl::Time now = context_->clock.Read().wall;
  if (std::holds_alternative<rpb::RequestRideRequest>(call)) Write(now, "request", {{"attempt", ++requests_}});
  if (std::holds_alternative<rpb::CancelRideRequest>(call))
    Write(now, "command", {{"action", "cancel"}, {"unary", true}});
  std::visit(Start{this}, call);
}

void RiderSlot::Replied(absl::Time wall, absl::Time sent, const RiderCall& call, const Outcome& outcome,
                        const RiderReply& reply) {
  const Now now = context_->clock.Read();
  if (std::holds_alternative<rpb::RequestRideRequest>(call)) {
    if (outcome.ok()) {
      const tpb::Ride& ride = std::get<rpb::RequestRideResponse>(reply).ride();
      Write(wall, "acknowledged", Entry(ride));
      if (!acknowledged_) {
        acknowledged_ = wall;
        context_->last_news = now.wall;
        if (requests_ == 1) {
          context_->clock_error.Update(CheckClock(context_->clock.scale(), sent, now, DecodeTime(ride.create_time())));
        }
      }
      Saw(wall, ride);
    } else {
      Write(wall, "refused", Entry(outcome));
    }
  } else if (std::holds_alternative<rpb::CancelRideRequest>(call)) {
    nlohmann::json fields = Entry(outcome);
    if (outcome.ok()) fields["ride"] = Entry(std::get<rpb::CancelRideResponse>(reply).ride());
    Write(wall, "result", std::move(fields));
  } else if (std::holds_alternative<rpb::GetActiveRideRequest>(call) && outcome.ok()) {
    const rpb::GetActiveRideResponse& active = std::get<rpb::GetActiveRideResponse>(reply);
    if (active.has_ride()) Write(wall, "active", Entry(active.ride()));
  }
  agent_.OnReply(now, call, outcome, reply);
}

void RiderSlot::Open(const rpb::WatchRideRequest& open, bool bidirectional) {
  if (handle_) handle_->Cancel();
  bidirectional_.reset();
  const std::uint64_t stream = ++stream_;
  const auto cursor = open.has_after_sequence() ? std::optional(open.after_sequence()) : std::nullopt;
  audit_.Opened(cursor);
  nlohmann::json fields = {{"stream", bidirectional ? "StreamRide" : "WatchRide"}};
  if (cursor) fields["after_sequence"] = *cursor;
  Write(context_->clock.Read().wall, "connect", std::move(fields));
  Count(bidirectional ? "ride_streams" : "ride_watches");
  const auto ended = [this, stream](absl::Time wall, const grpc::Status& status) {
    context_->inbox.Post([this, wall, stream, outcome = OutcomeOf(status)] { Ended(wall, stream, outcome); });
  };
  if (bidirectional) {
    rpb::StreamRideRequest first;
    *first.mutable_open() = open;
    bidirectional_ = Stream::Start(
        [this](grpc::ClientContext* context,
               grpc::ClientBidiReactor<rpb::StreamRideRequest, rpb::StreamRideResponse>* reactor) {
          For(context)->StreamRide(context, reactor);
        },
        std::move(first),
        {[this, stream](absl::Time wall, rpb::StreamRideResponse message) {
           context_->inbox.Post([this, wall, stream, message = std::move(message)] {
             if (message.has_update()) Received(wall, stream, message.update());
             if (message.has_command_result()) Received(wall, stream, message.command_result());
           });
         },
         ended},
        &context_->in_flight);
    handle_ = bidirectional_;
    return;
  }
  using Watch = ReadCall<rpb::WatchRideRequest, rpb::WatchRideResponse>;
  handle_ = Watch::Start(
      [this](grpc::ClientContext* context, const rpb::WatchRideRequest* request,
             grpc::ClientReadReactor<rpb::WatchRideResponse>* reactor) {
        For(context)->WatchRide(context, request, reactor);
      },
      open,
      {[this, stream](absl::Time wall, rpb::WatchRideResponse message) {
         context_->inbox.Post([this, wall, stream, message = std::move(message)] { Received(wall, stream, message); });
       },
       ended},
      &context_->in_flight);
}

void RiderSlot::Send(const rpb::StreamRideRequest& message) {
  if (!bidirectional_) return;
  if (message.has_cancel_ride()) {
    Write(context_->clock.Read().wall, "command", {{"action", "cancel"}, {"command_id", message.command_id()}});
  }
  bidirectional_->Send(message);
}

void RiderSlot::Drop() {
  ++stream_;
  bidirectional_.reset();
  if (handle_) handle_->Cancel();
  handle_.reset();
  Write(context_->clock.Read().wall, "disconnect", {{"by", "client"}});
}

void RiderSlot::HangUp() {
  ++stream_;
  bidirectional_.reset();
  if (handle_) handle_->Cancel();
  handle_.reset();
}

void RiderSlot::Received(absl::Time wall, std::uint64_t stream, const rpb::WatchRideResponse& message) {
  if (stream != stream_) return;
  using Message = rpb::WatchRideResponse;
  switch (message.message_case()) {
    case Message::kSnapshot:
      Write(wall, "snapshot", Entry(message.snapshot()));
      Saw(wall, message.snapshot());
      break;
    case Message::kEvent:
      Write(wall, "event", Entry(message.event()));
      if (message.event().type() == tpb::RIDE_EVENT_TYPE_REDISPATCHED) ++context_->report.redispatched;
      Saw(wall, message.event().ride());
      break;
    case Message::kCaughtUp:
      Write(wall, "caught_up", {{"sequence", message.caught_up().sequence()}});
      Count("resumes_caught_up");
      break;
    case Message::kStartOver:
      Write(wall, "reset", nlohmann::json::object());
      Count("resets");
      break;
    case Message::kDraining:
      Write(wall, "draining", nlohmann::json::object());
      break;
    case Message::kTelemetry:
      Count(message.telemetry().has_missing_since() ? "telemetry_missing" : "telemetry");
      break;
    default:
      break;
  }
  audit_.Receive(message);
  agent_.OnUpdate(context_->clock.Read(), message);
}

void RiderSlot::Received(absl::Time wall, std::uint64_t stream, const rpb::CommandResult& result) {
  if (stream != stream_) return;
  const Outcome outcome = OutcomeOf(result.status());
  nlohmann::json fields = Entry(outcome);
  fields["command_id"] = result.command_id();
  if (result.has_ride()) fields["ride"] = Entry(result.ride());
  Write(wall, "result", std::move(fields));
  agent_.OnCommandResult(context_->clock.Read(), result, outcome);
}

void RiderSlot::Ended(absl::Time wall, std::uint64_t stream, const Outcome& outcome) {
  if (stream != stream_) return;
  handle_.reset();
  bidirectional_.reset();
  nlohmann::json fields = Entry(outcome);
  fields["by"] = "server";
  Write(wall, "disconnect", std::move(fields));
  agent_.OnStreamEnd(context_->clock.Read(), outcome);
}

void RiderSlot::Saw(absl::Time wall, const tpb::Ride& ride) {
  context_->last_news = std::max(context_->last_news, wall);
  context_->assignments.OnRide(ride);
  if (!HasDriver(ride.state())) return;
  if (!assigned_ && acknowledged_) {
    assigned_ = true;
    context_->report.match_latency_ms.Add(absl::ToDoubleMilliseconds(wall - *acknowledged_));
    const auto offer = context_->first_offers.find(ride.ride_id());
    if (offer != context_->first_offers.end()) {
      context_->report.offer_latency_ms.Add(absl::ToDoubleMilliseconds(offer->second - *acknowledged_));
    }
  }
  if (!arrived_ && ride.state() != tpb::RIDE_STATE_ENROUTE_TO_PICKUP) {
    arrived_ = true;
    context_->report.pickup_wait_s.Add(
        absl::ToDoubleSeconds(context_->clock.scale().ToDomain(wall) - agent_.request_time()));
  }
}

void RiderSlot::Check(absl::Time deadline, std::function<void()> done) {
  rpb::GetRideRequest request;
  request.set_rider_id(agent_.rider_id());
  request.set_ride_id(agent_.ride_id());
  StartUnary<rpb::GetRideRequest, rpb::GetRideResponse>(
      [this](grpc::ClientContext* context, const rpb::GetRideRequest* message, rpb::GetRideResponse* response,
             std::function<void(grpc::Status)> finished) {
        For(context)->GetRide(context, message, response, std::move(finished));
      },
      std::move(request), kCallDeadline,
      [this, deadline, done = std::move(done)](absl::Time wall, const grpc::Status& status,
                                               const rpb::GetRideResponse& response) {
        context_->inbox.Post([this, wall, deadline, done, outcome = OutcomeOf(status), response] {
          if (outcome.Retryable() && wall + kCheckAgain < deadline) {
            context_->at(wall + kCheckAgain, [this, deadline, done] { Check(deadline, done); });
            return;
          }
          if (outcome.ok()) checked_ = response.ride();
          not_found_ = outcome.reason == "RIDE_NOT_FOUND";
          Write(wall, "checked", outcome.ok() ? Entry(response.ride()) : Entry(outcome));
          done();
        });
      },
      &context_->in_flight);
}

void RiderSlot::Settle() {
  if (checked_ && agent_.done()) audit_.Settle(checked_->sequence());
}

void RiderSlot::Wake(absl::Duration domain, RiderTimer timer, std::uint64_t token) {
  WakeWall(context_->clock.scale().ToWall(domain), timer, token);
}

void RiderSlot::WakeWall(absl::Duration wall, RiderTimer timer, std::uint64_t token) {
  context_->at(context_->clock.Read().wall + wall,
               [this, timer, token] { agent_.OnTimer(context_->clock.Read(), timer, token); });
}

void RiderSlot::Count(const std::string& what) { ++context_->report.counts[what]; }

}  // namespace hail::sim
