#include "tests/simulation/phones.h"

#include <iterator>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/errors/error.h"
#include "common/proto/time.h"
#include "common/rpc/identity.h"
#include "rider-service/api/rider_service.h"
#include "tests/simulation/driver_node.h"
#include "tests/simulation/rider_node.h"
#include "tests/simulation/universe.h"
#include "tests/tools/hail-sim/outcome_of.h"

namespace hail::simulation {
namespace {

namespace dpb = driver::v1;
namespace rpb = rider::v1;

constexpr absl::Duration kCallDeadline = absl::Seconds(10);

sim::Outcome OutcomeOf(const absl::Status& status) { return sim::OutcomeOf(rpc::ToProto(status)); }

std::string Brief(const type::v1::Ride& ride) {
  return absl::StrCat(ride.ride_id(), " ", type::v1::RideState_Name(ride.state()), " sequence ", ride.sequence(),
                      " epoch ", ride.epoch());
}

// One line of history.
std::string Brief(const dpb::StreamDriverResponse& message) {
  if (message.has_snapshot()) {
    return absl::StrCat("snapshot, ", message.snapshot().has_ride() ? Brief(message.snapshot().ride()) : "no ride",
                        message.snapshot().has_offer() ? ", offer " + message.snapshot().offer().offer_id() : "");
  }
  if (message.has_event()) {
    return absl::StrCat("event ", type::v1::RideEventType_Name(message.event().type()), ", ",
                        Brief(message.event().ride()));
  }
  if (message.has_offer()) return absl::StrCat("offer ", message.offer().offer_id(), " of ", message.offer().ride_id());
  if (message.has_offer_update()) {
    return absl::StrCat("offer ", message.offer_update().offer_id(), " is ",
                        dpb::OfferStatus_Name(message.offer_update().status()));
  }
  if (message.has_command_result()) {
    const auto& result = message.command_result();
    return absl::StrCat("result of ", result.command_id(), ": code ", result.status().code(), " ",
                        result.status().message(), ", ",
                        result.state().has_ride() ? Brief(result.state().ride()) : "no ride");
  }
  if (message.has_caught_up()) return "caught up";
  if (message.has_state()) {
    return absl::StrCat("state ", message.state().revision(), ": ", dpb::DriverStatus_Name(message.state().status()),
                        " ", dpb::Availability_Name(message.state().availability()));
  }
  if (message.has_start_over()) return "reset";
  if (message.has_draining()) return "draining";
  if (message.has_replaced()) return "replaced";
  return "something";
}

// The words of some riders to their drivers; a repeated request has the same ones.
void AddWords(rpb::RequestRideRequest* request) {
  if (!sim::Random(1, request->request_id()).Chance(0.5)) return;
  request->set_rider_display_name("Rider " + request->rider_id());
  request->mutable_pickup()->set_note("at the door of " + request->request_id());
}

template <typename Request>
void CallDriver(Universe& u, const Request& request, Done<rpc::ResponseTo<driver::DriverService, Request>> done) {
  CallMethod<driver::DriverService, DriverNode>(
      &u.network(), &u.driver_phones(), nullptr, [&u] { return u.driver(); }, kCallDeadline, request, std::move(done));
}

template <typename Request>
void CallRider(Universe& u, const Request& request, Done<rpc::ResponseTo<rider::RiderService, Request>> done) {
  CallMethod<rider::RiderService, RiderNode>(
      &u.network(), &u.rider_phones(), nullptr, [&u] { return u.rider(); }, kCallDeadline, request, std::move(done));
}

}  // namespace

// --- Riders ---

RiderPhone::RiderPhone(Universe* universe, std::string rider_id, std::string request_id, const sim::Trip& trip,
                       std::uint64_t seed)
    : universe_(universe),
      agent_(std::move(rider_id), std::move(request_id), trip, "economy", universe->plan().people, seed, this),
      audit_(universe->seen_by_clients()) {}

void RiderPhone::Begin() { agent_.Begin(universe_->clock().Read()); }

void RiderPhone::CancelNow() {
  rpb::CancelRideRequest cancel;
  cancel.set_rider_id(agent_.rider_id());
  cancel.set_ride_id(agent_.ride_id());
  cancel.set_reason(type::v1::CANCEL_REASON_CHANGED_PLANS);
  universe_->judge().RiderAskedToCancel(agent_.ride_id());
  CallRider(*universe_, cancel, [](const auto&) {});
}

void RiderPhone::Settle() {
  if (agent_.ride_id().empty()) return;
  const rider::Ride* row = universe_->ride_disk().Find(agent_.ride_id());
  if (row != nullptr) audit_.Settle(row->sequence());
}

void RiderPhone::Call(const sim::RiderCall& call) {
  std::visit(
      [this, &call]<typename Request>(const Request& request) {
        using Response = rpc::ResponseTo<rider::RiderService, Request>;
        if constexpr (std::is_same_v<Request, rpb::CancelRideRequest>) {
          universe_->judge().RiderAskedToCancel(request.ride_id());
        }
        Request sent = request;
        if constexpr (std::is_same_v<Request, rpb::RequestRideRequest>) AddWords(&sent);
        CallRider(*universe_, sent, [this, call](absl::StatusOr<Response> response) {
          const sim::Outcome outcome = OutcomeOf(response.status());
          agent_.OnReply(universe_->clock().Read(), call, outcome,
                         sim::RiderReply(response.ok() ? *std::move(response) : Response()));
        });
      },
      call);
}

void RiderPhone::Open(const rpb::WatchRideRequest& open, bool bidirectional) {
  Universe& u = *universe_;
  call_.reset();
  watch_.reset();
  const std::uint64_t stream = ++stream_;
  audit_.Opened(open.has_after_sequence() ? std::optional(open.after_sequence()) : std::nullopt);
  resumed_from_ = open.has_after_sequence() ? open.after_sequence() : 0;
  if (open.has_after_sequence() && resumed_in_ != 0 && resumed_in_ != u.rider_runs()) {
    u.Hit(Situation::kRiderResumedAfterRestart);
  }
  resumed_in_ = u.rider_runs();
  opened_ = u.scheduler().now();
  answered_ = absl::InfiniteFuture();
  if (bidirectional) {
    auto end = std::make_shared<ClientEnd<rpb::StreamRideResponse>>();
    end->on_sent = [this](const rpb::StreamRideResponse& message) {
      if (message.has_update()) OnSent(message.update());
      if (message.has_command_result() && message.command_result().has_ride()) {
        universe_->judge().ToldRider(agent_.rider_id(), message.command_result().ride());
      }
    };
    end->on_message = [this, stream](const rpb::StreamRideResponse& message) {
      if (message.has_update()) return Received(stream, message.update());
      if (stream != stream_ || !message.has_command_result()) return;
      agent_.OnCommandResult(universe_->clock().Read(), message.command_result(),
                             sim::OutcomeOf(message.command_result().status()));
    };
    end->on_end = [this, stream](const absl::Status& status) { Ended(stream, status); };
    call_ = OpenMethod<rider::RiderService, RiderNode, rpb::StreamRideRequest>(&u.network(), &u.rider_phones(), end,
                                                                               [&u] { return u.rider(); });
    rpb::StreamRideRequest first;
    *first.mutable_open() = open;
    call_->Send(first);
    return;
  }
  auto end = std::make_shared<ClientEnd<rpb::WatchRideResponse>>();
  end->on_sent = [this](const rpb::WatchRideResponse& message) { OnSent(message); };
  end->on_message = [this, stream](const rpb::WatchRideResponse& message) { Received(stream, message); };
  end->on_end = [this, stream](const absl::Status& status) { Ended(stream, status); };
  watch_ = OpenMethod<rider::RiderService, RiderNode>(
      &u.network(), &u.rider_phones(), end, [&u] { return u.rider(); }, open);
}

void RiderPhone::Send(const rpb::StreamRideRequest& message) {
  if (message.has_cancel_ride()) universe_->judge().RiderAskedToCancel(agent_.ride_id());
  if (call_ != nullptr) call_->Send(message);
}

void RiderPhone::Drop() {
  ++stream_;
  call_.reset();
  watch_.reset();
}

void RiderPhone::OnSent(const rpb::WatchRideResponse& message) {
  if (message.has_snapshot() || message.has_event() || message.has_caught_up()) {
    answered_ = std::min(answered_, universe_->scheduler().now());
  }
  if (message.has_snapshot()) universe_->judge().ToldRider(agent_.rider_id(), message.snapshot());
  if (message.has_event()) {
    universe_->judge().ToldRider(agent_.rider_id(), message.event().ride());
    universe_->judge().Watched(message.event().ride_id(), message.event().sequence(), opened_, answered_);
    if (universe_->LostByBus(message.event().ride_id(), message.event().sequence())) {
      universe_->Hit(Situation::kEventFoundByCheck);
    }
  }
}

void RiderPhone::Received(std::uint64_t stream, const rpb::WatchRideResponse& message) {
  if (stream != stream_) return;
  if (message.has_caught_up() && resumed_from_ != 0 && message.caught_up().sequence() >= resumed_from_ + 2) {
    universe_->Hit(Situation::kRiderResumedBehind);
  }
  if (message.has_draining()) universe_->Hit(Situation::kDrained);
  if (message.telemetry().has_missing_since()) universe_->Hit(Situation::kPositionMissing);
  audit_.Receive(message);
  agent_.OnUpdate(universe_->clock().Read(), message);
}

void RiderPhone::Ended(std::uint64_t stream, const absl::Status& status) {
  if (stream != stream_) return;
  agent_.OnStreamEnd(universe_->clock().Read(), OutcomeOf(status));
}

void RiderPhone::Wake(absl::Duration domain, sim::RiderTimer timer, std::uint64_t token) {
  WakeWall(universe_->clock().scale().ToWall(domain), timer, token);
}

void RiderPhone::WakeWall(absl::Duration wall, sim::RiderTimer timer, std::uint64_t token) {
  universe_->scheduler().After(wall, nullptr,
                               [this, timer, token] { agent_.OnTimer(universe_->clock().Read(), timer, token); });
}

// --- Drivers ---

DriverPhone::DriverPhone(Universe* universe, dpb::Driver profile, const LatLng& position, std::uint64_t seed)
    : universe_(universe),
      agent_(std::move(profile), position, universe->plan().people, &universe->world(), seed, this),
      audit_(universe->seen_by_clients()),
      random_(seed, "phone"),
      waits_(seed, "waits") {
  if (random_.Chance(universe->plan().wrong_clocks)) clock_error_ = absl::Seconds(random_.Between(-60, 120));
}

void DriverPhone::Begin() { agent_.Begin(universe_->clock().Read()); }

void DriverPhone::Call(const sim::DriverCall& call) {
  std::visit(
      [this, &call]<typename Request>(const Request& request) {
        using Response = rpc::ResponseTo<driver::DriverService, Request>;
        CallDriver(*universe_, request, [this, call](absl::StatusOr<Response> response) {
          const sim::Outcome outcome = OutcomeOf(response.status());
          agent_.OnReply(universe_->clock().Read(), call, outcome,
                         sim::DriverReply(response.ok() ? *std::move(response) : Response()));
        });
      },
      call);
}

void DriverPhone::Open(const dpb::OpenSession& open, bool handover) {
  Universe& u = *universe_;
  if (call_ != nullptr && handover) handed_over_[stream_] = call_;
  if (watch_ != nullptr && handover) handed_over_[stream_] = watch_;
  call_.reset();
  watch_.reset();
  const std::uint64_t stream = ++stream_;
  u.Note(agent_.driver_id(), " opens stream ", stream, handover ? " (handover)" : "");
  if (u.OfferConfirming(agent_.driver_id())) u.Hit(Situation::kDriverMovedToAnotherStreamWhileConfirming);
  if (std::exchange(reply_lost_, false)) u.Hit(Situation::kCommitDoneReplyLostDriverOnAnotherStream);
  if (open.has_cursor()) {
    const auto live = u.ride_disk().live_of_driver.find(agent_.driver_id());
    if (live != u.ride_disk().live_of_driver.end() && live->second != open.cursor().ride_id()) {
      u.Hit(Situation::kDriverResumedAcrossRides);
    }
    if (live == u.ride_disk().live_of_driver.end() && agent_.ride_id() == open.cursor().ride_id()) {
      u.Hit(Situation::kDriverMissedTheEndOfARide);
    }
  }
  auto end = std::make_shared<ClientEnd<dpb::StreamDriverResponse>>();
  end->on_message = [this, stream](const dpb::StreamDriverResponse& message) { Received(stream, message); };
  end->on_end = [this, stream](const absl::Status& status) { Ended(stream, status); };
  const auto opens = [this, end](DriverNode& node) {
    end->on_sent = [this, replica = node.replica()](const dpb::StreamDriverResponse& message) {
      OnSent(replica, message);
    };
  };
  const auto host = [&u] { return u.driver(); };
  if (agent_.watches()) {
    watch_ = OpenMethod<driver::DriverService, DriverNode>(&u.network(), &u.driver_phones(), end, host,
                                                           sim::WatchOf(open), opens);
  } else {
    call_ = OpenMethod<driver::DriverService, DriverNode, dpb::StreamDriverRequest>(&u.network(), &u.driver_phones(),
                                                                                    end, host, {}, opens);
    dpb::StreamDriverRequest first;
    *first.mutable_open() = open;
    call_->Send(first);
  }
  if (u.stormy() && random_.Chance(u.plan().wish_races)) WishElsewhere();
}

void DriverPhone::WishElsewhere() {
  const auto desired = [this](dpb::Availability availability) {
    dpb::SetAvailabilityRequest request;
    request.set_driver_id(agent_.driver_id());
    request.set_availability(availability);
    CallDriver(*universe_, request, [](const auto&) {});
  };
  Universe& u = *universe_;
  u.scheduler().After(absl::Milliseconds(random_.Between(0, 200)), nullptr,
                      [desired] { desired(dpb::AVAILABILITY_OFFLINE); });
  u.scheduler().After(u.clock().scale().ToWall(absl::Seconds(random_.Between(60, 180))), nullptr,
                      [desired] { desired(dpb::AVAILABILITY_ONLINE); });
}

void DriverPhone::Send(const dpb::StreamDriverRequest& sound) {
  if (call_ == nullptr) return;
  dpb::StreamDriverRequest message = sound;
  if (message.has_location() && clock_error_ != absl::ZeroDuration() && universe_->stormy()) {
    for (auto& position : *message.mutable_location()->mutable_positions()) {
      position.mutable_age()->set_seconds(position.age().seconds() + absl::ToInt64Seconds(clock_error_));
    }
    universe_->Hit(Situation::kDeviceClockWrong);
  }
  const Plan& plan = universe_->plan();
  if (message.has_location() && universe_->stormy()) {
    if (wrong_places_ == 0 && random_.Chance(plan.wrong_places))
      wrong_places_ = static_cast<int>(random_.Between(1, 6));
    if (wrong_places_ > 0) {
      --wrong_places_;
      for (auto& position : *message.mutable_location()->mutable_positions()) {
        position.mutable_location()->set_latitude_deg(position.location().latitude_deg() - 0.125);
      }
    }
  }
  if (universe_->stormy()) {
    if (message.has_offer_received() && random_.Chance(plan.deaf)) return;
    const std::string assignment = absl::StrCat(message.advance_trip().ride_id(), "@", message.advance_trip().epoch());
    if (message.advance_trip().has_seen()) {
      // The agent sends the acknowledgement repeatedly; the phone decides once per assignment.
      if (unseen_.try_emplace(assignment, random_.Chance(plan.unseen)).first->second) return;
    }
  }
  NoteAccept(message);
  if (!message.command_id().empty()) commands_[message.command_id()] = message;
  if (message.has_advance_trip()) {
    universe_->judge().DriverAsked(agent_.driver_id(), message.advance_trip());
    Mischief(message);
  }
  const auto ends = offer_ends_.find(message.respond_to_offer().offer_id());
  if (ends != offer_ends_.end() && universe_->stormy() && random_.Chance(plan.last_moment)) {
    const absl::Time when = ends->second + absl::Milliseconds(random_.Between(-30, 30));
    universe_->scheduler().At(when, nullptr, [this, message, stream = stream_] {
      if (stream == stream_ && call_ != nullptr) call_->Send(message);
    });
    return;
  }
  call_->Send(message);
}

void DriverPhone::Pass(const dpb::StreamDriverRequest& command) {
  if (agent_.watches()) {
    Twin(agent_.WithDriverId(command));
  } else if (call_ != nullptr) {
    commands_[command.command_id()] = command;
    call_->Send(command);
  }
}

void DriverPhone::Mischief(const dpb::StreamDriverRequest& step) {
  if (!universe_->stormy() || !random_.Chance(universe_->plan().mischief)) return;
  dpb::StreamDriverRequest wrong = step;
  wrong.set_command_id(absl::StrCat("m", ++mischief_));
  dpb::AdvanceTripRequest& trip = *wrong.mutable_advance_trip();
  switch (random_.Index(4)) {
    case 0:
      trip.set_epoch(std::max<std::int64_t>(1, trip.epoch() - 1));
      break;
    case 1:
      trip.set_leg(1 - std::min(trip.leg(), 1));
      break;
    case 2:
      trip.set_leg(0);
      trip.mutable_complete();
      break;
    default:
      trip.set_leg(1);
      trip.mutable_arrive();
      break;
  }
  universe_->judge().DriverAsked(agent_.driver_id(), trip);
  call_->Send(wrong);
}

void DriverPhone::Twin(const dpb::StreamDriverRequest& command) {
  Universe& u = *universe_;
  NoteAccept(command);
  if (command.has_set_availability()) {
    CallDriver(u, command.set_availability(), [this, command](const auto& response) {
      Answered(command, {command.command_id(), OutcomeOf(response.status()), std::nullopt});
    });
  } else if (command.has_respond_to_offer()) {
    CallDriver(u, command.respond_to_offer(), [this, command](const auto& response) {
      sim::CommandAnswer answer{command.command_id(), OutcomeOf(response.status()), std::nullopt};
      if (response.ok() && response->state().has_ride()) answer.ride = response->state().ride();
      Answered(command, answer);
    });
  } else if (command.has_advance_trip()) {
    u.judge().DriverAsked(agent_.driver_id(), command.advance_trip());
    CallDriver(u, command.advance_trip(), [this, command](const auto& response) {
      sim::CommandAnswer answer{command.command_id(), OutcomeOf(response.status()), std::nullopt};
      if (response.ok() && response->has_ride()) answer.ride = response->ride();
      Answered(command, answer);
    });
  } else if (command.has_location()) {
    CallDriver(u, command.location(), [](const auto&) {});
  } else if (command.has_offer_received()) {
    if (u.stormy() && random_.Chance(u.plan().deaf)) return;
    dpb::AcknowledgeOfferRequest request;
    request.set_driver_id(agent_.driver_id());
    request.set_offer_id(command.offer_received().offer_id());
    CallDriver(u, request, [](const auto&) {});
  }
}

void DriverPhone::NoteAccept(const dpb::StreamDriverRequest& command) {
  if (command.respond_to_offer().response() != dpb::OFFER_RESPONSE_ACCEPT) return;
  const std::string& offer_id = command.respond_to_offer().offer_id();
  if (!accepted_.insert(offer_id).second && universe_->IsConfirming(offer_id)) {
    universe_->Hit(Situation::kAcceptRepeatedWhileConfirming);
  }
}

void DriverPhone::BreakOnTrip() {
  const auto desired = [this](dpb::Availability availability) {
    dpb::StreamDriverRequest command;
    command.set_command_id(absl::StrCat("o", ++mischief_));
    command.mutable_set_availability()->set_availability(availability);
    Pass(command);
  };
  desired(dpb::AVAILABILITY_OFFLINE);
  universe_->scheduler().After(universe_->clock().scale().ToWall(absl::Seconds(random_.Between(20, 120))), nullptr,
                               [desired] { desired(dpb::AVAILABILITY_ONLINE); });
}

void DriverPhone::Wait(const type::v1::Ride& ride) {
  if (ride.state() != type::v1::RIDE_STATE_ARRIVED_AT_PICKUP &&
      ride.state() != type::v1::RIDE_STATE_ENROUTE_TO_DROPOFF) {
    return;
  }
  if ((call_ == nullptr && watch_ == nullptr) || !waits_.Chance(universe_->plan().waits)) return;
  dpb::StreamDriverRequest command;
  command.set_command_id(absl::StrCat("w", ++mischief_));
  dpb::AdvanceTripRequest& step = *command.mutable_advance_trip();
  step.set_ride_id(ride.ride_id());
  step.set_epoch(ride.epoch());
  step.set_leg(ride.leg());
  step.mutable_wait()->set_reason(static_cast<type::v1::WaitReason>(waits_.Index(3)));
  universe_->judge().DriverAsked(agent_.driver_id(), step);
  Pass(command);
  if (waits_.Chance(0.3)) Pass(command);
}

void DriverPhone::Drop() {
  ++stream_;
  call_.reset();
  watch_.reset();
}

void DriverPhone::OnSent(const std::string& replica, const dpb::StreamDriverResponse& message) {
  Judge& judge = universe_->judge();
  const std::string& driver_id = agent_.driver_id();
  const auto told_state = [&](const dpb::DriverState& state) {
    if (state.has_ride()) {
      judge.ToldDriver(driver_id, state.ride());
    } else {
      judge.ToldDriverNoRide(replica, driver_id);
    }
    if (state.has_offer()) judge.OfferShown(replica, driver_id, state.offer());
  };
  if (message.has_snapshot()) told_state(message.snapshot());
  if (message.has_state()) told_state(message.state());
  if (message.has_event()) judge.ToldDriver(driver_id, message.event().ride());
  if (message.has_offer()) judge.OfferShown(replica, driver_id, message.offer());
  if (!message.has_command_result()) return;
  const auto command = commands_.find(message.command_result().command_id());
  if (message.command_result().state().has_ride()) judge.ToldDriver(driver_id, message.command_result().state().ride());
  if (command == commands_.end() || message.command_result().status().code() != 0) return;
  if (command->second.has_advance_trip()) judge.StepAnswered(driver_id, command->second.advance_trip());
  if (command->second.respond_to_offer().response() == dpb::OFFER_RESPONSE_ACCEPT) {
    judge.AcceptGranted(driver_id, command->second.respond_to_offer().offer_id());
  }
}

void DriverPhone::Answered(const dpb::StreamDriverRequest& command, const sim::CommandAnswer& answer) {
  Universe& u = *universe_;
  if (answer.outcome.ok()) {
    if (command.has_advance_trip()) u.judge().StepAnswered(agent_.driver_id(), command.advance_trip());
    if (command.respond_to_offer().response() == dpb::OFFER_RESPONSE_ACCEPT) {
      u.judge().AcceptGranted(agent_.driver_id(), command.respond_to_offer().offer_id());
      if (agent_.watches()) u.Hit(Situation::kWatchingDriverGotARide);
    }
    if (command.has_set_availability() && !agent_.ride_id().empty() &&
        command.set_availability().availability() == dpb::AVAILABILITY_OFFLINE) {
      u.Hit(Situation::kDriverOfflineOnTrip);
    }
  } else if (command.has_respond_to_offer()) {
    if (command.respond_to_offer().response() == dpb::OFFER_RESPONSE_ACCEPT &&
        (answer.outcome.reason == "OFFER_EXPIRED" || answer.outcome.reason == "OFFER_REVOKED" ||
         answer.outcome.reason == "OFFER_NOT_FOUND")) {
      u.judge().AcceptRefused(agent_.driver_id(), command.respond_to_offer().offer_id());
    }
    if (answer.outcome.reason == "OFFER_EXPIRED") u.Hit(Situation::kAnswerCameAfterExpiry);
    if (answer.outcome.reason == "OFFER_REVOKED") u.Hit(Situation::kAnswerCameAfterRevocation);
  }
  agent_.OnResult(u.clock().Read(), answer);
}

void DriverPhone::Received(std::uint64_t stream, const dpb::StreamDriverResponse& message) {
  Universe& u = *universe_;
  if (u.recording() && !message.has_heartbeat()) {
    u.Note(agent_.driver_id(), " receives on stream ", stream,
           stream == stream_ ? ": " : " (released): ", Brief(message));
  }
  if (stream != stream_) {
    if (message.has_replaced() && handed_over_.contains(stream)) {
      u.Hit(Situation::kDriverReplaced);
      if (!agent_.ride_id().empty()) u.Hit(Situation::kDriverReplacedOnTrip);
    }
    return;
  }
  if (message.has_command_result()) {
    sim::CommandAnswer answer{message.command_result().command_id(), sim::OutcomeOf(message.command_result().status()),
                              std::nullopt};
    if (message.command_result().state().has_ride()) answer.ride = message.command_result().state().ride();
    const auto command = commands_.find(answer.command_id);
    Answered(command == commands_.end() ? dpb::StreamDriverRequest() : command->second, answer);
    return;
  }
  if (message.has_offer()) {
    const absl::Duration remaining = DecodeDuration(message.offer().remaining());
    // Subtract the delay of the offer: about the delay of the answer.
    offer_ends_[message.offer().offer_id()] =
        u.scheduler().now() + u.clock().scale().ToWall(remaining) - 2 * u.driver_phones().weather.latency_mean;
  }
  if (message.event().type() == type::v1::RIDE_EVENT_TYPE_ASSIGNED && u.stormy() &&
      random_.Chance(u.plan().people.pause)) {
    BreakOnTrip();
  }
  if (message.has_event()) Wait(message.event().ride());
  if (message.has_draining()) u.Hit(Situation::kDrained);
  if (message.has_event() || message.snapshot().has_ride()) reply_lost_ = false;
  audit_.Receive(message);
  agent_.OnMessage(u.clock().Read(), message);
}

void DriverPhone::Ended(std::uint64_t stream, const absl::Status& status) {
  handed_over_.erase(stream);
  if (stream != stream_) return;
  call_.reset();
  watch_.reset();
  agent_.OnStreamEnd(universe_->clock().Read(), OutcomeOf(status));
}

void DriverPhone::Wake(absl::Duration domain, sim::DriverTimer timer, std::uint64_t token) {
  WakeWall(universe_->clock().scale().ToWall(domain), timer, token);
}

void DriverPhone::WakeWall(absl::Duration wall, sim::DriverTimer timer, std::uint64_t token) {
  universe_->scheduler().After(wall, nullptr,
                               [this, timer, token] { agent_.OnTimer(universe_->clock().Read(), timer, token); });
}

void DriverPhone::Count(const std::string& what) {
  if (what == "offers_shown_again") universe_->Hit(Situation::kOfferShownAgainAfterReconnect);
}

// --- Strangers ---

Stranger::Stranger(Universe* universe, int number)
    : universe_(universe), name_(absl::StrCat("stranger-", number)), random_(universe->plan().seed, name_) {
  Pry();
}

void Stranger::Pry() {
  Universe& u = *universe_;
  if (!u.stormy()) return;
  u.scheduler().After(u.clock().scale().ToWall(absl::Seconds(random_.Between(5, 60))), nullptr, [this] { Pry(); });
  if (u.ride_disk().rides.empty()) return;
  const auto victim =
      std::next(u.ride_disk().rides.begin(), static_cast<std::ptrdiff_t>(random_.Index(u.ride_disk().rides.size())));
  const std::string ride_id = victim->first;
  const auto refused = [&u, ride_id](const absl::Status& status, const std::string& what) {
    if (status.ok()) u.judge().Fail(8, "people reach only their own rides", absl::StrCat(what, " of ", ride_id));
    if (DetailsOf(status).has_value()) u.Hit(Situation::kStrangerRefused);
  };
  switch (random_.Index(5)) {
    case 0: {
      rpb::GetRideRequest get;
      get.set_rider_id(name_);
      get.set_ride_id(ride_id);
      CallRider(u, get, [refused](const auto& response) { refused(response.status(), "GetRide"); });
      return;
    }
    case 1: {
      rpb::CancelRideRequest cancel;
      cancel.set_rider_id(name_);
      cancel.set_ride_id(ride_id);
      cancel.set_reason(type::v1::CANCEL_REASON_CHANGED_PLANS);
      CallRider(u, cancel, [refused](const auto& response) { refused(response.status(), "CancelRide"); });
      return;
    }
    case 2: {
      dpb::AdvanceTripRequest step;
      step.set_driver_id(name_);
      step.set_ride_id(ride_id);
      step.set_epoch(victim->second.epoch());
      step.set_leg(victim->second.leg());
      step.mutable_complete();
      CallDriver(u, step, [refused](const auto& response) { refused(response.status(), "AdvanceTrip"); });
      return;
    }
    case 3: {
      // The rider's own request_id with a different body.
      const rider::Ride& ride = victim->second;
      rpb::RequestRideRequest again;
      again.set_rider_id(ride.rider_id());
      again.set_request_id(ride.request_id());
      again.mutable_pickup()->mutable_position()->set_latitude_deg(37.78);
      again.mutable_pickup()->mutable_position()->set_longitude_deg(-122.41);
      again.mutable_dropoff()->mutable_position()->set_latitude_deg(37.77);
      again.mutable_dropoff()->mutable_position()->set_longitude_deg(-122.42);
      again.set_product_id("economy");
      CallRider(u, again, [&u, ride_id](const auto& response) {
        if (response.ok()) u.judge().Fail(3, "one request_id, one ride", ride_id + " under another body");
      });
      return;
    }
    default: {
      // A cursor beyond the ride's events: the feed resets, then sends the present state.
      rpb::WatchRideRequest watch;
      watch.set_rider_id(victim->second.rider_id());
      watch.set_ride_id(ride_id);
      watch.set_after_sequence(1000);
      auto end = std::make_shared<ClientEnd<rpb::WatchRideResponse>>();
      end->on_message = [&u](const rpb::WatchRideResponse& message) {
        if (message.has_start_over()) u.Hit(Situation::kRiderCursorAhead);
        if (message.has_event() && message.event().sequence() > 1000) {
          u.judge().Fail(5, "no event is made up", message.event().ride_id());
        }
      };
      end->on_end = [](const absl::Status&) {};
      watching_ = OpenMethod<rider::RiderService, RiderNode>(
          &u.network(), &u.rider_phones(), end, [&u] { return u.rider(); }, watch);
      return;
    }
  }
}

}  // namespace hail::simulation
