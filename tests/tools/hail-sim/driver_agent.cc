#include "tests/tools/hail-sim/driver_agent.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/proto/time.h"
#include "tests/tools/hail-sim/audit.h"

namespace hail::sim {

namespace dpb = hail::driver::v1;
namespace tpb = hail::type::v1;

namespace {

// The contract's: a heartbeat every 5 s unless another message was sent; after 12 s of silence the peer is gone (wall
// time).
constexpr absl::Duration kHeartbeat = absl::Seconds(5);
constexpr absl::Duration kSilence = absl::Seconds(12);
// A command without an answer on the stream for this long is sent again under its id (wall time).
constexpr absl::Duration kAnswerDue = absl::Seconds(10);

// Domain time.
constexpr absl::Duration kPing = absl::Seconds(4);
// The median time in which a person answers an offer.
constexpr double kDecideMedianS = 3.0;
constexpr double kDecideMaxS = 11.0;

constexpr double kHandover = 0.3;
constexpr double kReadsState = 0.2;
constexpr double kReadsProfile = 0.1;
constexpr double kListsTrips = 0.02;
constexpr double kTwinPing = 0.01;
constexpr double kPingOfTwo = 0.03;
constexpr double kWanders = 0.5;
constexpr double kWanderRangeM = 4'000;

// Of scripted drivers, domain time: from the arrival to the next step; the same for a driver who waits for the rider.
constexpr absl::Duration kBoarding = absl::Seconds(10);
constexpr absl::Duration kLongBoarding = absl::Minutes(1);
// The share of the way to the pickup after which they give a ride up.
constexpr double kGiveUpAfter = 0.5;

LatLng Place(const tpb::Place& place) { return {place.position().latitude_deg(), place.position().longitude_deg()}; }

}  // namespace

dpb::WatchDriverRequest WatchOf(const dpb::OpenSession& open) {
  dpb::WatchDriverRequest request;
  request.set_driver_id(open.driver_id());
  if (open.has_cursor()) *request.mutable_cursor() = open.cursor();
  request.set_incarnation_id(open.incarnation_id());
  request.set_opening(open.opening());
  return request;
}

DriverAgent::DriverAgent(dpb::Driver profile, const LatLng& position, const Odds& odds, const World* world,
                         std::uint64_t seed, DriverOut* out, Decisions decisions)
    : profile_(std::move(profile)),
      odds_(odds),
      world_(world),
      random_(seed, "driver " + profile_.display_name()),
      watches_(Random(seed, "watches " + profile_.display_name()).Chance(odds.driver_watch)),
      out_(out),
      decisions_(decisions),
      motion_(position) {}

void DriverAgent::Begin(const Now&) { Register(); }

void DriverAgent::Register() {
  dpb::RegisterDriverRequest call;
  *call.mutable_driver() = profile_;
  out_->Call(call);
}

void DriverAgent::OnReply(const Now& now, const DriverCall& call, const Outcome& outcome, const DriverReply& reply) {
  if (std::holds_alternative<dpb::RegisterDriverRequest>(call)) {
    if (registered_) return;
    if (outcome.ok()) {
      registered_ = true;
      call_backoff_.Reset();
      if (random_.Chance(kReadsProfile)) {
        dpb::GetDriverRequest read;
        read.set_driver_id(driver_id());
        out_->Call(read);
      }
      Open(now, false);
      // Draw the phase, because phones do not ping in step.
      out_->Wake(kPing * random_.Unit(), DriverTimer::kPing, 0);
      out_->Wake(absl::Seconds(random_.Between(60, 300)), DriverTimer::kWander, 0);
    } else if (outcome.Retryable()) {
      out_->WakeWall(call_backoff_.Next(random_, outcome.retry_after), DriverTimer::kRegister, 0);
    } else {
      out_->Count("drivers refused " + outcome.Name());
    }
  } else if (std::holds_alternative<dpb::GetDriverStateRequest>(call)) {
    if (outcome.ok()) out_->Count("driver_state_reads");
  } else if (std::holds_alternative<dpb::GetDriverRequest>(call)) {
    if (outcome.ok()) out_->Count("driver_reads");
  } else if (std::holds_alternative<dpb::ListTripsRequest>(call)) {
    if (outcome.ok() && std::get<dpb::ListTripsResponse>(reply).trips_size() > 0) out_->Count("trip_lists");
  }
}

void DriverAgent::Open(const Now& now, bool handover) {
  dpb::OpenSession open;
  open.set_driver_id(driver_id());
  if (!cursor_.ride_id().empty()) *open.mutable_cursor() = cursor_;
  // One run of the simulator counts as one run of each driver's app.
  if (incarnation_id_.empty()) incarnation_id_ = absl::StrCat(driver_id(), "-", absl::ToUnixMicros(now.wall));
  open.set_incarnation_id(incarnation_id_);
  open.set_opening(++openings_);
  draining_.reset();
  connected_ = true;
  ready_ = false;
  last_heard_ = last_sent_ = now.wall;
  out_->Open(open, handover);
  out_->WakeWall(kHeartbeat, DriverTimer::kWatchdog, ++stream_);
  Ping(now);
}

void DriverAgent::Lost(absl::Duration wait, bool domain) {
  connected_ = ready_ = false;
  out_->Count("driver_reconnects");
  if (domain) {
    out_->Wake(wait, DriverTimer::kReconnect, stream_);
  } else {
    out_->WakeWall(wait, DriverTimer::kReconnect, stream_);
  }
}

void DriverAgent::OnStreamEnd(const Now&, const Outcome& outcome) {
  if (replaced_) {
    connected_ = ready_ = false;
    out_->Count("replaced_for_good");
    return;
  }
  if (draining_) out_->Count("drained_streams");
  Lost(draining_.value_or(stream_backoff_.Next(random_, outcome.retry_after)), false);
}

dpb::StreamDriverRequest DriverAgent::WithDriverId(dpb::StreamDriverRequest message) const {
  if (message.has_set_availability()) message.mutable_set_availability()->set_driver_id(driver_id());
  if (message.has_respond_to_offer()) message.mutable_respond_to_offer()->set_driver_id(driver_id());
  if (message.has_advance_trip()) message.mutable_advance_trip()->set_driver_id(driver_id());
  if (message.has_location()) message.mutable_location()->set_driver_id(driver_id());
  return message;
}

void DriverAgent::Ping(const Now& now) {
  // The unary call needs the session's epoch, which the snapshot brings.
  if (!connected_ || (watches_ && !ready_)) return;
  dpb::StreamDriverRequest message;
  dpb::UpdateLocationRequest& location = *message.mutable_location();
  const auto add = [&](absl::Duration age) {
    tpb::Position& position = *location.add_positions();
    const LatLng at = motion_.At(now.domain - age);
    position.mutable_location()->set_latitude_deg(at.latitude_deg);
    position.mutable_location()->set_longitude_deg(at.longitude_deg);
    position.set_speed_mps(static_cast<float>(motion_.SpeedMps(now.domain)));
    if (motion_.Moving(now.domain)) position.set_heading_deg(static_cast<float>(motion_.HeadingDeg()));
    position.set_accuracy_m(8);
    position.mutable_age()->set_seconds(absl::ToInt64Seconds(age));
    position.set_position_seq(++position_seq_);
  };
  // A phone that was in a tunnel sends the positions it kept.
  if (random_.Chance(kPingOfTwo)) add(absl::Seconds(2));
  add(absl::ZeroDuration());
  const bool twin = ready_ && session_epoch_ != 0 && random_.Chance(kTwinPing);
  if (twin || watches_) {
    location.set_session_epoch(session_epoch_);
    out_->Count("unary_pings");
    out_->Twin(WithDriverId(message));
    return;
  }
  last_sent_ = now.wall;
  out_->Send(message);
}

void DriverAgent::Issue(const Now& now, dpb::StreamDriverRequest message) {
  const std::string id = absl::StrCat("c", ++next_command_);
  message.set_command_id(id);
  Command& command = commands_[id];
  command.message = std::move(message);
  command.twin = random_.Chance(odds_.unary) || watches_;
  Dispatch(now, command);
}

void DriverAgent::Dispatch(const Now& now, Command& command) {
  if (command.twin) {
    command.sent = now.wall;
    out_->Count("unary_commands");
    out_->Twin(WithDriverId(command.message));
  } else if (ready_) {
    command.sent = last_sent_ = now.wall;
    out_->Count("stream_commands");
    out_->Send(command.message);
  } else {
    command.sent.reset();
  }
}

bool DriverAgent::Stale(const dpb::StreamDriverRequest& message) const {
  if (message.has_respond_to_offer()) return offers_settled_.contains(message.respond_to_offer().offer_id());
  return message.has_advance_trip() && message.advance_trip().ride_id() != ride_.ride_id();
}

void DriverAgent::OnMessage(const Now& now, const dpb::StreamDriverResponse& message) {
  last_heard_ = now.wall;
  switch (message.message_case()) {
    case dpb::StreamDriverResponse::kSnapshot: {
      const dpb::DriverState& state = message.snapshot();
      stream_backoff_.Reset();
      session_epoch_ = state.session_epoch();
      const bool first = !ready_;
      ready_ = true;
      // Not final: the reply of a unary twin may have shown the ride before this snapshot, which was already in flight.
      if (ride_.ride_id() != state.ride().ride_id()) LetGo(now);
      if (state.has_ride()) {
        cursor_.set_ride_id(state.ride().ride_id());
        cursor_.set_sequence(state.ride().sequence());
        Adopt(now, state.ride());
      }
      if (state.has_offer()) {
        Offered(now, state.offer());
      } else {
        offer_.reset();
      }
      if (!first) break;
      // Commands that the last stream left unanswered are sent again, under the same ids.
      std::erase_if(commands_, [&](const auto& entry) { return Stale(entry.second.message); });
      for (auto& [id, command] : commands_) {
        if (command.twin) continue;
        if (command.sent) out_->Count("command_retries");
        Dispatch(now, command);
      }
      const dpb::Availability wish = wants_rides_ ? dpb::AVAILABILITY_ONLINE : dpb::AVAILABILITY_OFFLINE;
      const bool asked = std::any_of(commands_.begin(), commands_.end(),
                                     [](const auto& entry) { return entry.second.message.has_set_availability(); });
      if (state.availability() != wish && !asked) SetAvailability(now, wish);
      if (random_.Chance(kReadsState)) {
        dpb::GetDriverStateRequest call;
        call.set_driver_id(driver_id());
        out_->Call(call);
      }
      break;
    }
    case dpb::StreamDriverResponse::kEvent: {
      const tpb::RideEvent& event = message.event();
      cursor_.set_ride_id(event.ride_id());
      cursor_.set_sequence(event.sequence());
      if (EndsAssignment(event.type())) {
        Release(now, event.ride_id(), event.ride().epoch(), event.type() == tpb::RIDE_EVENT_TYPE_COMPLETED);
      } else {
        Adopt(now, event.ride());
      }
      break;
    }
    case dpb::StreamDriverResponse::kOffer:
      Offered(now, message.offer());
      break;
    case dpb::StreamDriverResponse::kOfferUpdate:
      if (message.offer_update().status() == dpb::OFFER_STATUS_CONFIRMING) break;
      offers_settled_.insert(message.offer_update().offer_id());
      if (offer_ && offer_->offer_id() == message.offer_update().offer_id()) offer_.reset();
      break;
    case dpb::StreamDriverResponse::kDraining:
      draining_ = DecodeDuration(message.draining().retry_after());
      break;
    case dpb::StreamDriverResponse::kStartOver:
      cursor_.Clear();
      break;
    case dpb::StreamDriverResponse::kReplaced:
      replaced_ = true;
      break;
    default:
      break;
  }
}

void DriverAgent::Acknowledge(const Now& now, const std::string& offer_id) {
  dpb::StreamDriverRequest received;
  received.mutable_offer_received()->set_offer_id(offer_id);
  if (watches_) {
    out_->Twin(received);
    return;
  }
  last_sent_ = now.wall;
  out_->Send(received);
}

void DriverAgent::Offered(const Now& now, const dpb::Offer& offer) {
  Acknowledge(now, offer.offer_id());
  if (!ride_.ride_id().empty()) out_->Count("offers_on_trip");
  const bool again = !offers_seen_.insert(offer.offer_id()).second;
  if (again) {
    out_->Count("offers_shown_again");
    return;
  }
  offer_ = offer;
  ++offer_token_;
  if (decisions_ == Decisions::kScripted) {
    out_->FindScript(offer.ride_id());
    return;
  }
  const double seconds = std::min(kDecideMaxS, random_.LogNormal(kDecideMedianS, 0.4));
  out_->Wake(absl::Seconds(seconds), DriverTimer::kDecide, offer_token_);
  if (random_.Chance(odds_.disconnect)) {
    out_->Wake(absl::Seconds(random_.Between(0, seconds + 2)), DriverTimer::kDrop, 0);
  }
}

void DriverAgent::Decide(const Now& now, std::uint64_t token) {
  if (!offer_ || token != offer_token_) return;
  if (random_.Chance(odds_.ignore)) {
    out_->Count("ignored");
    return;
  }
  Respond(now, random_.Chance(odds_.decline) ? dpb::OFFER_RESPONSE_DECLINE : dpb::OFFER_RESPONSE_ACCEPT);
}

void DriverAgent::Respond(const Now& now, dpb::OfferResponse response) {
  dpb::StreamDriverRequest answer;
  answer.mutable_respond_to_offer()->set_offer_id(offer_->offer_id());
  answer.mutable_respond_to_offer()->set_response(response);
  Issue(now, std::move(answer));
}

void DriverAgent::OnScript(const Now& now, const std::string& ride_id, const RideScript& script, int declines) {
  const bool known = script_ride_id_ == ride_id;
  script_ = &script;
  script_ride_id_ = ride_id;
  if (ride_.ride_id() == ride_id) {
    if (!known) Plan(now);
  } else if (offer_ && offer_->ride_id() == ride_id) {
    const DriverAct act = NextAct(script, DriverPhase::kOffered, {.declines = declines});
    out_->Acts(ride_id, script, DriverPhase::kOffered, act);
    Respond(now, act == DriverAct::kDecline ? dpb::OFFER_RESPONSE_DECLINE : dpb::OFFER_RESPONSE_ACCEPT);
  }
}

void DriverAgent::OnResult(const Now& now, const CommandAnswer& answer) {
  last_heard_ = now.wall;
  const auto entry = commands_.find(answer.command_id);
  if (entry == commands_.end()) {
    // Positions and heartbeats have no answer unless they are refused; a retried command may be answered twice.
    if (answer.command_id.empty() && !answer.outcome.ok()) out_->Count("refused_messages " + answer.outcome.Name());
    return;
  }
  if (answer.outcome.Retryable()) {
    out_->Count("command_retries");
    entry->second.sent.reset();
    out_->WakeWall(entry->second.backoff.Next(random_, answer.outcome.retry_after), DriverTimer::kRetry,
                   std::stoull(answer.command_id.substr(1)));
    return;
  }
  const dpb::StreamDriverRequest message = std::move(entry->second.message);
  commands_.erase(entry);
  if (message.has_respond_to_offer()) {
    const bool accepts = message.respond_to_offer().response() == dpb::OFFER_RESPONSE_ACCEPT;
    out_->Count(answer.outcome.ok() ? (accepts ? "accepted" : "declined")
                                    : (accepts ? "accepts_lost " : "declines_lost ") + answer.outcome.Name());
    if (offer_ && offer_->offer_id() == message.respond_to_offer().offer_id()) offer_.reset();
    if (accepts && answer.outcome.ok() && answer.ride) Adopt(now, *answer.ride);
  } else if (message.has_advance_trip()) {
    const dpb::AdvanceTripRequest& step = message.advance_trip();
    if (answer.outcome.ok()) {
      if (step.has_cancel()) {
        out_->Count("driver_cancels");
        Release(now, step.ride_id(), step.epoch(), false);
      } else if (answer.ride) {
        Adopt(now, *answer.ride);
      }
    } else if (answer.outcome.reason == "ASSIGNMENT_ENDED" || answer.outcome.reason == "RIDE_NOT_FOUND" ||
               answer.outcome.reason == "RIDE_ENDED") {
      out_->Count("steps_too_late");
      Release(now, step.ride_id(), step.epoch(), false);
    } else {
      out_->Count("refused_commands " + answer.outcome.Name());
    }
  } else if (!answer.outcome.ok()) {
    out_->Count("refused_commands " + answer.outcome.Name());
  }
}

void DriverAgent::Adopt(const Now& now, const tpb::Ride& ride) {
  const auto over = over_.find(ride.ride_id());
  if (over != over_.end() && ride.epoch() <= over->second) return;
  if (!HasDriver(ride.state())) return;
  const bool taken = ride.ride_id() != ride_.ride_id() || ride.epoch() != ride_.epoch();
  if (!taken && ride.sequence() <= ride_.sequence()) return;
  const tpb::RideState before = taken ? tpb::RIDE_STATE_UNSPECIFIED : ride_.state();
  ride_ = ride;
  if (taken) {
    offer_.reset();
    gives_up_.reset();
    if (random_.Chance(odds_.driver_cancel)) gives_up_ = random_.Between(0, 1.5);
    if (ride_.state() == tpb::RIDE_STATE_ENROUTE_TO_PICKUP && !ride_.has_seen_time()) {
      dpb::StreamDriverRequest seen = TripCommand();
      seen.mutable_advance_trip()->mutable_seen();
      Issue(now, std::move(seen));
    }
    if (random_.Chance(odds_.disconnect)) {
      out_->Wake(absl::Seconds(random_.Between(0, 900)), DriverTimer::kDrop, 0);
    }
  }
  if (ride_.state() != before) Plan(now);
}

void DriverAgent::LetGo(const Now& now) {
  const std::string ride_id = ride_.ride_id();
  if (ride_id.empty()) return;
  ride_.Clear();
  ++plan_;
  motion_.Stop(now.domain);
  if (decisions_ == Decisions::kScripted) Wander(now);
  std::erase_if(commands_, [&](const auto& entry) {
    return !entry.second.sent && entry.second.message.has_advance_trip() &&
           entry.second.message.advance_trip().ride_id() == ride_id;
  });
}

void DriverAgent::Release(const Now& now, const std::string& ride_id, std::int64_t epoch, bool completed) {
  if (ride_id.empty()) return;
  // An ended assignment's event shows the ride after it, which may be at the next epoch already.
  const bool mine = ride_.ride_id() == ride_id;
  std::int64_t& over = over_[ride_id];
  over = std::max(over, mine ? ride_.epoch() : epoch - 1);
  if (!mine) return;
  LetGo(now);
  if (!completed) return;
  out_->Count("trips_driven");
  if (random_.Chance(kListsTrips)) {
    dpb::ListTripsRequest call;
    call.set_driver_id(driver_id());
    out_->Call(call);
  }
  if (random_.Chance(odds_.pause)) {
    out_->Count("pauses");
    SetAvailability(now, dpb::AVAILABILITY_OFFLINE);
    out_->Wake(absl::Seconds(random_.Between(60, 240)), DriverTimer::kOnline, 0);
  }
}

absl::Duration DriverAgent::DriveToPickup(const Now& now) {
  const LatLng pickup = Place(ride_.pickup());
  return motion_.DriveTo(now.domain, pickup, DriveTime(DistanceM(motion_.At(now.domain), pickup)));
}

void DriverAgent::Plan(const Now& now) {
  ++plan_;
  if (decisions_ == Decisions::kScripted && ride_.state() != tpb::RIDE_STATE_ENROUTE_TO_DROPOFF) {
    PlanByScript(now);
    return;
  }
  switch (ride_.state()) {
    case tpb::RIDE_STATE_ENROUTE_TO_PICKUP: {
      const absl::Duration drive = DriveToPickup(now);
      out_->Wake(drive, DriverTimer::kStep, plan_);
      if (gives_up_ && *gives_up_ < 1) out_->Wake(drive * *gives_up_, DriverTimer::kGiveUp, plan_);
      break;
    }
    case tpb::RIDE_STATE_ARRIVED_AT_PICKUP: {
      motion_.Stop(now.domain);
      const absl::Duration boarding = absl::Seconds(random_.Between(15, 60));
      out_->Wake(boarding, DriverTimer::kStep, plan_);
      if (gives_up_ && *gives_up_ >= 1) out_->Wake(boarding * (*gives_up_ - 1), DriverTimer::kGiveUp, plan_);
      break;
    }
    case tpb::RIDE_STATE_ENROUTE_TO_DROPOFF: {
      const LatLng dropoff = Place(ride_.dropoff());
      const absl::Duration drive =
          motion_.DriveTo(now.domain, dropoff, world_->TripTime(Place(ride_.pickup()), dropoff));
      out_->Wake(drive, DriverTimer::kStep, plan_);
      break;
    }
    default:
      break;
  }
}

void DriverAgent::PlanByScript(const Now& now) {
  // Stands while the script is being found: the ride may be from an earlier run.
  motion_.Stop(now.domain);
  if (script_ride_id_ != ride_.ride_id()) {
    out_->FindScript(ride_.ride_id());
    return;
  }
  const bool there = ride_.state() == tpb::RIDE_STATE_ARRIVED_AT_PICKUP;
  const DriverPhase phase = there ? DriverPhase::kAtPickup : DriverPhase::kToPickup;
  const DriverAct act = NextAct(*script_, phase, {.given_up = ride_.redispatch_count()});
  out_->Acts(ride_.ride_id(), *script_, phase, act);
  if (act == DriverAct::kStandStill) return;
  const absl::Duration until = there ? kBoarding : DriveToPickup(now);
  if (act == DriverAct::kGiveUp) {
    out_->Wake(there ? until : until * kGiveUpAfter, DriverTimer::kGiveUp, plan_);
  } else if (act == DriverAct::kWait) {
    dpb::StreamDriverRequest wait = TripCommand();
    wait.mutable_advance_trip()->mutable_wait()->set_reason(tpb::WAIT_REASON_RIDER_NOT_THERE);
    Issue(now, std::move(wait));
    out_->Wake(kLongBoarding, DriverTimer::kStep, plan_);
  } else {
    out_->Wake(until, DriverTimer::kStep, plan_);
  }
}

dpb::StreamDriverRequest DriverAgent::TripCommand() const {
  dpb::StreamDriverRequest message;
  message.mutable_advance_trip()->set_ride_id(ride_.ride_id());
  message.mutable_advance_trip()->set_epoch(ride_.epoch());
  message.mutable_advance_trip()->set_leg(ride_.leg());
  return message;
}

void DriverAgent::Step(const Now& now) {
  dpb::StreamDriverRequest message = TripCommand();
  dpb::AdvanceTripRequest& step = *message.mutable_advance_trip();
  switch (ride_.state()) {
    case tpb::RIDE_STATE_ENROUTE_TO_PICKUP:
      step.mutable_arrive();
      break;
    case tpb::RIDE_STATE_ARRIVED_AT_PICKUP:
      step.mutable_start();
      break;
    case tpb::RIDE_STATE_ENROUTE_TO_DROPOFF:
      step.mutable_complete();
      break;
    default:
      return;
  }
  Issue(now, std::move(message));
}

void DriverAgent::GiveUp(const Now& now) {
  ++plan_;
  motion_.Stop(now.domain);
  dpb::StreamDriverRequest message = TripCommand();
  message.mutable_advance_trip()->mutable_cancel()->set_reason(ride_.state() == tpb::RIDE_STATE_ARRIVED_AT_PICKUP
                                                                   ? tpb::CANCEL_REASON_RIDER_NOT_FOUND
                                                                   : tpb::CANCEL_REASON_VEHICLE_PROBLEM);
  Issue(now, std::move(message));
}

void DriverAgent::SetAvailability(const Now& now, dpb::Availability availability) {
  wants_rides_ = availability == dpb::AVAILABILITY_ONLINE;
  dpb::StreamDriverRequest message;
  message.mutable_set_availability()->set_availability(availability);
  Issue(now, std::move(message));
}

void DriverAgent::OnTimer(const Now& now, DriverTimer timer, std::uint64_t token) {
  if (replaced_) return;
  switch (timer) {
    case DriverTimer::kRegister:
      if (!registered_) Register();
      break;
    case DriverTimer::kPing:
      Ping(now);
      out_->Wake(kPing, DriverTimer::kPing, 0);
      break;
    case DriverTimer::kDecide:
      Decide(now, token);
      break;
    case DriverTimer::kStep:
      if (token == plan_ && !ride_.ride_id().empty()) Step(now);
      break;
    case DriverTimer::kGiveUp:
      if (token == plan_ && !ride_.ride_id().empty()) GiveUp(now);
      break;
    case DriverTimer::kDrop:
      if (!ready_) break;
      if (random_.Chance(kHandover)) {
        out_->Count("handovers");
        Open(now, true);
        break;
      }
      out_->Count("driver_drops");
      out_->Drop();
      Lost(absl::Seconds(random_.Between(1, 8)), true);
      break;
    case DriverTimer::kReconnect:
      if (!connected_ && token == stream_) Open(now, false);
      break;
    case DriverTimer::kWatchdog:
      if (!connected_ || token != stream_) break;
      if (now.wall - last_heard_ > kSilence) {
        out_->Count("silent_streams");
        out_->Drop();
        Lost(stream_backoff_.Next(random_), false);
        break;
      }
      if (!watches_ && now.wall - last_sent_ >= kHeartbeat) {
        dpb::StreamDriverRequest heartbeat;
        heartbeat.mutable_heartbeat();
        last_sent_ = now.wall;
        out_->Send(heartbeat);
      }
      for (auto& [id, command] : commands_) {
        if (command.twin || !command.sent || now.wall - *command.sent < kAnswerDue) continue;
        out_->Count("late_answers");
        Dispatch(now, command);
      }
      out_->WakeWall(kHeartbeat, DriverTimer::kWatchdog, stream_);
      break;
    case DriverTimer::kRetry: {
      const auto entry = commands_.find(absl::StrCat("c", token));
      if (entry == commands_.end() || entry->second.sent) break;
      if (Stale(entry->second.message)) {
        commands_.erase(entry);
      } else {
        Dispatch(now, entry->second);
      }
      break;
    }
    case DriverTimer::kOnline:
      SetAvailability(now, dpb::AVAILABILITY_ONLINE);
      break;
    case DriverTimer::kWander:
      out_->Wake(absl::Seconds(random_.Between(60, 300)), DriverTimer::kWander, 0);
      if (ride_.ride_id().empty() && !motion_.Moving(now.domain) && random_.Chance(kWanders)) Wander(now);
      break;
  }
}

void DriverAgent::Wander(const Now& now) {
  // Toward a place with demand, at half the speed of a car with a passenger or a pickup.
  const std::optional<LatLng> place = world_->Demand(random_);
  const double distance = place ? DistanceM(motion_.At(now.domain), *place) : 0;
  if (distance > 0 && (distance < kWanderRangeM || decisions_ == Decisions::kScripted)) {
    motion_.DriveTo(now.domain, *place, 2 * DriveTime(distance));
  }
}

}  // namespace hail::sim
