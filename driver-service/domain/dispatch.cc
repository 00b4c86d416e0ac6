#include "driver-service/domain/dispatch.h"

#include <utility>

namespace hail::driver {

Dispatch::Dispatch(DispatchOptions options, LocationIndex& index, const TravelTimes& travel_times,
                   const Matcher& matcher, RandomBits random, Effects& effects)
    : options_(std::move(options)),
      random_(std::move(random)),
      queue_(options_, index, travel_times, matcher, effects),
      offers_(options_, travel_times, random_, effects, sessions_, queue_),
      sessions_(options_, index, effects, offers_),
      replicas_(options_, index, random_, effects, sessions_, offers_, queue_) {}

// ---- Drivers

std::int64_t Dispatch::OpenStream(Now now, const Driver& driver, Availability availability, std::int64_t epoch,
                                  StreamId stream, std::optional<RideCursor> cursor, const Opening& opening) {
  if (replicas_.RefuseLateStream(stream, driver.driver_id, epoch)) return epoch;
  replicas_.OnSessionOpening(now, driver.driver_id);
  const std::int64_t session_epoch =
      sessions_.OpenStream(now, driver, availability, epoch, stream, std::move(cursor), opening);
  Pump(now);
  return session_epoch;
}

void Dispatch::CloseStream(Now now, const std::string& driver_id, StreamId stream) {
  sessions_.CloseStream(now, driver_id, stream);
  Pump(now);
}

bool Dispatch::Contact(Now now, const std::string& driver_id) {
  if (!sessions_.Contact(now, driver_id)) return false;
  Pump(now);
  return true;
}

std::int64_t Dispatch::OpenUnary(Now now, const Driver& driver, Availability availability, std::int64_t epoch) {
  replicas_.OnSessionOpening(now, driver.driver_id);
  const std::int64_t session_epoch = sessions_.OpenUnary(now, driver, availability, epoch);
  Pump(now);
  return session_epoch;
}

void Dispatch::Learn(Now now, const Driver& driver, Availability availability) {
  sessions_.Learn(now, driver, availability);
  Pump(now);
}

SessionClaim Dispatch::ClaimOf(const std::string& driver_id) const {
  const SessionRegistry::Session* session = sessions_.Find(driver_id);
  if (session == nullptr) return {driver_id};
  return {driver_id, session->claim, options_.replica, session->by_stream};
}

void Dispatch::OnClaims(Now now, const std::vector<SessionClaim>& claims) {
  for (const SessionClaim& claim : claims) replicas_.OnClaim(now, claim);
  Pump(now);
}

void Dispatch::OfferReceived(Now now, const std::string& driver_id, const std::string& offer_id) {
  offers_.OfferReceived(now, driver_id, offer_id);
}

void Dispatch::Respond(Now now, const std::string& driver_id, const std::string& offer_id, bool accept,
                       RespondDone done) {
  offers_.Respond(now, driver_id, offer_id, accept, std::move(done));
  Pump(now);
}

void Dispatch::Advanced(Now now, const std::string& driver_id, RideView ride) {
  sessions_.Advanced(now, driver_id, std::move(ride));
  Pump(now);
}

void Dispatch::Positioned(const std::string& driver_id) { sessions_.Positioned(driver_id); }

DriverState Dispatch::State(Now now, const std::string& driver_id) const { return sessions_.State(now, driver_id); }

DriverState Dispatch::ReadState(Now now, const std::string& driver_id, std::int64_t session_epoch) {
  const SessionRegistry::Session* session = sessions_.Find(driver_id);
  if (session != nullptr && session_epoch == session->epoch) {
    Contact(now, driver_id);
    if (const Offer* live = offers_.LiveOf(driver_id); live != nullptr) {
      offers_.OfferReceived(now, driver_id, live->offer_id);
    }
  }
  return State(now, driver_id);
}

void Dispatch::StateSent(const std::string& driver_id, StreamId stream, const DriverState& state) {
  sessions_.StateSent(driver_id, stream, state);
}

std::optional<RideCursor> Dispatch::CursorOf(const std::string& driver_id) const {
  return sessions_.CursorOf(driver_id);
}

bool Dispatch::HasSession(const std::string& driver_id) const { return sessions_.Find(driver_id) != nullptr; }

// ---- Links

void Dispatch::LinkUp(Now now, LinkId link) { queue_.LinkUp(now, link); }

void Dispatch::LinkDown(Now now, LinkId link) {
  for (const RideEpoch& dropped : queue_.LinkDown(link)) {
    replicas_.RevokePending(now, dropped.ride_id, dropped.epoch + 1, RevokeReason::kSuperseded);
  }
  Pump(now);
}

void Dispatch::Start(Now now, LinkId link, std::shared_ptr<const DispatchStart> start) {
  if (!queue_.IsNew(link, *start)) return;
  const std::string ride_id = start->ride_id;
  // The pending offer may be of an earlier dispatch, here or at the replica that dispatched it.
  replicas_.RevokePending(now, ride_id, start->epoch, RevokeReason::kSuperseded);
  replicas_.AnnounceStart(*start);
  queue_.Add(now, link, std::move(start));
  // Otherwise a confirmation at an older epoch is open, and the ride waits for its outcome.
  if (!replicas_.HasLiveOffer(ride_id)) queue_.Free(now, ride_id);
  Pump(now);
}

void Dispatch::Stop(Now now, LinkId link, const std::string& ride_id, std::int64_t epoch, StopReason reason) {
  if (!queue_.Stop(now, link, ride_id, epoch, reason)) return;
  // An offer in confirmation is settled by rider-service's answer: that very offer may have stopped the dispatch.
  replicas_.RevokePending(now, ride_id, epoch + 1,
                          reason == StopReason::kTaken          ? RevokeReason::kTaken
                          : reason == StopReason::kRideCanceled ? RevokeReason::kRideCanceled
                                                                : RevokeReason::kSuperseded);
  Pump(now);
}

void Dispatch::Pump(Now now) {
  const auto can_offer = [this](const std::string& driver_id) {
    const SessionRegistry::Session* session = sessions_.Find(driver_id);
    return session != nullptr ? session->offerable : replicas_.CanAsk(driver_id);
  };
  for (const MatchQueue::Match& match : queue_.TakeMatches(now, can_offer)) {
    const NearDriver& driver = match.driver;
    if (sessions_.Find(driver.driver_id) == nullptr) {
      replicas_.Ask(now, match);
    } else {
      offers_.Make(now, UuidV7(now.wall, random_), driver.driver_id, driver.fix, match.start, match.waited, "");
    }
  }
}

// ---- Other replicas

void Dispatch::OnReplicaMessage(Now now, const std::string& from, const ReplicaMessage& message) {
  replicas_.OnMessage(now, from, message);
  Pump(now);
}

// ---- rider-service

void Dispatch::OnConfirmed(Now now, const std::string& offer_id, int attempt, absl::StatusOr<RideView> result) {
  offers_.OnConfirmed(now, offer_id, attempt, std::move(result));
  Pump(now);
}

void Dispatch::OnFound(Now now, std::int64_t find, absl::StatusOr<RideView> result,
                       const absl::StatusOr<std::optional<LoggedOffer>>& logged) {
  offers_.OnFound(now, find, std::move(result), logged);
}

void Dispatch::OnFeedUp(Now now) { sessions_.OnFeedUp(now); }

void Dispatch::OnFeedDown(Now now) { sessions_.OnFeedDown(now); }

void Dispatch::OnFeedSnapshot(Now now, const FeedSnapshot& snapshot) {
  sessions_.OnFeedSnapshot(now, snapshot);
  Pump(now);
}

void Dispatch::OnFeedEvent(Now now, const FeedEvent& event) {
  sessions_.OnFeedEvent(now, event);
  Pump(now);
}

// ---- Time

void Dispatch::Tick(Now now) {
  offers_.Tick(now);
  replicas_.Tick(now);
  queue_.Tick(now);
  sessions_.Tick(now);
  Pump(now);
  sessions_.SendStates(now);
}

DispatchCounts Dispatch::Counts(Now now) const {
  DispatchTally tally;
  CountOn(now, tally, sessions_.size());
  return tally.counts;
}

bool Dispatch::CountOn(Now now, DispatchTally& tally, std::size_t most) const {
  if (!sessions_.CountOn(now, tally, most)) return false;
  tally.counts.rides = static_cast<int>(queue_.size());
  offers_.Count(tally.counts);
  return true;
}

}  // namespace hail::driver
