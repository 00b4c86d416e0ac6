// rider-service's side of the dispatch link (DESIGN §4): which rides need a driver, what the link was told about each,
// and what time does to them. A pure, single-threaded core: inputs come with `now`, outputs leave through Out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/time/clock.h"
#include "rider-service/domain/ride.h"

namespace hail::rider {

// Not thread-safe: all on one loop.
class DispatchScheduler {
 public:
  enum class StopReason { kRideCanceled = 1, kTaken = 2, kSuperseded = 3 };

  struct Start {
    // The ride at the epoch to dispatch. Valid during the call only.
    const Ride* ride = nullptr;
    // Until the match deadline, domain time, above zero.
    absl::Duration remaining;
    // For a driver to answer an offer, domain time.
    absl::Duration offer_time;
    std::vector<std::string> excluded_driver_ids;
  };

  // Called from inside the inputs; must not call back into the book before the input returns.
  class Out {
   public:
    virtual ~Out() = default;
    // To the link that is up. What cannot be sent may be dropped: a start is repeated, a stop is reconciled.
    virtual void SendStart(const Start& start) = 0;
    virtual void SendStop(const std::string& ride_id, std::int64_t epoch, StopReason reason) = 0;
    // Commands to Rides; each must be answered by OnCommandDone, exactly once. At most one at a time for a ride.
    virtual void RaiseEpoch(const std::string& ride_id, std::int64_t epoch) = 0;
    virtual void EndUnfulfilled(const std::string& ride_id, std::int64_t epoch) = 0;
    virtual void ExpireUnacknowledged(const std::string& ride_id, std::int64_t epoch) = 0;
    // The store is to be read for OnDispatchable.
    virtual void ReadDispatchable() = 0;
  };

  // Wall time.
  struct Timing {
    absl::Duration resend = absl::Seconds(2);
    absl::Duration retry_command = absl::Seconds(1);
    // How long after a start, or after a ride left the book, a working set may still say otherwise.
    absl::Duration reconcile_grace = absl::Seconds(5);
  };

  // `out` must outlive the book.
  DispatchScheduler(Out* out, RideRules rules) : DispatchScheduler(out, rules, Timing()) {}
  DispatchScheduler(Out* out, RideRules rules, Timing timing);

  // Whether it looks after the ride.
  bool Has(const std::string& ride_id) const { return matching_.contains(ride_id) || unseen_.contains(ride_id); }

  // Until `until` (wall; it may have passed) this process is its rides' keeper (RideStore), whoever else is there. Not
  // before, and not after: then the book is empty, drivers' offers are withdrawn, and what it is told of rides it does
  // not take in. Each time it begins the store is read.
  void OnLease(const Now& now, absl::Time until);

  // This process committed a ride, which is as given after it (RideObserver). Older news than known is ignored.
  void OnRide(const Now& now, Ride ride);
  // Rides as they were found: in the store, which is read at start-up and now and then in case an OnRide got lost; or
  // by a repeated request. One that is new to the book, or known at a lower epoch, may have been dispatched at this
  // epoch by another process: it starts at epoch + 1.
  void OnDispatchable(const Now& now, const std::vector<Ride>& rides);
  // Another process became the ride's keeper: `ride` as it was committed there.
  void OnElsewhere(const Now& now, const Ride& ride);

  // A link came up (any earlier one is over), after its hello was sent. Rides started on an earlier link start at
  // epoch + 1, the others at once.
  void OnLinkUp(const Now& now);
  void OnLinkDown(const Now& now);

  void OnStarted(const Now& now, const std::string& ride_id, std::int64_t epoch);
  void OnExhausted(const Now& now, const std::string& ride_id, std::int64_t epoch);
  // The driver declined or did not answer: remembered as an exclusion for later starts of this ride.
  void OnSettled(const Now& now, const std::string& ride_id, std::int64_t epoch, const std::string& driver_id);

  struct Dispatching {
    std::string ride_id;
    std::int64_t epoch = 0;
  };
  void OnWorkingSet(const Now& now, const std::vector<Dispatching>& set);

  // What became of a command: the present ride, or why it could not be run (it is tried again). `elsewhere`: the ride
  // was not changed, as another process keeps it.
  void OnCommandDone(const Now& now, const std::string& ride_id, const absl::StatusOr<Ride>& result,
                     bool elsewhere = false);

  // At least ten times a (wall) second when time runs as usual, more often when it is scaled up.
  void OnTick(const Now& now);

  bool leased() const { return leased_; }
  // How often a lease began.
  int leases() const { return leases_; }
  bool link_up() const { return link_up_; }
  std::size_t matching() const { return matching_.size(); }
  std::size_t unseen() const { return unseen_.size(); }
  // All that it looks after.
  std::vector<std::string> RideIds() const;

 private:
  // News of a ride are ordered by its events, and between two events by its epoch.
  using Version = std::pair<std::int64_t, std::int64_t>;
  static Version VersionOf(const Ride& ride) { return {ride.sequence(), ride.epoch()}; }

  struct Matching {
    Ride ride;
    // When (wall) it was sent at ride.epoch() on the present link.
    std::optional<absl::Time> sent;
    bool acknowledged = false;
    // Somebody other than the present link may be working on ride.epoch(): it must not be started at this epoch.
    bool needs_new_epoch = false;
    bool exhausted = false;
    absl::Time command_not_before = absl::InfinitePast();
    // Where it stands in `ends_` and `wakes_`; in the infinite future: not there.
    absl::Time end = absl::InfiniteFuture();
    absl::Time wake = absl::InfiniteFuture();
  };
  struct Unseen {
    std::int64_t epoch = 0;
    absl::Time give_up_at;  // domain
    absl::Time command_not_before = absl::InfinitePast();
  };
  // A ride that left the book: what is heard of it late must not bring it back.
  struct Tombstone {
    Version version;
    StopReason reason = StopReason::kSuperseded;
    absl::Time since;  // wall
  };

  void Learn(const Now& now, Ride ride, bool from_store);
  void LearnNotMatching(const Now& now, const Ride& ride);
  // Whether the book knows as much of the ride as `ride` says, or more.
  bool Knows(const Ride& ride) const;
  // It is not to be dispatched from here any more, for that reason.
  void Retire(const Now& now, const Ride& ride, StopReason reason);
  // The lease has ended.
  void ReleaseAll();
  // Does what is due for one ride, and sets when it is to be looked at again: to be called after every change to it.
  void Advance(const Now& now, Matching& entry);
  // The first part of that.
  void Act(const Now& now, Matching& entry);
  // As things stand, when (domain) it ends unfulfilled.
  absl::Time EndOf(const Matching& entry) const;
  void Schedule(Matching& entry, absl::Time end, absl::Time wake);
  // It is no longer matching.
  void Drop(std::unordered_map<std::string, Matching>::iterator entry);
  void SendStart(const Now& now, Matching& entry);
  // Lets go of what departed long ago.
  void Forget(const Now& now);
  // The ride, if it was started on this link at `epoch`; else nullptr.
  Matching* Started(const std::string& ride_id, std::int64_t epoch);

  Out* const out_;
  const RideRules rules_;
  const Timing timing_;
  absl::Time lease_until_ = absl::InfinitePast();
  bool leased_ = false;
  int leases_ = 0;
  bool link_up_ = false;
  std::unordered_map<std::string, Matching> matching_;
  // Of these, which a tick has to look at, for there may be tens of thousands, and when: the ends in domain time, all
  // else in wall time. Who waits for a command or for a link is in neither.
  std::set<std::pair<absl::Time, std::string>> ends_;
  std::set<std::pair<absl::Time, std::string>> wakes_;
  std::unordered_map<std::string, Unseen> unseen_;
  std::unordered_map<std::string, Tombstone> tombstones_;
  // When (wall) each of these may be forgotten, about in that order: thousands depart in a second, and a tick must not
  // look at all of them.
  std::deque<std::pair<absl::Time, std::string>> to_forget_;
  // The rides that a command is under way for, and what was known of each when it was given: a ride may change sides,
  // or leave and come back, before the answer.
  std::unordered_map<std::string, Version> commands_;
  // Who declined or did not answer, until the ride is over.
  std::unordered_map<std::string, std::set<std::string>> refused_;
};

}  // namespace hail::rider
