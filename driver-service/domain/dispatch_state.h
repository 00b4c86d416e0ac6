// What the dispatch core keeps of each driver, offer and ride. Private to dispatch*.cc.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "driver-service/domain/dispatch.h"

namespace hail::driver {

struct Dispatch::Session {
  // As the store had them at driver.version.
  Driver driver;
  Availability availability = Availability::kOffline;
  // As the app knows it: positions carry it.
  std::int64_t epoch = 0;
  // Of the latest claim that this replica made: higher, where a unary call claimed what a stream had opened.
  std::int64_t claim = 0;
  // Whether a stream claimed it here.
  bool by_stream = false;

  // 0: none.
  StreamId stream = 0;
  // Of the claim it was opened with.
  std::int64_t stream_epoch = 0;
  // Of the stream.
  Opening opening;
  // Wall time.
  absl::Time last_unary = absl::InfinitePast();
  absl::Time last_seen = absl::InfinitePast();
  // The next Review() asked for.
  absl::Time review_at = absl::InfiniteFuture();

  // The last subscription sent; answers to older ones are ignored.
  std::int64_t subscription = 0;
  absl::Time subscribed_at = absl::InfinitePast();
  // The subscription was answered: what happens to the driver's rides is told as it happens.
  bool synced = false;
  // Changes whenever something may have been left out of what the feed told. A confirmation's reply is as new as the
  // feed only if this did not change while it was under way.
  std::int64_t feed_generation = 0;

  RideRef ride;
  // A ride learned from a confirmation's reply that the feed has not mentioned yet.
  std::string unverified_ride;
  // Empty: none.
  std::string live_offer;
  bool offerable = false;
  std::shared_ptr<const CarProfile> car;

  // DriverState::revision, and what it is of: status, availability, blocked_by, the offer and its status, the ride and
  // its sequence.
  std::int64_t revision = 0;
  std::tuple<DriverStatus, Availability, BlockedBy, std::string, OfferStatus, std::string, std::int64_t> shown;
  // What of it this stream was told last; nullopt: it had no snapshot yet.
  std::optional<std::tuple<DriverStatus, Availability, BlockedBy>> state_told;
  // A timer is set that looks whether the position has gone stale, or has come.
  bool stale_again = false;
  bool fresh_again = false;
  // How long the latter waits, wall time; zero: the first.
  absl::Duration fresh_again_in = absl::ZeroDuration();

  // The ride that ended last, as far as it is known: what is older of it is left out.
  RideCursor over;

  // What this stream was told, per ride the highest sequence, latest ride last; a few.
  std::deque<RideCursor> told;
};

struct Dispatch::Offer {
  std::string offer_id;
  std::string driver_id;
  std::shared_ptr<const DispatchStart> start;
  OfferStatus status = OfferStatus::kPending;
  RevokeReason reason = RevokeReason::kNone;
  // Domain time.
  absl::Time made;
  absl::Time expires;
  absl::Duration ride_waited;
  absl::Duration pickup_eta;
  double pickup_distance_m = 0;
  bool received = false;

  // The replica whose ride it is of. Empty: this one's.
  std::string asker;
  // When it last asked, wall time.
  absl::Time asked_at = absl::InfinitePast();
  // What the asker is told of a revoked one.
  AskEnding ending = AskEnding::kNone;

  // As of its acceptance.
  Driver driver;
  // Confirmations made so far; at most one is under way.
  int attempts = 0;
  bool in_flight = false;
  // Session::feed_generation when the attempt began; -1: not synced then.
  std::int64_t attempt_generation = -1;
  // Who waits for the outcome, and whether they accepted or declined.
  std::vector<std::pair<bool, RespondDone>> waiting;
};

struct Dispatch::Ride {
  std::shared_ptr<const DispatchStart> start;
  LinkId link = 0;
  // Domain time.
  absl::Time started;
  absl::Time deadline;
  // When it is due; in due_ unless it has a live offer.
  absl::Time next_look = absl::InfiniteFuture();
  std::set<std::string> excluded;
  // Not to be asked again before (domain).
  std::map<std::string, absl::Time> paused;
};

struct Dispatch::Remote {
  std::string replica;
  std::int64_t epoch = 0;
  // It is known to have been claimed by a stream of the app's.
  bool by_stream = false;
  // Of the latest sighting.
  std::uint64_t number = 0;
  bool offerable = false;
  std::shared_ptr<const CarProfile> car;
  // Wall time.
  absl::Time heard = absl::InfinitePast();
  // When it is next looked at whether to forget it, wall time.
  absl::Time review_at;
  // The offer in asked_ of this driver; empty: none.
  std::string asked;
};

struct Dispatch::Asked {
  std::string offer_id;
  std::string driver_id;
  // The owner.
  std::string replica;
  std::shared_ptr<const DispatchStart> start;
  // kPending or kConfirming.
  OfferStatus status = OfferStatus::kPending;
  // Domain time.
  absl::Time deadline;
  absl::Duration ride_waited;
  // Whether the owner ever answered, and since it was last asked.
  bool heard = false;
  bool answered = false;
  // The time for the first answer has passed.
  bool waited = false;
  int unanswered = 0;
};

}  // namespace hail::driver
