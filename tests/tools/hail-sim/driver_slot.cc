#include "tests/tools/hail-sim/driver_slot.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "tests/tools/hail-sim/entries.h"
#include "tests/tools/hail-sim/outcome_of.h"

namespace hail::sim {

namespace dpb = hail::driver::v1;
namespace tpb = hail::type::v1;

DriverSlot::DriverSlot(PhoneContext* context, dpb::DriverService::Stub* stub, dpb::Driver profile,
                       const LatLng& position, const Odds& odds, const World* world, std::uint64_t seed,
                       ScriptBook* scripts)
    : context_(context),
      stub_(stub),
      scripts_(scripts),
      agent_(std::move(profile), position, odds, world, seed, this,
             scripts == nullptr ? Decisions::kDrawn : Decisions::kScripted),
      audit_(context->report.violations) {}

void DriverSlot::Begin() { agent_.Begin(context_->clock.Read()); }

void DriverSlot::GoOffline() { agent_.GoOffline(context_->clock.Read()); }

void DriverSlot::FindScript(const std::string& ride_id) {
  scripts_->Find(ride_id, [this, ride_id](const RideScript& script, int declines) {
    agent_.OnScript(context_->clock.Read(), ride_id, script, declines);
  });
}

void DriverSlot::Acts(const std::string& ride_id, const RideScript& script, DriverPhase phase, DriverAct act) {
  scripts_->Acts(agent_.driver_id(), ride_id, script, phase, act);
}

void DriverSlot::Write(absl::Time wall, const char* kind, nlohmann::json fields) {
  context_->ledger->Write(Ledger::kDrivers, wall, agent_.driver_id(), kind, std::move(fields));
}

template <class Request, class Response>
void DriverSlot::StartCall(const Request& request,
                           void (Async::*method)(grpc::ClientContext*, const Request*, Response*,
                                                 std::function<void(grpc::Status)>),
                           std::function<void(absl::Time, const Outcome&, const Response&)> done) {
  StartUnary<Request, Response>(
      [this, method](grpc::ClientContext* context, const Request* message, Response* response,
                     std::function<void(grpc::Status)> finished) {
        // Drivers are registered by the operator's backend.
        Async* const stub = std::is_same_v<Request, dpb::RegisterDriverRequest> ? ForServer(context) : For(context);
        (stub->*method)(context, message, response, std::move(finished));
      },
      request, std::is_same_v<Request, dpb::RespondToOfferRequest> ? kAnswerDeadline : kCallDeadline,
      [this, done = std::move(done)](absl::Time wall, const grpc::Status& status, const Response& response) {
        context_->inbox.Post([wall, done, outcome = OutcomeOf(status), response] { done(wall, outcome, response); });
      },
      &context_->in_flight);
}

void DriverSlot::Call(const DriverCall& call) {
  const auto reply = [this, call](absl::Time, const Outcome& outcome, const auto& response) {
    agent_.OnReply(context_->clock.Read(), call, outcome, response);
  };
  if (const auto* enroll = std::get_if<dpb::RegisterDriverRequest>(&call)) {
    StartCall<dpb::RegisterDriverRequest, dpb::RegisterDriverResponse>(*enroll, &Async::RegisterDriver, reply);
  } else if (const auto* read = std::get_if<dpb::GetDriverRequest>(&call)) {
    StartCall<dpb::GetDriverRequest, dpb::GetDriverResponse>(*read, &Async::GetDriver, reply);
  } else if (const auto* state = std::get_if<dpb::GetDriverStateRequest>(&call)) {
    StartCall<dpb::GetDriverStateRequest, dpb::GetDriverStateResponse>(*state, &Async::GetDriverState, reply);
  } else if (const auto* trips = std::get_if<dpb::ListTripsRequest>(&call)) {
    StartCall<dpb::ListTripsRequest, dpb::ListTripsResponse>(*trips, &Async::ListTrips, reply);
  }
}

void DriverSlot::Twin(const dpb::StreamDriverRequest& command) {
  const std::string id = command.command_id();
  if (!id.empty()) {
    nlohmann::json fields = Entry(command);
    fields["unary"] = true;
    Write(context_->clock.Read().wall, "command", std::move(fields));
  }
  if (command.has_set_availability()) {
    StartCall<dpb::SetAvailabilityRequest, dpb::SetAvailabilityResponse>(
        command.set_availability(), &Async::SetAvailability,
        [this, id](absl::Time wall, const Outcome& outcome, const dpb::SetAvailabilityResponse&) {
          Answered(wall, {id, outcome});
        });
  } else if (command.has_respond_to_offer()) {
    StartCall<dpb::RespondToOfferRequest, dpb::RespondToOfferResponse>(
        command.respond_to_offer(), &Async::RespondToOffer,
        [this, id](absl::Time wall, const Outcome& outcome, const dpb::RespondToOfferResponse& response) {
          CommandAnswer answer{id, outcome};
          if (outcome.ok() && response.state().has_ride()) answer.ride = response.state().ride();
          Answered(wall, answer);
        });
  } else if (command.has_advance_trip()) {
    StartCall<dpb::AdvanceTripRequest, dpb::AdvanceTripResponse>(
        command.advance_trip(), &Async::AdvanceTrip,
        [this, id](absl::Time wall, const Outcome& outcome, const dpb::AdvanceTripResponse& response) {
          CommandAnswer answer{id, outcome};
          if (outcome.ok() && response.has_ride()) answer.ride = response.ride();
          Answered(wall, answer);
        });
  } else if (command.has_location()) {
    StartCall<dpb::UpdateLocationRequest, dpb::UpdateLocationResponse>(
        command.location(), &Async::UpdateLocation,
        [this](absl::Time, const Outcome& outcome, const dpb::UpdateLocationResponse&) {
          if (!outcome.ok()) Count("unary_pings_refused " + outcome.Name());
        });
  } else if (command.has_offer_received()) {
    dpb::AcknowledgeOfferRequest request;
    request.set_driver_id(agent_.driver_id());
    request.set_offer_id(command.offer_received().offer_id());
    StartCall<dpb::AcknowledgeOfferRequest, dpb::AcknowledgeOfferResponse>(
        request, &Async::AcknowledgeOffer,
        [this](absl::Time, const Outcome& outcome, const dpb::AcknowledgeOfferResponse&) {
          Count(outcome.ok() ? "unary_acknowledgements" : "unary_acknowledgements_refused " + outcome.Name());
        });
  }
}

void DriverSlot::Answered(absl::Time wall, const CommandAnswer& answer) {
  nlohmann::json fields = Entry(answer.outcome);
  fields["command_id"] = answer.command_id;
  if (answer.ride) fields["ride"] = Entry(*answer.ride);
  Write(wall, "result", std::move(fields));
  agent_.OnResult(context_->clock.Read(), answer);
}

void DriverSlot::Open(const dpb::OpenSession& open, bool handover) {
  if (present_ && handover) {
    handed_over_[stream_] = present_;
  } else if (present_) {
    present_->Cancel();
  }
  const std::uint64_t stream = ++stream_;
  nlohmann::json fields = {{"handover", handover}};
  if (open.has_cursor()) {
    fields["cursor"] = {{"ride_id", open.cursor().ride_id()}, {"sequence", open.cursor().sequence()}};
  }
  Write(context_->clock.Read().wall, "connect", std::move(fields));
  Count("driver_streams");
  StreamEvents<dpb::StreamDriverResponse> events = {
      [this, stream](absl::Time wall, dpb::StreamDriverResponse message) {
        context_->inbox.Post([this, wall, stream, message = std::move(message)] { Received(wall, stream, message); });
      },
      [this, stream](absl::Time wall, const grpc::Status& status) {
        context_->inbox.Post([this, wall, stream, outcome = OutcomeOf(status)] { Ended(wall, stream, outcome); });
      }};
  if (agent_.watches()) {
    present_ = ReadCall<dpb::WatchDriverRequest, dpb::StreamDriverResponse>::Start(
        [this](grpc::ClientContext* context, const dpb::WatchDriverRequest* request,
               grpc::ClientReadReactor<dpb::StreamDriverResponse>* reactor) {
          For(context)->WatchDriver(context, request, reactor);
        },
        WatchOf(open), std::move(events), &context_->in_flight);
    return;
  }
  dpb::StreamDriverRequest first;
  *first.mutable_open() = open;
  present_ = sending_ = Stream::Start(
      [this](grpc::ClientContext* context,
             grpc::ClientBidiReactor<dpb::StreamDriverRequest, dpb::StreamDriverResponse>* reactor) {
        For(context)->StreamDriver(context, reactor);
      },
      std::move(first), std::move(events), &context_->in_flight);
}

void DriverSlot::Send(const dpb::StreamDriverRequest& message) {
  if (!sending_) return;
  if (!message.command_id().empty()) Write(context_->clock.Read().wall, "command", Entry(message));
  if (message.has_location()) Count("pings");
  sending_->Send(message);
}

void DriverSlot::Drop() {
  ++stream_;
  if (present_) present_->Cancel();
  present_.reset();
  sending_.reset();
  Write(context_->clock.Read().wall, "disconnect", {{"by", "client"}});
}

void DriverSlot::HangUp() {
  ++stream_;
  if (present_) present_->Cancel();
  present_.reset();
  sending_.reset();
  for (auto& [stream, call] : handed_over_) call->Cancel();
  handed_over_.clear();
}

void DriverSlot::Offered(absl::Time wall, const dpb::Offer& offer) {
  context_->last_news = std::max(context_->last_news, wall);
  if (context_->offers.insert(offer.offer_id()).second) ++context_->report.offers;
  context_->first_offers.try_emplace(offer.ride_id(), wall);
}

void DriverSlot::Received(absl::Time wall, std::uint64_t stream, const dpb::StreamDriverResponse& message) {
  if (stream != stream_) {
    if (message.has_replaced() && handed_over_.contains(stream)) {
      Count("replaced");
      Write(wall, "replaced", nlohmann::json::object());
    }
    return;
  }
  using Message = dpb::StreamDriverResponse;
  switch (message.message_case()) {
    case Message::kSnapshot:
      Write(wall, "snapshot", Entry(message.snapshot()));
      if (message.snapshot().has_ride()) context_->assignments.OnRide(message.snapshot().ride(), agent_.driver_id());
      if (message.snapshot().has_offer()) Offered(wall, message.snapshot().offer());
      break;
    case Message::kEvent:
      Write(wall, "event", Entry(message.event()));
      context_->last_news = std::max(context_->last_news, wall);
      if (!EndsAssignment(message.event().type())) {
        context_->assignments.OnRide(message.event().ride(), agent_.driver_id());
      }
      break;
    case Message::kOffer:
      Write(wall, "offer", Entry(message.offer()));
      Offered(wall, message.offer());
      break;
    case Message::kOfferUpdate:
      Write(wall, "offer_update", Entry(message.offer_update()));
      if (message.offer_update().status() == dpb::OFFER_STATUS_EXPIRED &&
          context_->expired.insert(message.offer_update().offer_id()).second) {
        ++context_->report.expired;
      }
      if (message.offer_update().status() == dpb::OFFER_STATUS_REVOKED) {
        Count("revoked " + dpb::OfferRevokeReason_Name(message.offer_update().reason()).substr(20));
      }
      break;
    case Message::kCommandResult: {
      CommandAnswer answer{message.command_result().command_id(), OutcomeOf(message.command_result().status())};
      if (message.command_result().state().has_ride()) answer.ride = message.command_result().state().ride();
      Answered(wall, answer);
      return;
    }
    case Message::kLocationResult:
      Count("positions_left_out");
      break;
    case Message::kCaughtUp:
      Write(wall, "caught_up", {{"sequence", message.caught_up().sequence()}});
      break;
    case Message::kStartOver:
      Write(wall, "reset", nlohmann::json::object());
      Count("resets");
      break;
    case Message::kDraining:
      Write(wall, "draining", nlohmann::json::object());
      break;
    case Message::kReplaced:
      Write(wall, "replaced", nlohmann::json::object());
      break;
    default:
      break;
  }
  audit_.Receive(message);
  agent_.OnMessage(context_->clock.Read(), message);
}

void DriverSlot::Ended(absl::Time wall, std::uint64_t stream, const Outcome& outcome) {
  handed_over_.erase(stream);
  if (stream != stream_) return;
  present_.reset();
  sending_.reset();
  nlohmann::json fields = Entry(outcome);
  fields["by"] = "server";
  Write(wall, "disconnect", std::move(fields));
  agent_.OnStreamEnd(context_->clock.Read(), outcome);
}

void DriverSlot::Wake(absl::Duration domain, DriverTimer timer, std::uint64_t token) {
  WakeWall(context_->clock.scale().ToWall(domain), timer, token);
}

void DriverSlot::WakeWall(absl::Duration wall, DriverTimer timer, std::uint64_t token) {
  context_->at(context_->clock.Read().wall + wall,
               [this, timer, token] { agent_.OnTimer(context_->clock.Read(), timer, token); });
}

void DriverSlot::Count(const std::string& what) { ++context_->report.counts[what]; }

}  // namespace hail::sim
