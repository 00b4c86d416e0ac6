#include "tests/simulation/judge.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/proto/time.h"
#include "tests/tools/hail-check/ride_life.h"

namespace hail::simulation {
namespace {

using rider::Ride;
using rider::RideEvent;
using rider::RideEventType;
using rider::RideState;
using Step = driver::v1::AdvanceTripRequest;

// The rules of a ride's life, in seconds of domain time.
constexpr absl::Duration kMatchDeadline = absl::Seconds(120);
constexpr absl::Duration kSeenWithin = absl::Seconds(60);
constexpr int kMaxRedispatches = 5;
// Maximum delay (wall) until a watcher gets an event with calm disks and bus, and how long effects of the storm last.
constexpr absl::Duration kPrompt = absl::Milliseconds(600);
constexpr absl::Duration kSettle = absl::Seconds(15);
// Maximum time (wall) until a replica of driver-service finds out that another replica owns a session: its periodic
// read of the store, at the store's usual speed.
constexpr absl::Duration kOwnerKnown = absl::Seconds(3);
// Maximum time until the session's owner gets the answer to a write, or reads the result of the write. In a storm the
// store may be unreachable for this long.
constexpr absl::Duration kWishKnown = absl::Seconds(12);
constexpr absl::Duration kWishKnownInStorm = absl::Seconds(45);
// Maximum time until a stale dispatch ends. Its link is gone and neither end noticed, or the ride's owner has to find
// out by its lease, or by a query, that another replica owns the ride.
constexpr absl::Duration kDispatchEnds = absl::Seconds(20);
// An additional allowance of the same length: for a working set that still names a taken ride, or for a read that finds
// the effect of a commit that was reported as failed.
constexpr absl::Duration kFoundOut = absl::Seconds(20);
// Maximum time until a remote offer ends after its requester gave it up and the withdrawal was lost.
constexpr absl::Duration kAskEnds = absl::Seconds(8);
// How long a driver may still get the state of a ride that a replica read earlier. The replica notices a cut feed after
// 12 s of silence, and the message is delayed too.
constexpr absl::Duration kReadBefore = absl::Seconds(15);
// Maximum duration of a commit in a storm, with slow and failing disks (wall).
constexpr absl::Duration kStormyCommit = absl::Seconds(30);

// A clock that was set is corrected by 1/kClockSlew of the elapsed time.
constexpr int kClockSlew = 20;

bool Final(RideState state) { return check::IsFinal(static_cast<int>(state)); }
bool Driven(RideState state) { return check::HasDriver(static_cast<int>(state)); }
bool Legal(RideEventType type, RideState from, RideState to) {
  return check::IsLegal(static_cast<int>(type), static_cast<int>(from), static_cast<int>(to));
}

std::string Name(const Ride& ride) {
  return absl::StrCat(ride.ride_id(), " (", rider::StateName(ride.state()), ", sequence ", ride.sequence(), ", epoch ",
                      ride.epoch(), ")");
}

// Whether a request, an offer or a ride has the same words of the rider as another.
template <typename A, typename B>
bool SameWords(const A& a, const B& b) {
  return a.rider_display_name() == b.rider_display_name() && a.pickup().note() == b.pickup().note();
}

// The requested action of a step, as the index of the variant.
int ActionOf(const Step& step) { return static_cast<int>(step.action_case()); }

}  // namespace

void Judge::Fail(int invariant, const std::string& rule, const std::string& what) {
  violations_.push_back({invariant, rule, what, clock_->Read().wall});
}

void Judge::Committed(const Ride* before, const Ride& after, const RideEvent* event) {
  const absl::Time now = clock_->Read().domain;
  const std::string name = Name(after);
  if (auto& [epoch, since] = epoch_of_[after.ride_id()]; epoch < after.epoch()) {
    epoch = after.epoch();
    since = clock_->Read().wall;
  }
  if (after.state() == RideState::kMatching) {
    found_since_.erase(after.ride_id());
  } else {
    found_since_.try_emplace(after.ride_id(), clock_->Read().wall);
  }
  if (before == nullptr) {
    if (event == nullptr || event->type() != RideEventType::kRequested || after.sequence() != 1 || after.epoch() != 1 ||
        after.state() != RideState::kMatching) {
      Fail(4, "a ride begins with REQUESTED", name);
    }
    if (!after.match_deadline() || *after.match_deadline() != after.create_time() + kMatchDeadline) {
      Fail(4, "the match deadline is set on entering MATCHING", name);
    }
  } else if (event == nullptr) {
    if (before->state() != RideState::kMatching || after.state() != RideState::kMatching ||
        after.epoch() != before->epoch() + 1 || after.sequence() != before->sequence()) {
      Fail(4, "without an event only the epoch rises, while MATCHING", Name(*before) + " to " + name);
    }
    if (after.match_deadline() != before->match_deadline()) {
      Fail(4, "a broken link does not move the match deadline", name);
    }
  } else {
    if (Final(before->state())) Fail(4, "final is final", Name(*before) + " to " + name);
    if (after.sequence() != before->sequence() + 1 || event->sequence() != after.sequence()) {
      Fail(4, "events are numbered without a gap", Name(*before) + " to " + name);
    }
    if (!Legal(event->type(), before->state(), after.state()))
      Fail(4, "transitions are legal", Name(*before) + " to " + name);
    if (after.state() != before->state() && after.message().has_wait()) {
      Fail(4, "a wait ends with the next change of state", name);
    }
    const std::int64_t raised = event->type() == RideEventType::kRedispatched ? 1 : 0;
    if (after.epoch() != before->epoch() + raised) Fail(4, "the epoch rises with each dispatch", name);
    const std::string driver_id = before->driver() != nullptr ? before->driver()->driver_id() : "";
    const auto asked = [&](int action, int leg) {
      return asked_.contains({driver_id, after.ride_id(), before->epoch(), action, leg});
    };
    const auto asked_to_cancel = [&] { return asked(Step::kCancel, 0) || asked(Step::kCancel, 1); };
    switch (event->type()) {
      case RideEventType::kAssigned:
        if (std::count(after.excluded_driver_ids().begin(), after.excluded_driver_ids().end(),
                       after.driver()->driver_id()) > 0) {
          Fail(6, "who gave a ride up does not get it again", name);
        }
        break;
      case RideEventType::kArrivedAtPickup:
        if (!asked(Step::kArrive, 0)) Fail(8, "a ride moves by its driver, on its leg", name + " arrived");
        break;
      case RideEventType::kStarted:
        if (!asked(Step::kStart, 0)) Fail(8, "a ride moves by its driver, on its leg", name + " started");
        break;
      case RideEventType::kCompleted:
        if (!asked(Step::kComplete, 1)) Fail(8, "a ride moves by its driver, on its leg", name + " completed");
        break;
      case RideEventType::kWaiting:
        if (!asked(Step::kWait, before->leg())) Fail(8, "a ride moves as its driver said, on its leg", name + " waits");
        if (before->message().has_wait() && before->message().wait().reason() == after.message().wait().reason()) {
          Fail(4, "a repeated wait is no event", name);
        }
        break;
      case RideEventType::kRedispatched:
        if (event->reason() == rider::CancelReason::kDriverUnreachable) {
          if (before->seen_time() || now + Wrong() < *before->assign_time() + kSeenWithin) {
            Fail(6, "only an assignment unseen for 60 s is taken back", name);
          }
        } else if (!asked_to_cancel()) {
          Fail(8, "a ride is given up by its driver alone", name);
        }
        if (after.redispatch_count() > kMaxRedispatches) Fail(4, "at most 5 re-dispatches", name);
        if (std::count(after.excluded_driver_ids().begin(), after.excluded_driver_ids().end(), driver_id) == 0) {
          Fail(6, "who gives a ride up is excluded", name);
        }
        // Counted from the decision: the commit may come much later, because a disk may be slow and domain time runs
        // fast.
        if (!after.match_deadline() || *after.match_deadline() != after.update_time() + kMatchDeadline) {
          Fail(4, "the match deadline is set on entering MATCHING", name);
        }
        break;
      case RideEventType::kCanceled:
        if (after.cancellation()->actor == rider::CancelActor::kRider && !cancels_.contains(after.ride_id())) {
          Fail(8, "a ride is called off by its own people alone", name);
        }
        if (after.cancellation()->actor == rider::CancelActor::kDriver && !asked_to_cancel()) {
          Fail(8, "a ride is called off by its own people alone", name);
        }
        break;
      case RideEventType::kUnfulfilled:
        if (now + Wrong() < *before->match_deadline()) Fail(2, "a ride ends unfulfilled only after its deadline", name);
        break;
      default:
        break;
    }
  }
  if (event != nullptr) {
    committed_at_[{after.ride_id(), after.sequence()}] = clock_->Read().wall;
    if (event->type() == RideEventType::kAssigned) {
      assigned_by_[after.offer_id()] = after.driver()->driver_id();
      const auto epoch = confirmed_at_epoch_.find(after.offer_id());
      if (epoch == confirmed_at_epoch_.end() || epoch->second != after.epoch()) {
        Fail(7, "an offer of another epoch is not accepted", name + " by " + after.offer_id());
      }
      if (refused_.contains(after.offer_id()))
        Fail(6, "a refusal of an accept is not taken back", name + " by " + after.offer_id());
    }
  }
  // At most one live ride for each rider and driver. Counted over the rows, so that the check does not depend on an
  // index.
  int of_driver = 0, of_rider = 0;
  for (const auto& [ride_id, ride] : disk_->rides) {
    if (Final(ride.state())) continue;
    if (ride.rider_id() == after.rider_id()) ++of_rider;
    if (after.driver() != nullptr && Driven(ride.state()) && ride.driver() != nullptr &&
        ride.driver()->driver_id() == after.driver()->driver_id()) {
      ++of_driver;
    }
  }
  if (of_driver > 1) Fail(1, "one live ride for a driver", name + " of " + after.driver()->driver_id());
  if (of_rider > 1) Fail(1, "one live ride for a rider", name + " of " + after.rider_id());
}

void Judge::DriverAsked(const std::string& driver_id, const Step& step) {
  asked_.emplace(driver_id, step.ride_id(), step.epoch(), ActionOf(step), step.leg());
}

void Judge::ToldRider(const std::string& rider_id, const type::v1::Ride& ride) {
  const Ride* row = disk_->Find(ride.ride_id());
  const std::string name = absl::StrCat(ride.ride_id(), " sequence ", ride.sequence(), " to ", rider_id);
  if (row == nullptr) return Fail(2, "nothing is published before it is committed", name);
  if (row->rider_id() != rider_id || ride.rider_id() != rider_id) Fail(8, "a ride is shown to its own rider", name);
  const auto log = disk_->events.find(ride.ride_id());
  const auto event = log->second.find(ride.sequence());
  if (event == log->second.end()) return Fail(2, "nothing is published before it is committed", name);
  if (static_cast<int>(event->second.ride.state()) != static_cast<int>(ride.state())) {
    Fail(5, "a message shows the stored version", name);
  }
}

void Judge::ToldDriver(const std::string& driver_id, const type::v1::Ride& ride) {
  const std::string name =
      absl::StrCat(ride.ride_id(), " sequence ", ride.sequence(), " epoch ", ride.epoch(), " to ", driver_id);
  const auto log = disk_->events.find(ride.ride_id());
  const auto event = log == disk_->events.end() ? decltype(log->second.begin())() : log->second.find(ride.sequence());
  if (log == disk_->events.end() || event == log->second.end()) {
    return Fail(2, "nothing is published before it is committed", name);
  }
  if (event->second.driver_id != driver_id) Fail(8, "a ride is shown to its own driver", name);
  if (!SameWords(ride, event->second.ride.message())) Fail(5, "a message shows the stored version", name);
  const RideState state = static_cast<RideState>(static_cast<int>(ride.state()));
  if (!Driven(state)) return;
  const auto [known, first] = assigned_to_.try_emplace({ride.ride_id(), ride.epoch()}, driver_id);
  if (!first && known->second != driver_id)
    Fail(1, "one (ride, epoch), one driver", name + ", before " + known->second);
}

void Judge::ToldDriverNoRide(const std::string& replica, const std::string& driver_id) {
  const auto live = disk_->live_of_driver.find(driver_id);
  if (live == disk_->live_of_driver.end()) return;
  const Ride& ride = disk_->rides.at(live->second);
  const auto granted = granted_.find(ride.offer_id());
  if (granted == granted_.end()) return;
  // A message written before may have waited in the stream's queue. A replica that did not grant the accept knows only
  // what it read at rider-service, which may be older than the grant.
  const bool elsewhere = confirmed_by_[ride.offer_id()] != replica;
  if (clock_->Read().wall - granted->second < (elsewhere ? kReadBefore : absl::Seconds(1))) return;
  Fail(6, "a granted accept is not unsaid", Name(ride) + " of " + driver_id);
}

void Judge::Acknowledged(const rider::v1::RequestRideRequest& request, const type::v1::Ride& ride) {
  const std::string& request_id = request.request_id();
  ToldRider(request.rider_id(), ride);
  if (!SameWords(ride, request)) Fail(3, "a ride has the words of its request", request_id);
  const auto [known, first] = acknowledged_.try_emplace({request.rider_id(), request_id}, ride.ride_id());
  if (!first && known->second != ride.ride_id()) {
    Fail(3, "one request_id, one ride", absl::StrCat(request_id, ": ", known->second, " and ", ride.ride_id()));
  }
}

void Judge::StepAnswered(const std::string& driver_id, const Step& step) {
  const Ride* row = disk_->Find(step.ride_id());
  const std::string name = absl::StrCat(step.ride_id(), " epoch ", step.epoch(), " of ", driver_id);
  if (row == nullptr) return Fail(2, "nothing is answered before it is committed", name);
  // The assignment has ended since, and its step state with it.
  if (row->epoch() != step.epoch()) return;
  bool done = true;
  switch (step.action_case()) {
    case Step::kSeen:
      done = row->seen_time().has_value();
      break;
    case Step::kArrive:
      done = row->arrive_time().has_value();
      break;
    case Step::kStart:
      done = row->message().has_start_time();
      break;
    case Step::kComplete:
      done = row->state() == RideState::kCompleted || step.leg() == 0;
      break;
    case Step::kWait:
      done = row->message().has_wait() || row->leg() > step.leg();
      break;
    case Step::kCancel:
      done = row->state() == RideState::kCanceled;
      break;
    default:
      break;
  }
  if (!done && !Final(row->state())) Fail(2, "nothing is answered before it is committed", name);
}

void Judge::Claimed(const driver::SessionClaim& session) {
  Session& known = sessions_[session.driver_id];
  if (known.replica == session.replica) return;
  known = {session.replica, clock_->Read().wall};
}

void Judge::DriverStoreSlow(const std::string& replica, absl::Duration late) {
  slow_[replica].emplace_back(clock_->Read().wall, late);
}

void Judge::CheckOwner(const std::string& replica, const std::string& driver_id, const std::string& name) {
  const auto session = sessions_.find(driver_id);
  if (session == sessions_.end() || session->second.replica == replica) return;
  const absl::Time since = session->second.since;
  absl::Duration allowed = kOwnerKnown;
  if (const auto slow = slow_.find(replica); slow != slow_.end()) {
    for (const auto& [when, late] : slow->second) {
      if (when + late > since) allowed += late;
    }
  }
  const absl::Duration passed = clock_->Read().wall - since;
  if (passed <= allowed) return;
  Fail(7, "a driver is offered rides by the session's owner",
       absl::StrCat(name, ", by ", replica, ", of ", session->second.replica, " for ", absl::FormatDuration(passed)));
}

void Judge::Started(const std::string& ride_id, std::int64_t epoch, const std::string& link) {
  const auto [known, first] = started_.try_emplace({ride_id, epoch}, link);
  if (!first && known->second != link) {
    Fail(7, "a ride is dispatched once at an epoch",
         absl::StrCat(ride_id, " epoch ", epoch, " by ", link, ", before by ", known->second));
  }
}

bool Judge::HasPendingOffer(const std::string& driver_id, const std::string& replica) const {
  const auto offer = live_of_driver_.find({replica, driver_id});
  return offer != live_of_driver_.end() && !live_.at(offer->second).confirming;
}

void Judge::OfferShown(const std::string& replica, const std::string& driver_id, const driver::v1::Offer& offer) {
  const Now now = clock_->Read();
  const std::string name = absl::StrCat(offer.offer_id(), " of ", offer.ride_id(), " epoch ", offer.epoch(), " to ",
                                        driver_id, " by ", replica);
  if (offer.status() != driver::v1::OFFER_STATUS_PENDING) return;
  // An offer that settled while it waited in the stream's queue goes out, followed by the message that it ended.
  const auto settled = settled_.find(offer.offer_id());
  if (settled != settled_.end() && now.wall - settled->second > absl::Seconds(1)) {
    Fail(7, "an offer that is over is not shown", name);
  }
  if (settled != settled_.end()) return;
  const double scale = clock_->scale().scale;
  CheckOwner(replica, driver_id, name);
  if (!live_.contains(offer.offer_id())) {
    if (const auto other = live_of_driver_.find({replica, driver_id}); other != live_of_driver_.end()) {
      Fail(7, "one live offer for a driver", name + ", beside " + other->second);
    }
    if (const auto other = live_of_ride_.find({replica, offer.ride_id()}); other != live_of_ride_.end()) {
      Fail(7, "one live offer for a ride", name + ", beside " + other->second);
    }
    const absl::Duration remaining = DecodeDuration(offer.remaining());
    if (const auto epoch = epoch_of_.find(offer.ride_id()); epoch != epoch_of_.end() &&
                                                            epoch->second.first > offer.epoch() &&
                                                            now.wall > epoch->second.second + kDispatchEnds) {
      Fail(7, "nobody is offered a ride at an epoch that is over", name);
    }
    if (const auto found = found_since_.find(offer.ride_id());
        found != found_since_.end() && now.wall > found->second + kDispatchEnds + kFoundOut) {
      Fail(7, "nobody is offered a ride that does not wait", name);
    }
    live_[offer.offer_id()] = {replica,  driver_id, offer.ride_id(), offer.epoch(), now.domain + remaining, remaining,
                               now.wall, false};
    live_of_driver_[{replica, driver_id}] = offer.offer_id();
    live_of_ride_[{replica, offer.ride_id()}] = offer.offer_id();
    const Ride* row = disk_->Find(offer.ride_id());
    if (row != nullptr && !SameWords(offer, row->message())) Fail(5, "a message shows the stored version", name);
    if (row != nullptr && row->epoch() == offer.epoch() && row->state() == RideState::kMatching) {
      if (std::count(row->excluded_driver_ids().begin(), row->excluded_driver_ids().end(), driver_id) > 0) {
        Fail(6, "who gave a ride up is not asked again", name);
      }
      // The link carries the remaining time, so the deadline may be late by the delay of a message.
      if (now.domain > *row->match_deadline() + absl::Seconds(8) * scale + Wrong()) {
        Fail(6, "no offer after the match deadline", name);
      }
    }
  }
  const auto busy = disk_->live_of_driver.find(driver_id);
  if (busy != disk_->live_of_driver.end()) {
    const Ride& ride = disk_->rides.at(busy->second);
    if (ride.assign_time() && now.domain > *ride.assign_time() + absl::Seconds(30) * scale + Wrong()) {
      Fail(6, "a driver with a ride is not offered another", name + ", on " + ride.ride_id());
    }
  }
}

void Judge::OfferSettled(const driver::OfferRecord& record) {
  settled_.emplace(record.offer_id, clock_->Read().wall);
  live_.erase(record.offer_id);
  const auto over = [&](const auto& of) { return of.second == record.offer_id; };
  std::erase_if(live_of_driver_, over);
  std::erase_if(live_of_ride_, over);
}

void Judge::ConfirmAsked(const std::string& replica, const std::string& offer_id, const std::string& driver_id,
                         const std::string& ride_id, std::int64_t epoch, int attempt) {
  const std::string name = absl::StrCat(offer_id, " of ", ride_id, " epoch ", epoch, " for ", driver_id);
  confirmed_at_epoch_[offer_id] = epoch;
  confirmed_by_[offer_id] = replica;
  if (settled_.contains(offer_id)) Fail(7, "an offer that is over is not confirmed", name);
  const auto shown = live_.find(offer_id);
  if (shown == live_.end()) return;
  shown->second.confirming = true;
  if (attempt > 1) return;
  // A clock that is slowed down passes the remaining time in kClockSlew / (kClockSlew - 1) of it.
  const absl::Duration slow =
      Wrong() > absl::ZeroDuration() ? shown->second.remaining / (kClockSlew - 1) : absl::Duration();
  // Before the offer was shown it may have waited 2 ms in the stream's queue.
  if (clock_->Read().domain > shown->second.expires + slow + absl::Milliseconds(2) * clock_->scale().scale) {
    Fail(7, "an expired offer is not accepted", name);
  }
}

void Judge::AcceptGranted(const std::string& driver_id, const std::string& offer_id) {
  const auto driver = assigned_by_.find(offer_id);
  if (driver == assigned_by_.end() || driver->second != driver_id) {
    Fail(6, "a granted accept is an assignment", offer_id + " of " + driver_id);
  }
  granted_.try_emplace(offer_id, clock_->Read().wall);
}

void Judge::AcceptRefused(const std::string& driver_id, const std::string& offer_id) {
  // Both answers are right if the ride was the driver's and the assignment has ended since.
  const auto live = disk_->live_of_driver.find(driver_id);
  if (live != disk_->live_of_driver.end() && disk_->rides.at(live->second).offer_id() == offer_id) {
    Fail(6, "a refused accept is no assignment", offer_id + " of " + driver_id);
  }
  refused_.insert(offer_id);
}

void Judge::Watched(const std::string& ride_id, std::int64_t sequence, absl::Time opened, absl::Time answered) {
  const auto committed = committed_at_.find({ride_id, sequence});
  if (committed == committed_at_.end()) return;
  if (committed->second < std::max(opened, calm_since_ + kSettle)) return;
  const absl::Duration late = clock_->Read().wall - std::max(committed->second, answered);
  if (late < kPrompt) return;
  Fail(5, "a watcher gets an event at once, not when the check finds it",
       absl::StrCat(ride_id, " sequence ", sequence, ", after ", absl::FormatDuration(late)));
}

void Judge::Look() {
  const Now now = clock_->Read();
  for (const auto& [offer_id, offer] : live_) {
    if (offer.confirming) continue;
    CheckOwner(offer.replica, offer.driver_id, absl::StrCat(offer_id, " to ", offer.driver_id));
    for (const auto& [other_id, other] : live_) {
      if (other_id != offer_id && other.ride_id == offer.ride_id && other.epoch == offer.epoch && !other.confirming &&
          now.wall > std::max(offer.shown, other.shown) + kAskEnds) {
        Fail(7, "one live offer for a ride", absl::StrCat(offer_id, " of ", offer.ride_id, ", beside ", other_id));
      }
    }
    if (now.domain < offer.expires + absl::Seconds(1) * clock_->scale().scale) continue;
    Fail(7, "an offer ends with its time", offer_id + " of " + offer.ride_id + " to " + offer.driver_id);
  }
  for (const auto& [driver_id, ride_id] : disk_->live_of_driver) {
    const Ride& ride = disk_->rides.at(ride_id);
    if (ride.state() != RideState::kEnrouteToPickup || ride.seen_time()) continue;
    const absl::Time due = std::max(*ride.assign_time() + kSeenWithin, rider_up_since_);
    if (now.domain > due + kStormyCommit * clock_->scale().scale + Wrong()) {
      Fail(6, "an unseen assignment is taken back", Name(ride) + " of " + driver_id);
    }
  }
}

void Judge::OwnerGoesBy(const std::string& replica, const std::string& driver_id, driver::Availability known,
                        driver::Availability stored) {
  if (known == stored) {
    mistaken_.erase(driver_id);
    return;
  }
  const absl::Time now = clock_->Read().wall;
  Session& mistaken = mistaken_.try_emplace(driver_id, Session{replica, now}).first->second;
  if (mistaken.replica != replica) mistaken = {replica, now};
  const bool calm = now > calm_since_;
  if (now - std::max(mistaken.since, calm ? calm_since_ : mistaken.since) <= (calm ? kWishKnown : kWishKnownInStorm)) {
    return;
  }
  Fail(7, "the owner of a session uses the stored availability",
       absl::StrCat(driver_id, " at ", replica, " since ", absl::FormatDuration(now - mistaken.since)));
}

void Judge::RiderServiceUp(bool up, absl::Duration later) {
  rider_up_since_ = up ? clock_->Read().domain + later * clock_->scale().scale : absl::InfiniteFuture();
}

absl::Duration Judge::Wrong() const {
  const absl::Time until = std::min(clock_->Read().wall, calm_since_);
  return std::max(until - clock_set_since_, absl::ZeroDuration()) / kClockSlew * clock_->scale().scale;
}

void Judge::DriverServiceDied(const std::string& replica) {
  std::erase_if(live_, [&](const auto& offer) { return offer.second.replica == replica; });
  std::erase_if(live_of_driver_, [&](const auto& offer) { return offer.first.first == replica; });
  std::erase_if(live_of_ride_, [&](const auto& offer) { return offer.first.first == replica; });
}

void Judge::Quiet(const std::map<std::string, std::string>& ride_in_hand, const std::vector<std::string>& unanswered) {
  for (const auto& [ride_id, ride] : disk_->rides) {
    if (!Final(ride.state())) Fail(2, "a ride is over, or worked on", Name(ride));
  }
  for (const auto& [request, ride_id] : acknowledged_) {
    const auto stored = disk_->by_request.find(request);
    if (stored == disk_->by_request.end() || stored->second != ride_id) {
      Fail(2, "an acknowledged request survives", absl::StrCat(request.second, " of ", request.first));
    }
  }
  for (const auto& [driver_id, in_hand] : ride_in_hand) {
    const auto live = disk_->live_of_driver.find(driver_id);
    const std::string stored = live == disk_->live_of_driver.end() ? "" : live->second;
    if (in_hand != stored) {
      Fail(6, "a driver knows of the ride in hand",
           absl::StrCat(driver_id, ": '", in_hand, "', stored '", stored, "'"));
    }
  }
  for (const std::string& who : unanswered) Fail(6, "everybody is answered", who);
}

}  // namespace hail::simulation
