// Drivers' sessions: streams, the feed about their rides, what they are told.
#include <algorithm>
#include <utility>

#include "common/errors/check.h"
#include "driver-service/domain/dispatch_state.h"

namespace hail::driver {
namespace {

// Rides whose events may still cross: the one in hand and the few before it.
constexpr std::size_t kToldRides = 8;

RideCursor* ToldOf(std::deque<RideCursor>& told, const std::string& ride_id) {
  auto it = std::find_if(told.begin(), told.end(), [&](const RideCursor& c) { return c.ride_id == ride_id; });
  return it == told.end() ? nullptr : &*it;
}

// Whether `ride`, as of its sequence, is known to have ended since for this driver.
bool IsOver(const RideCursor& over, const RideView& ride) {
  return ride.ride_id == over.ride_id && ride.sequence <= over.sequence;
}

// Moves the cursor to (ride_id, sequence), never backwards. False: that much was told before.
bool Tell(std::deque<RideCursor>& told, const RideView& ride) {
  RideCursor* cursor = ToldOf(told, ride.ride_id);
  if (cursor == nullptr) {
    told.push_back({ride.ride_id, ride.sequence});
    if (told.size() > kToldRides) told.pop_front();
    return true;
  }
  if (ride.sequence <= cursor->sequence) return false;
  cursor->sequence = ride.sequence;
  return true;
}

}  // namespace

Dispatch::Session* Dispatch::FindSession(const std::string& driver_id) const {
  auto it = sessions_.find(driver_id);
  return it == sessions_.end() ? nullptr : it->second.get();
}

Dispatch::Session& Dispatch::SessionOf(const std::string& driver_id) const {
  Session* session = FindSession(driver_id);
  HAIL_CHECK(session != nullptr);
  return *session;
}

Dispatch::Offer& Dispatch::OfferOf(const std::string& offer_id) const {
  const auto it = offers_.find(offer_id);
  HAIL_CHECK(it != offers_.end());
  return *it->second;
}

bool Dispatch::HasSession(const std::string& driver_id) const { return FindSession(driver_id) != nullptr; }

Dispatch::Session& Dispatch::Open(Now now, const Driver& driver, Availability availability, std::int64_t epoch,
                                  bool by_stream) {
  std::unique_ptr<Session>& slot = sessions_[driver.driver_id];
  if (slot == nullptr) {
    slot = std::make_unique<Session>();
    slot->driver = driver;
    slot->availability = availability;
    SetCar(*slot);
    if (auto orphan = orphans_.extract(driver.driver_id)) slot->live_offer = std::move(orphan.mapped());
  } else if (slot->driver.version < driver.version) {
    Take(now, *slot, driver, availability);
  }
  if (auto remote = remotes_.extract(driver.driver_id)) {
    index_.SetOfferable(driver.driver_id, slot->offerable);
    if (auto asked = asked_.find(remote.mapped()->asked);
        asked != asked_.end() && asked->second->status == OfferStatus::kPending) {
      WithdrawAsked(now, *asked->second, RevokeReason::kSuperseded);
    }
  }
  // Two claims of this process may come in the other order.
  slot->epoch = std::max(slot->epoch, epoch);
  slot->by_stream = slot->by_stream || by_stream;
  slot->claim = std::max(slot->claim, epoch);
  TellClaim(*slot);
  slot->last_seen = now.wall;
  return *slot;
}

std::int64_t Dispatch::OpenStream(Now now, const Driver& driver, Availability availability, std::int64_t epoch,
                                  StreamId stream, std::optional<RideCursor> cursor, const Opening& opening) {
  if (const Session* open = FindSession(driver.driver_id); open != nullptr && open->stream != 0) {
    const bool opened_before = !opening.incarnation_id.empty() &&
                               opening.incarnation_id == open->opening.incarnation_id &&
                               opening.number < open->opening.number;
    if (opened_before || epoch < open->stream_epoch) {
      effects_.ToDriver(stream, Replaced{});
      return open->epoch;
    }
  }
  if (auto remote = remotes_.find(driver.driver_id); remote != remotes_.end() && epoch < remote->second->epoch) {
    RefuseStream(stream, remote->second->by_stream);
    return epoch;
  }
  Session& session = Open(now, driver, availability, epoch, /*by_stream=*/true);
  if (session.stream != 0) effects_.ToDriver(session.stream, Replaced{});
  session.stream = stream;
  session.stream_epoch = epoch;
  session.opening = opening;
  session.told.clear();
  session.state_told.reset();
  if (cursor.has_value()) session.told.push_back(*std::move(cursor));
  // The epoch of the positions to come has changed.
  if (session.ride != nullptr) effects_.OnTrip(driver.driver_id, session.epoch, session.ride);
  Subscribe(now, session);
  Pump(now);
  return session.epoch;
}

void Dispatch::CloseStream(Now now, const std::string& driver_id, StreamId stream) {
  Session* session = FindSession(driver_id);
  if (session == nullptr || session->stream != stream) return;
  session->stream = 0;
  session->last_seen = now.wall;
  session->told.clear();
  Review(now, driver_id);
  Pump(now);
}

bool Dispatch::Contact(Now now, const std::string& driver_id) {
  Session* session = FindSession(driver_id);
  if (session == nullptr) return false;
  session->last_unary = now.wall;
  session->last_seen = now.wall;
  Review(now, driver_id);
  Pump(now);
  return true;
}

std::int64_t Dispatch::OpenUnary(Now now, const Driver& driver, Availability availability, std::int64_t epoch) {
  if (Session* session = FindSession(driver.driver_id); session != nullptr) {
    // Claimed while another opening was under way. The fixes of the stream carry the epoch it was told.
    if (session->claim < epoch) {
      session->claim = epoch;
      TellClaim(*session);
    }
    if (session->driver.version < driver.version) Take(now, *session, driver, availability);
    Contact(now, driver.driver_id);
    return session->epoch;
  }
  Session& session = Open(now, driver, availability, epoch, /*by_stream=*/false);
  session.last_unary = now.wall;
  Subscribe(now, session);
  Review(now, driver.driver_id);
  return session.epoch;
}

void Dispatch::OnClaims(Now now, const std::vector<SessionClaim>& claims) {
  for (const SessionClaim& claim : claims) {
    if (claim.replica != options_.replica) {
      On(now, claim.replica, SessionClaimed{claim.driver_id, claim.epoch, claim.by_stream});
    } else if (Session* session = FindSession(claim.driver_id); session != nullptr && session->claim < claim.epoch) {
      session->claim = claim.epoch;
      session->by_stream = session->by_stream || claim.by_stream;
      TellClaim(*session);
    }
  }
  Pump(now);
}

void Dispatch::Lose(Now now, const std::string& driver_id, std::int64_t epoch, bool to_stream) {
  Session* session = FindSession(driver_id);
  if (session == nullptr || epoch <= session->claim) return;
  if (const StreamId stream = std::exchange(session->stream, 0); stream != 0) RefuseStream(stream, to_stream);
  if (!session->live_offer.empty()) {
    Offer& offer = OfferOf(session->live_offer);
    if (offer.status == OfferStatus::kPending) {
      Settle(now, offer, OfferStatus::kRevoked, RevokeReason::kSuperseded);
    } else {
      orphans_[driver_id] = offer.offer_id;
    }
  }
  if (session->ride != nullptr) effects_.OnTrip(driver_id, session->epoch, nullptr);
  if (feed_up_) effects_.FeedUnsubscribe(driver_id);
  // The position stays: whoever has the driver now says what can be asked of it.
  index_.SetOfferable(driver_id, false);
  effects_.OnSessionGone(driver_id);
  sessions_.erase(driver_id);
}

// The app that is told it was replaced stays away: so it is told only where another stream of it is.
void Dispatch::RefuseStream(StreamId stream, bool to_stream) {
  if (to_stream) {
    effects_.ToDriver(stream, Replaced{});
  } else {
    effects_.ToDriver(stream, Moved{});
  }
}

void Dispatch::TellClaim(const Session& session) {
  const std::string& driver_id = session.driver.driver_id;
  effects_.ToReplicas(SessionClaimed{driver_id, session.claim, session.by_stream});
  effects_.OnOfferable(driver_id, session.claim, session.offerable, session.car);
}

SessionClaim Dispatch::ClaimOf(const std::string& driver_id) const {
  const Session* session = FindSession(driver_id);
  if (session == nullptr) return {driver_id};
  return {driver_id, session->claim, options_.replica, session->by_stream};
}

// Makes the car of session.driver known. False: it was.
bool Dispatch::SetCar(Session& session) {
  const Driver& driver = session.driver;
  CarProfile car{driver.region_id, driver.product_ids, driver.vehicle.seats};
  if (session.car != nullptr && *session.car == car) return false;
  session.car = std::make_shared<const CarProfile>(std::move(car));
  index_.SetCar(driver.driver_id, session.car);
  return true;
}

void Dispatch::Learn(Now now, const Driver& driver, Availability availability) {
  Session* session = FindSession(driver.driver_id);
  if (session == nullptr || driver.version < session->driver.version) return;
  Take(now, *session, driver, availability);
  Pump(now);
}

void Dispatch::Take(Now now, Session& session, const Driver& driver, Availability availability) {
  session.driver = driver;
  if (SetCar(session)) effects_.OnOfferable(driver.driver_id, session.claim, session.offerable, session.car);
  session.availability = availability;
  if (availability == Availability::kOffline && !session.live_offer.empty()) {
    Offer& offer = OfferOf(session.live_offer);
    if (offer.status == OfferStatus::kPending) Settle(now, offer, OfferStatus::kRevoked, RevokeReason::kWentOffline);
  }
  UpdateOfferable(now, session);
}

std::optional<RideCursor> Dispatch::CursorOf(const std::string& driver_id) const {
  const Session* session = FindSession(driver_id);
  if (session == nullptr || session->told.empty()) return std::nullopt;
  return session->told.back();
}

DriverState Dispatch::State(Now now, const std::string& driver_id) const {
  if (Session* session = FindSession(driver_id); session != nullptr) return StateOf(now, *session);
  DriverState state;
  state.driver_id = driver_id;
  return state;
}

DriverState Dispatch::ReadState(Now now, const std::string& driver_id, std::int64_t session_epoch) {
  const Session* session = FindSession(driver_id);
  if (session != nullptr && session_epoch == session->epoch) {
    Contact(now, driver_id);
    if (!session->live_offer.empty()) OfferReceived(now, driver_id, session->live_offer);
  }
  return State(now, driver_id);
}

DriverState Dispatch::StateOf(Now now, Session& session) const {
  DriverState state;
  state.driver_id = session.driver.driver_id;
  state.availability = session.availability;
  state.ride = session.ride;
  state.session_epoch = session.epoch;
  const Offer* offer = session.live_offer.empty() ? nullptr : &OfferOf(session.live_offer);
  if (offer != nullptr) state.offer = View(now, *offer);
  state.status = StatusOf(now, session, state.blocked_by);
  // Numbered as it is looked at: what nobody saw between two looks was no state to anybody.
  decltype(session.shown) shown{state.status,
                                state.availability,
                                state.blocked_by,
                                session.live_offer,
                                offer != nullptr ? offer->status : OfferStatus::kPending,
                                state.ride != nullptr ? state.ride->ride_id : "",
                                state.ride != nullptr ? state.ride->sequence : 0};
  if (session.revision == 0 || shown != session.shown) {
    ++session.revision;
    session.shown = std::move(shown);
  }
  state.revision = session.revision;
  return state;
}

// ---- What streams are told of it

void Dispatch::MayHaveChanged(const Session& session) {
  if (session.stream != 0) changed_.insert(session.driver.driver_id);
}

void Dispatch::Positioned(const std::string& driver_id) {
  if (const Session* session = FindSession(driver_id); session != nullptr) MayHaveChanged(*session);
}

void Dispatch::StateSent(const std::string& driver_id, StreamId stream, const DriverState& state) {
  Session* session = FindSession(driver_id);
  if (session == nullptr || session->stream != stream || !session->state_told.has_value()) return;
  // An answer can be as of earlier.
  if (state.session_epoch != session->epoch || state.revision != session->revision) return;
  session->state_told = {state.status, state.availability, state.blocked_by};
}

// In Tick alone: of several changes at a time the last one counts, and where an answer to a command shows it, the
// answer is enough.
void Dispatch::TellStates(Now now) {
  for (const std::string& driver_id : std::exchange(changed_, {})) {
    Session* session = FindSession(driver_id);
    if (session == nullptr || session->stream == 0 || !session->state_told.has_value()) continue;
    const DriverState state = StateOf(now, *session);
    const std::tuple told{state.status, state.availability, state.blocked_by};
    if (*session->state_told != told) {
      session->state_told = told;
      Send(*session, StateChanged{state});
    }
    LookAgain(now, *session, state);
  }
}

void Dispatch::LookAgain(Now now, Session& session, const DriverState& state) {
  const std::string& driver_id = session.driver.driver_id;
  if (state.status == DriverStatus::kAvailable && !session.stale_again) {
    session.stale_again = true;
    const absl::Time stale = index_.Find(driver_id)->observed + options_.position_freshness;
    domain_timers_.insert({std::max(stale, now.domain) + absl::Milliseconds(1), {TimerKind::kStaleAgain, driver_id}});
  }
  if (state.blocked_by != BlockedBy::kStalePosition) {
    session.fresh_again_in = absl::ZeroDuration();
  } else if (!session.fresh_again) {
    session.fresh_again = true;
    session.fresh_again_in =
        std::clamp(2 * session.fresh_again_in, options_.stale_look_first, options_.stale_look_last);
    wall_timers_.insert({now.wall + session.fresh_again_in, {TimerKind::kFreshAgain, driver_id}});
  }
}

DriverStatus Dispatch::StatusOf(Now now, const Session& session, BlockedBy& blocked_by) const {
  blocked_by = {};
  if (session.ride != nullptr) return DriverStatus::kOnTrip;
  if (!session.live_offer.empty()) {
    return OfferOf(session.live_offer).status == OfferStatus::kConfirming ? DriverStatus::kReserved
                                                                          : DriverStatus::kOffered;
  }
  if (session.availability != Availability::kOnline) return DriverStatus::kOffline;
  const std::optional<Fix> fix = index_.Find(session.driver.driver_id);
  if (session.stream == 0 && now.wall - session.last_unary >= options_.contact_time) {
    blocked_by = BlockedBy::kNotConnected;
  } else if (!session.synced) {
    blocked_by = BlockedBy::kNotSynced;
  } else if (!fix.has_value() || fix->observed < now.domain - options_.position_freshness) {
    blocked_by = BlockedBy::kStalePosition;
  } else {
    return DriverStatus::kAvailable;
  }
  return DriverStatus::kOffline;
}

void Dispatch::UpdateOfferable(Now now, Session& session) {
  MayHaveChanged(session);
  const bool connected = session.stream != 0 || now.wall - session.last_unary < options_.contact_time;
  const bool offerable = session.availability == Availability::kOnline && connected && session.synced &&
                         session.ride == nullptr && session.live_offer.empty();
  if (offerable == session.offerable) return;
  session.offerable = offerable;
  index_.SetOfferable(session.driver.driver_id, offerable);
  effects_.OnOfferable(session.driver.driver_id, session.claim, offerable, session.car);
}

// A session without a stream is looked at when its unary contact grows old, and when it is idle for long.
void Dispatch::Review(Now now, const std::string& driver_id) {
  Session* session = FindSession(driver_id);
  if (session == nullptr || session->stream != 0) return;
  UpdateOfferable(now, *session);
  const bool tied = session->ride != nullptr || !session->live_offer.empty();
  const absl::Time idle_at = session->last_seen + options_.session_idle;
  if (!tied && now.wall >= idle_at) {
    if (feed_up_) effects_.FeedUnsubscribe(driver_id);
    index_.Remove(driver_id);
    effects_.OnSessionGone(driver_id);
    sessions_.erase(driver_id);
    return;
  }
  const absl::Time contact_ends = session->last_unary + options_.contact_time;
  absl::Time next = contact_ends > now.wall ? contact_ends : idle_at;
  if (next <= now.wall) next = now.wall + options_.session_idle;
  if (session->review_at <= next && session->review_at > now.wall) return;
  session->review_at = next;
  wall_timers_.insert({next, {TimerKind::kReview, driver_id}});
}

// ---- The feed

void Dispatch::Subscribe(Now now, Session& session) {
  session.synced = false;
  ++session.feed_generation;
  // Whatever answers this is newer than what a confirmation told so far.
  session.unverified_ride.clear();
  if (feed_up_) {
    session.subscription = ++last_subscription_;
    session.subscribed_at = now.wall;
    std::optional<RideCursor> cursor;
    if (session.stream != 0 && !session.told.empty()) cursor = session.told.back();
    effects_.FeedSubscribe(session.driver.driver_id, session.subscription, cursor);
    wall_timers_.insert({now.wall + options_.feed_answer_time, {TimerKind::kFeedAnswer, session.driver.driver_id}});
  }
  UpdateOfferable(now, session);
}

void Dispatch::OnFeedUp(Now now) {
  feed_up_ = true;
  for (auto& [id, session] : sessions_) Subscribe(now, *session);
}

void Dispatch::OnFeedDown(Now now) {
  feed_up_ = false;
  for (auto& [id, session] : sessions_) {
    session->synced = false;
    session->subscription = 0;
    ++session->feed_generation;
    UpdateOfferable(now, *session);
  }
}

void Dispatch::OnFeedSnapshot(Now now, const FeedSnapshot& snapshot) {
  Session* session = FindSession(snapshot.driver_id);
  if (session == nullptr || session->subscription != snapshot.subscription || !feed_up_) return;
  auto mentions = [&](const RideRef& ride) { return ride != nullptr && ride->ride_id == session->unverified_ride; };
  if (!session->unverified_ride.empty() && !mentions(snapshot.ride) &&
      std::none_of(snapshot.missed.begin(), snapshot.missed.end(),
                   [&](const RideEventView& event) { return mentions(event.ride); })) {
    // It may have been taken before the confirmation was committed. One that is asked for now cannot have been.
    Subscribe(now, *session);
    return;
  }
  session->unverified_ride.clear();
  session->synced = true;
  ++session->feed_generation;
  RideRef ride = snapshot.ride != nullptr && snapshot.ride->live ? snapshot.ride : nullptr;
  // A confirmation's reply can be newer than a snapshot under way.
  if (ride != nullptr && session->ride != nullptr && session->ride->ride_id == ride->ride_id &&
      session->ride->sequence > ride->sequence) {
    ride = session->ride;
  }
  if (ride != nullptr && IsOver(session->over, *ride)) ride = nullptr;
  SetRide(now, *session, ride);
  for (const RideEventView& event : snapshot.missed) LearnAssignment(now, *session, event.ride);
  if (ride != nullptr) LearnAssignment(now, *session, ride);

  if (session->stream != 0) {
    if (snapshot.reset) {
      session->told.clear();
      Send(*session, Reset{});
    }
    for (const RideEventView& event : snapshot.missed) SendEvent(*session, event);
    const DriverState state = StateOf(now, *session);
    session->state_told = {state.status, state.availability, state.blocked_by};
    Send(*session, Snapshot{state});
    // The events the snapshot holds are told, also where an answer to a step was ahead of the feed; those after it are
    // still to come.
    std::int64_t sequence = 0;
    for (const RideRef& shown : {snapshot.ride, state.ride}) {
      if (shown == nullptr) continue;
      Tell(session->told, *shown);
      sequence = shown->sequence;
    }
    Send(*session, CaughtUp{sequence});
  }
  Pump(now);
}

void Dispatch::OnFeedEvent(Now now, const FeedEvent& event) {
  Session* session = FindSession(event.driver_id);
  if (session == nullptr || session->subscription != event.subscription || !session->synced) return;
  const RideRef& ride = event.event.ride;
  if (ride->ride_id == session->unverified_ride) session->unverified_ride.clear();
  const bool in_hand = session->ride != nullptr && session->ride->ride_id == ride->ride_id;
  const bool newer = (!in_hand || session->ride->sequence < ride->sequence) && !IsOver(session->over, *ride);
  if (event.ended || !ride->live) {
    if (newer) session->over = {ride->ride_id, ride->sequence};
    if (in_hand && newer) SetRide(now, *session, nullptr);
  } else if (newer) {
    SetRide(now, *session, ride);
  }
  LearnAssignment(now, *session, ride);
  SendEvent(*session, event.event);
  Pump(now);
}

void Dispatch::Advanced(Now now, const std::string& driver_id, RideView ride) {
  Session* session = FindSession(driver_id);
  if (session == nullptr || IsOver(session->over, ride)) return;
  const bool in_hand = session->ride != nullptr && session->ride->ride_id == ride.ride_id;
  // Of any other ride the feed, once it has spoken, knows better.
  if (in_hand ? ride.sequence <= session->ride->sequence : session->synced) return;
  if (ride.live) {
    SetRide(now, *session, std::make_shared<const RideView>(std::move(ride)));
  } else {
    session->over = {ride.ride_id, ride.sequence};
    if (session->unverified_ride == ride.ride_id) session->unverified_ride.clear();
    if (in_hand) SetRide(now, *session, nullptr);
  }
  Pump(now);
}

// The feed shows a ride of this driver: if it came from an offer of ours whose outcome is not known here yet, it is
// now.
void Dispatch::LearnAssignment(Now now, Session& session, const RideRef& ride) {
  auto it = offers_.find(ride->offer_id);
  if (it == offers_.end()) return;
  Offer& offer = *it->second;
  if (offer.driver_id != session.driver.driver_id || !IsLive(offer.status)) return;
  EndDispatch(now, offer.start->ride_id, offer.start->epoch);
  Settle(now, offer, OfferStatus::kAccepted);
}

void Dispatch::SetRide(Now now, Session& session, RideRef ride) {
  if (session.ride != ride) {
    session.ride = std::move(ride);
    effects_.OnTrip(session.driver.driver_id, session.epoch, session.ride);
  }
  if (session.ride != nullptr && !session.live_offer.empty()) {
    Offer& offer = OfferOf(session.live_offer);
    if (offer.status == OfferStatus::kPending && offer.offer_id != session.ride->offer_id) {
      Settle(now, offer, OfferStatus::kRevoked, RevokeReason::kSuperseded);
    }
  }
  UpdateOfferable(now, session);
}

// ---- To the stream

void Dispatch::Send(const Session& session, const DriverMessage& message) {
  if (session.stream != 0) effects_.ToDriver(session.stream, message);
}

void Dispatch::SendEvent(Session& session, const RideEventView& event) {
  if (session.stream != 0 && Tell(session.told, *event.ride)) effects_.ToDriver(session.stream, event);
}

}  // namespace hail::driver
