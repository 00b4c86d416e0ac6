#include "driver-service/domain/session_registry.h"

#include <algorithm>
#include <utility>

namespace hail::driver {
namespace {

// Rides whose events may still cross: the driver's live ride and the few before it.
constexpr std::size_t kSentRides = 8;

// Whether `ride`, as of its sequence, is known to have ended since for this driver.
bool IsOver(const RideCursor& over, const RideView& ride) {
  return ride.ride_id == over.ride_id && ride.sequence <= over.sequence;
}

// Moves the cursor of the ride forward to its sequence. False: it was there before.
bool Advance(std::deque<RideCursor>& sent, const RideView& ride) {
  auto cursor = std::find_if(sent.begin(), sent.end(), [&](const RideCursor& c) { return c.ride_id == ride.ride_id; });
  if (cursor == sent.end()) {
    sent.push_back({ride.ride_id, ride.sequence});
    if (sent.size() > kSentRides) sent.pop_front();
    return true;
  }
  if (ride.sequence <= cursor->sequence) return false;
  cursor->sequence = ride.sequence;
  return true;
}

}  // namespace

SessionRegistry::Session* SessionRegistry::FindSession(const std::string& driver_id) const {
  auto it = sessions_.find(driver_id);
  return it == sessions_.end() ? nullptr : it->second.get();
}

const SessionRegistry::Session* SessionRegistry::Find(const std::string& driver_id) const {
  return FindSession(driver_id);
}

// ---- Opening and closing

SessionRegistry::Session& SessionRegistry::Open(Now now, const Driver& driver, Availability availability,
                                                std::int64_t epoch, bool by_stream) {
  std::unique_ptr<Session>& slot = sessions_[driver.driver_id];
  if (slot == nullptr) {
    slot = std::make_unique<Session>();
    slot->driver = driver;
    slot->availability = availability;
    SetCar(*slot);
    // An offer in confirmation may have outlived the session in which it was made.
    slot->live_offer = offers_.LiveOf(driver.driver_id);
  } else if (slot->driver.version < driver.version) {
    Take(now, *slot, driver, availability);
  }
  // Two claims of this process may be answered in reverse order.
  slot->epoch = std::max(slot->epoch, epoch);
  slot->by_stream = slot->by_stream || by_stream;
  slot->claim = std::max(slot->claim, epoch);
  AnnounceClaim(*slot);
  slot->last_seen = now.wall;
  return *slot;
}

std::int64_t SessionRegistry::OpenStream(Now now, const Driver& driver, Availability availability, std::int64_t epoch,
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
  Session& session = Open(now, driver, availability, epoch, /*by_stream=*/true);
  if (session.stream != 0) effects_.ToDriver(session.stream, Replaced{});
  session.stream = stream;
  session.stream_epoch = epoch;
  session.opening = opening;
  session.sent.clear();
  session.state_sent.reset();
  if (cursor.has_value()) session.sent.push_back(*std::move(cursor));
  // The epoch of the next positions has changed.
  if (session.ride != nullptr) effects_.OnTrip(driver.driver_id, session.epoch, session.ride);
  Subscribe(now, session);
  if (!opening.sends) Contact(now, driver.driver_id);
  return session.epoch;
}

void SessionRegistry::CloseStream(Now now, const std::string& driver_id, StreamId stream) {
  Session* session = FindSession(driver_id);
  if (session == nullptr || session->stream != stream) return;
  session->stream = 0;
  session->last_seen = now.wall;
  session->sent.clear();
  Review(now, driver_id);
}

bool SessionRegistry::Contact(Now now, const std::string& driver_id) {
  Session* session = FindSession(driver_id);
  if (session == nullptr) return false;
  session->last_unary = now.wall;
  session->last_seen = now.wall;
  Review(now, driver_id);
  return true;
}

std::int64_t SessionRegistry::OpenUnary(Now now, const Driver& driver, Availability availability, std::int64_t epoch) {
  if (Session* session = FindSession(driver.driver_id); session != nullptr) {
    // Claimed while another opening was in progress. The stream's fixes carry the epoch of its own opening.
    if (session->claim < epoch) {
      session->claim = epoch;
      AnnounceClaim(*session);
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

void SessionRegistry::OnOwnClaim(const SessionClaim& claim) {
  Session* session = FindSession(claim.driver_id);
  if (session == nullptr || claim.epoch <= session->claim) return;
  session->claim = claim.epoch;
  session->by_stream = session->by_stream || claim.by_stream;
  AnnounceClaim(*session);
}

void SessionRegistry::Lose(Now now, const std::string& driver_id, std::int64_t epoch, bool to_stream) {
  Session* session = FindSession(driver_id);
  if (session == nullptr || epoch <= session->claim) return;
  if (const StreamId stream = std::exchange(session->stream, 0); stream != 0) RefuseStream(stream, to_stream);
  // An offer in confirmation continues without the session.
  RevokePending(now, *session, RevokeReason::kSuperseded);
  if (session->ride != nullptr) effects_.OnTrip(driver_id, session->epoch, nullptr);
  if (feed_up_) effects_.FeedUnsubscribe(driver_id);
  // The position stays: from now on the owner of the session reports the driver's offerability.
  index_.SetOnMap(driver_id, false);
  effects_.OnSessionGone(driver_id);
  sessions_.erase(driver_id);
}

// Sends Replaced only if another stream exists: an app does not reconnect after Replaced.
void SessionRegistry::RefuseStream(StreamId stream, bool to_stream) {
  if (to_stream) {
    effects_.ToDriver(stream, Replaced{});
  } else {
    effects_.ToDriver(stream, Moved{});
  }
}

void SessionRegistry::AnnounceClaim(const Session& session) {
  const std::string& driver_id = session.driver.driver_id;
  effects_.ToReplicas(SessionClaimed{driver_id, session.claim, session.by_stream});
  effects_.OnOfferable(driver_id, session.claim, session.offerable, session.on_map, session.car);
}

// ---- The driver as stored

bool SessionRegistry::SetCar(Session& session) {
  const Driver& driver = session.driver;
  CarProfile car{driver.region_id, driver.product_ids, driver.vehicle.seats};
  if (session.car != nullptr && *session.car == car) return false;
  session.car = std::make_shared<const CarProfile>(std::move(car));
  index_.SetCar(driver.driver_id, session.car);
  return true;
}

void SessionRegistry::Learn(Now now, const Driver& driver, Availability availability) {
  Session* session = FindSession(driver.driver_id);
  if (session == nullptr || driver.version < session->driver.version) return;
  Take(now, *session, driver, availability);
}

void SessionRegistry::Take(Now now, Session& session, const Driver& driver, Availability availability) {
  const bool same_car = session.driver.vehicle == driver.vehicle && session.driver.region_id == driver.region_id;
  session.driver = driver;
  if (SetCar(session)) {
    effects_.OnOfferable(driver.driver_id, session.claim, session.offerable, session.on_map, session.car);
  }
  session.availability = availability;
  if (availability == Availability::kOffline) RevokePending(now, session, RevokeReason::kWentOffline);
  // It was made to the car as it was, which may have had other seats.
  if (!same_car) RevokePending(now, session, RevokeReason::kSuperseded);
  UpdateOfferable(now, session);
}

// ---- The state

DriverState SessionRegistry::State(Now now, const std::string& driver_id) const {
  if (Session* session = FindSession(driver_id); session != nullptr) return StateOf(now, *session);
  DriverState state;
  state.driver_id = driver_id;
  return state;
}

DriverState SessionRegistry::StateOf(Now now, Session& session) const {
  DriverState state;
  state.driver_id = session.driver.driver_id;
  state.availability = session.availability;
  state.ride = session.ride;
  state.session_epoch = session.epoch;
  const Offer* offer = session.live_offer;
  if (offer != nullptr) state.offer = ViewOf(*offer, now.domain);
  state.status = StatusOf(now, session, state.blocked_by);
  // Numbered when read: a state that no reader saw between two reads does not count.
  decltype(session.shown) shown{state.status,
                                state.availability,
                                state.blocked_by,
                                offer != nullptr ? offer->offer_id : "",
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

bool SessionRegistry::ShowsItself(const Session& session) { return session.stream != 0 && session.opening.sends; }

bool SessionRegistry::IsConnected(Now now, const Session& session) const {
  return ShowsItself(session) || now.wall - session.last_unary < options_.contact_time;
}

DriverStatus SessionRegistry::StatusOf(Now now, const Session& session, BlockedBy& blocked_by) const {
  blocked_by = {};
  if (session.ride != nullptr) return DriverStatus::kOnTrip;
  if (session.live_offer != nullptr) {
    return session.live_offer->status == OfferStatus::kConfirming ? DriverStatus::kReserved : DriverStatus::kOffered;
  }
  if (session.availability != Availability::kOnline) return DriverStatus::kOffline;
  const std::optional<Fix> fix = index_.Find(session.driver.driver_id);
  if (!IsConnected(now, session)) {
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

void SessionRegistry::UpdateOfferable(Now now, Session& session) {
  MayHaveChanged(session);
  // An offer must not take the car off the map: a rider could tell by it which cars are near a pickup, and cancel.
  const bool on_map = session.availability == Availability::kOnline && IsConnected(now, session) && session.synced &&
                      session.ride == nullptr;
  const bool offerable = on_map && session.live_offer == nullptr;
  if (offerable == session.offerable && on_map == session.on_map) return;
  session.offerable = offerable;
  session.on_map = on_map;
  index_.SetOnMap(session.driver.driver_id, on_map);
  effects_.OnOfferable(session.driver.driver_id, session.claim, offerable, on_map, session.car);
}

void SessionRegistry::MayHaveChanged(const Session& session) {
  if (session.stream != 0) changed_.insert(session.driver.driver_id);
}

void SessionRegistry::Positioned(const std::string& driver_id) {
  if (const Session* session = FindSession(driver_id); session != nullptr) MayHaveChanged(*session);
}

void SessionRegistry::StateSent(const std::string& driver_id, StreamId stream, const DriverState& state) {
  Session* session = FindSession(driver_id);
  if (session == nullptr || session->stream != stream || !session->state_sent.has_value()) return;
  // The answer may contain an earlier state.
  if (state.session_epoch != session->epoch || state.revision != session->revision) return;
  session->state_sent = {state.status, state.availability, state.blocked_by};
}

void SessionRegistry::SendStates(Now now) {
  for (const std::string& driver_id : std::exchange(changed_, {})) {
    Session* session = FindSession(driver_id);
    if (session == nullptr || session->stream == 0 || !session->state_sent.has_value()) continue;
    const DriverState state = StateOf(now, *session);
    const std::tuple present{state.status, state.availability, state.blocked_by};
    if (*session->state_sent != present) {
      session->state_sent = present;
      Send(*session, StateChanged{state});
    }
    LookAgain(now, *session, state);
  }
}

void SessionRegistry::LookAgain(Now now, Session& session, const DriverState& state) {
  const std::string& driver_id = session.driver.driver_id;
  if (state.status == DriverStatus::kAvailable && !session.stale_look) {
    session.stale_look = true;
    const absl::Time stale = index_.Find(driver_id)->observed + options_.position_freshness;
    stale_looks_.Add(std::max(stale, now.domain) + absl::Milliseconds(1), driver_id);
  }
  if (state.blocked_by != BlockedBy::kStalePosition) {
    session.fresh_look_in = absl::ZeroDuration();
  } else if (!session.fresh_look) {
    session.fresh_look = true;
    session.fresh_look_in = std::clamp(2 * session.fresh_look_in, options_.stale_look_first, options_.stale_look_last);
    fresh_looks_.Add(now.wall + session.fresh_look_in, driver_id);
  }
}

// ---- Time

void SessionRegistry::Tick(Now now) {
  while (const auto driver_id = stale_looks_.Take(now.domain)) {
    Session* session = FindSession(*driver_id);
    if (session == nullptr) continue;
    session->stale_look = false;
    MayHaveChanged(*session);
  }
  while (const auto driver_id = feed_answers_.Take(now.wall)) {
    Session* session = FindSession(*driver_id);
    if (session == nullptr || !feed_up_ || session->synced) continue;
    if (session->subscribed_at + options_.feed_answer_time <= now.wall) Subscribe(now, *session);
  }
  while (const auto driver_id = reviews_.Take(now.wall)) Review(now, *driver_id);
  while (const auto driver_id = fresh_looks_.Take(now.wall)) {
    Session* session = FindSession(*driver_id);
    if (session == nullptr) continue;
    session->fresh_look = false;
    MayHaveChanged(*session);
  }
}

void SessionRegistry::Review(Now now, const std::string& driver_id) {
  Session* session = FindSession(driver_id);
  if (session == nullptr || ShowsItself(*session)) return;
  UpdateOfferable(now, *session);
  const bool tied = session->stream != 0 || session->ride != nullptr || session->live_offer != nullptr;
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
  reviews_.Add(next, driver_id);
}

bool SessionRegistry::CountOn(Now now, DispatchTally& tally, std::size_t most) const {
  auto next = sessions_.upper_bound(tally.after);
  for (; next != sessions_.end() && most > 0; ++next, --most) {
    const Session& session = *next->second;
    BlockedBy blocked_by;
    ++tally.counts.drivers[static_cast<std::size_t>(StatusOf(now, session, blocked_by))];
    if (session.stream != 0) ++tally.counts.streams;
    tally.after = next->first;
  }
  return next == sessions_.end();
}

// ---- Offers

void SessionRegistry::OnOffer(Now now, const std::string& driver_id, const Offer* live, const DriverMessage& message) {
  Session* session = FindSession(driver_id);
  if (session == nullptr) return;
  session->live_offer = live;
  UpdateOfferable(now, *session);
  Send(*session, message);
}

void SessionRegistry::RevokePending(Now now, const Session& session, RevokeReason reason) {
  const Offer* offer = session.live_offer;
  if (offer != nullptr && offer->status == OfferStatus::kPending) offers_.Revoke(now, *offer, reason);
}

std::int64_t SessionRegistry::FeedGeneration(const std::string& driver_id) const {
  const Session* session = FindSession(driver_id);
  return session != nullptr && session->synced ? session->feed_generation : -1;
}

void SessionRegistry::OnConfirmed(Now now, const std::string& driver_id, RideView ride, std::int64_t feed_generation) {
  Session* session = FindSession(driver_id);
  if (session == nullptr) return;
  const bool as_new_as_feed = session->synced && feed_generation == session->feed_generation;
  const bool another = session->ride != nullptr && session->ride->ride_id != ride.ride_id;
  session->unverified_ride = ride.ride_id;
  SetRide(now, *session, std::make_shared<const RideView>(std::move(ride)));
  // Otherwise the feed may have reported the ride's end before this reply arrived.
  if (!as_new_as_feed || another) Subscribe(now, *session);
}

void SessionRegistry::Resubscribe(Now now, const std::string& driver_id) {
  if (Session* session = FindSession(driver_id); session != nullptr) Subscribe(now, *session);
}

// ---- The feed

void SessionRegistry::Subscribe(Now now, Session& session) {
  session.synced = false;
  session.feed_generation = ++last_generation_;
  // The answer to this subscription is newer than any confirmation's reply so far.
  session.unverified_ride.clear();
  if (feed_up_) {
    session.subscription = ++last_subscription_;
    session.subscribed_at = now.wall;
    std::optional<RideCursor> cursor;
    if (!session.sent.empty()) cursor = session.sent.back();
    effects_.FeedSubscribe(session.driver.driver_id, session.subscription, cursor);
    feed_answers_.Add(now.wall + options_.feed_answer_time, session.driver.driver_id);
  }
  UpdateOfferable(now, session);
}

void SessionRegistry::OnFeedUp(Now now) {
  feed_up_ = true;
  for (auto& [id, session] : sessions_) Subscribe(now, *session);
}

void SessionRegistry::OnFeedDown(Now now) {
  feed_up_ = false;
  for (auto& [id, session] : sessions_) {
    session->synced = false;
    session->subscription = 0;
    session->feed_generation = ++last_generation_;
    UpdateOfferable(now, *session);
  }
}

void SessionRegistry::OnFeedSnapshot(Now now, const FeedSnapshot& snapshot) {
  Session* session = FindSession(snapshot.driver_id);
  if (session == nullptr || session->subscription != snapshot.subscription || !feed_up_) return;
  auto mentions = [&](const RideRef& ride) { return ride != nullptr && ride->ride_id == session->unverified_ride; };
  if (!session->unverified_ride.empty() && !mentions(snapshot.ride) &&
      std::none_of(snapshot.missed.begin(), snapshot.missed.end(),
                   [&](const RideEventView& event) { return mentions(event.ride); })) {
    // The snapshot may be older than the confirmation's commit. A new one cannot be.
    Subscribe(now, *session);
    return;
  }
  session->unverified_ride.clear();
  session->synced = true;
  session->feed_generation = ++last_generation_;
  RideRef ride = snapshot.ride != nullptr && snapshot.ride->live ? snapshot.ride : nullptr;
  // A confirmation's reply can be newer than a snapshot in flight.
  if (ride != nullptr && session->ride != nullptr && session->ride->ride_id == ride->ride_id &&
      session->ride->sequence > ride->sequence) {
    ride = session->ride;
  }
  if (ride != nullptr && IsOver(session->over, *ride)) ride = nullptr;
  SetRide(now, *session, ride);
  for (const RideEventView& event : snapshot.missed) LearnAssignment(now, *session, *event.ride);
  if (ride != nullptr) LearnAssignment(now, *session, *ride);

  if (session->stream == 0) return;
  if (snapshot.reset) {
    session->sent.clear();
    Send(*session, Reset{});
  }
  for (const RideEventView& event : snapshot.missed) SendEvent(*session, event);
  const DriverState state = StateOf(now, *session);
  session->state_sent = {state.status, state.availability, state.blocked_by};
  Send(*session, Snapshot{state});
  // The events that the snapshot covers count as sent, even if an answer to a step was ahead of the feed; later events
  // are still to come.
  std::int64_t sequence = 0;
  for (const RideRef& shown : {snapshot.ride, state.ride}) {
    if (shown == nullptr) continue;
    Advance(session->sent, *shown);
    sequence = shown->sequence;
  }
  Send(*session, CaughtUp{sequence});
}

void SessionRegistry::OnFeedEvent(Now now, const FeedEvent& event) {
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
  LearnAssignment(now, *session, *ride);
  SendEvent(*session, event.event);
}

void SessionRegistry::Advanced(Now now, const std::string& driver_id, RideView ride) {
  Session* session = FindSession(driver_id);
  if (session == nullptr || IsOver(session->over, ride)) return;
  const bool in_hand = session->ride != nullptr && session->ride->ride_id == ride.ride_id;
  // For any other ride, the caught-up feed has newer information.
  if (in_hand ? ride.sequence <= session->ride->sequence : session->synced) return;
  if (ride.live) {
    SetRide(now, *session, std::make_shared<const RideView>(std::move(ride)));
  } else {
    session->over = {ride.ride_id, ride.sequence};
    if (session->unverified_ride == ride.ride_id) session->unverified_ride.clear();
    if (in_hand) SetRide(now, *session, nullptr);
  }
}

void SessionRegistry::LearnAssignment(Now now, const Session& session, const RideView& ride) {
  const Offer* offer = session.live_offer;
  if (offer != nullptr && offer->offer_id == ride.offer_id) offers_.OnAssigned(now, *offer);
}

void SessionRegistry::SetRide(Now now, Session& session, RideRef ride) {
  if (session.ride != ride) {
    session.ride = std::move(ride);
    effects_.OnTrip(session.driver.driver_id, session.epoch, session.ride);
  }
  const Offer* offer = session.live_offer;
  if (session.ride != nullptr && offer != nullptr && offer->offer_id != session.ride->offer_id) {
    RevokePending(now, session, RevokeReason::kSuperseded);
  }
  UpdateOfferable(now, session);
}

// ---- To the stream

std::optional<RideCursor> SessionRegistry::CursorOf(const std::string& driver_id) const {
  const Session* session = FindSession(driver_id);
  if (session == nullptr || session->sent.empty()) return std::nullopt;
  return session->sent.back();
}

void SessionRegistry::Send(const Session& session, const DriverMessage& message) {
  if (session.stream != 0) effects_.ToDriver(session.stream, message);
}

void SessionRegistry::SendEvent(Session& session, const RideEventView& event) {
  if (session.stream != 0 && Advance(session.sent, *event.ride)) effects_.ToDriver(session.stream, event);
}

}  // namespace hail::driver
