// rider-service's side of the dispatch link: which rides need a driver, the messages sent about each, and
// time-outs. A pure, single-threaded core: inputs come with `now`, outputs go through Out.
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

// Not thread-safe: all calls are on one loop.
class DispatchScheduler {
 public:
  enum class StopReason { kRideCanceled = 1, kTaken = 2, kSuperseded = 3 };

  struct Start {
    // The ride at the epoch to dispatch. Valid during the call only.
    const Ride* ride = nullptr;
    // Time until the match deadline, domain time, above zero.
    absl::Duration remaining;
    // The time in which a driver may answer an offer, domain time.
    absl::Duration offer_time;
    std::vector<std::string> excluded_driver_ids;
  };

  // Called from inside the inputs; must not call the scheduler before the input returns.
  class Out {
   public:
    virtual ~Out() = default;
    // Sends on the present link. A message that cannot be sent may be dropped: starts are repeated, stops are
    // reconciled.
    virtual void SendStart(const Start& start) = 0;
    virtual void SendStop(const std::string& ride_id, std::int64_t epoch, StopReason reason) = 0;
    // Commands to Rides; OnCommandDone must answer each exactly once. At most one open command per ride.
    virtual void RaiseEpoch(const std::string& ride_id, std::int64_t epoch) = 0;
    virtual void EndUnfulfilled(const std::string& ride_id, std::int64_t epoch) = 0;
    virtual void ExpireUnacknowledged(const std::string& ride_id, std::int64_t epoch) = 0;
    // Requests a read of the store, with the result passed to OnDispatchable.
    virtual void ReadDispatchable() = 0;
  };

  // Wall time.
  struct Timing {
    absl::Duration resend = absl::Seconds(2);
    absl::Duration retry_command = absl::Seconds(1);
    // After a start, or after a ride left, the time in which a working set may still contradict it.
    absl::Duration reconcile_grace = absl::Seconds(5);
  };

  // `out` must outlive the scheduler.
  DispatchScheduler(Out* out, RideRules rules) : DispatchScheduler(out, rules, Timing()) {}
  DispatchScheduler(Out* out, RideRules rules, Timing timing);

  // Whether the scheduler tracks the ride.
  bool Has(const std::string& ride_id) const { return matching_.contains(ride_id) || unseen_.contains(ride_id); }

  // Sets the lease expiry (wall time; it may have passed). While the lease is valid this process is the owner of its
  // rides (RideStore). Otherwise the scheduler has no rides, drivers' offers are withdrawn, and updates are ignored.
  // Whenever a lease begins, the store is read.
  void OnLease(const Now& now, absl::Time until);

  // This process committed `ride`, its present version (RideObserver). Older versions than the known one are ignored.
  void OnRide(const Now& now, Ride ride);
  // Rides found in the store, which is read at start-up and periodically in case an OnRide was lost; or found by a
  // repeated request. A ride that is new here, or known at a lower epoch, may have been dispatched at this epoch by
  // another process: it starts at epoch + 1.
  void OnDispatchable(const Now& now, const std::vector<Ride>& rides);
  // Another process became the ride's owner, by committing `ride`.
  void OnElsewhere(const Now& now, const Ride& ride);

  // A link is up, with its hello sent; any earlier link has ended. Rides started on an earlier link start at epoch + 1,
  // all others at once.
  void OnLinkUp(const Now& now);
  void OnLinkDown(const Now& now);

  void OnStarted(const Now& now, const std::string& ride_id, std::int64_t epoch);
  void OnExhausted(const Now& now, const std::string& ride_id, std::int64_t epoch);
  // The driver declined or did not answer, and is excluded from later starts of this ride.
  void OnSettled(const Now& now, const std::string& ride_id, std::int64_t epoch, const std::string& driver_id);

  struct Dispatching {
    std::string ride_id;
    std::int64_t epoch = 0;
  };
  void OnWorkingSet(const Now& now, const std::vector<Dispatching>& set);

  // The outcome of a command: the present ride, or the error (the command is retried). `elsewhere`: the ride was not
  // changed, because another process owns it.
  void OnCommandDone(const Now& now, const std::string& ride_id, const absl::StatusOr<Ride>& result,
                     bool elsewhere = false);

  // At least ten times per second of wall time at normal speed, more often when time is scaled up.
  void OnTick(const Now& now);

  bool leased() const { return leased_; }
  // The number of leases so far.
  int leases() const { return leases_; }
  bool link_up() const { return link_up_; }
  std::size_t matching() const { return matching_.size(); }
  std::size_t unseen() const { return unseen_.size(); }
  // All rides that the scheduler tracks.
  std::vector<std::string> RideIds() const;

 private:
  // Versions of a ride are ordered by event sequence, then by epoch.
  using Version = std::pair<std::int64_t, std::int64_t>;
  static Version VersionOf(const Ride& ride) { return {ride.sequence(), ride.epoch()}; }

  struct Matching {
    Ride ride;
    // When (wall) the start at ride.epoch() was sent on the present link.
    std::optional<absl::Time> sent;
    bool acknowledged = false;
    // Another link or process may be dispatching ride.epoch(), so it must not be started at this epoch.
    bool needs_new_epoch = false;
    bool exhausted = false;
    absl::Time command_not_before = absl::InfinitePast();
    // Its time in `ends_` and `wakes_`; infinite future: no entry.
    absl::Time end = absl::InfiniteFuture();
    absl::Time wake = absl::InfiniteFuture();
  };
  struct Unseen {
    std::int64_t epoch = 0;
    absl::Time give_up_at;  // domain
    absl::Time command_not_before = absl::InfinitePast();
  };
  // Marks a ride that has left: late messages about it must not bring it back.
  struct Tombstone {
    Version version;
    StopReason reason = StopReason::kSuperseded;
    absl::Time since;  // wall
  };

  void Learn(const Now& now, Ride ride, bool from_store);
  void LearnNotMatching(const Now& now, const Ride& ride);
  // Whether the scheduler knows this version of the ride or a later one.
  bool Knows(const Ride& ride) const;
  // Stops dispatching the ride here, for that reason.
  void Retire(const Now& now, const Ride& ride, StopReason reason);
  // Drops all rides, because the lease has ended.
  void ReleaseAll();
  // Does the work due for one ride, and schedules the next check. Must be called after every change to it.
  void Advance(const Now& now, Matching& entry);
  // The first part of Advance.
  void Act(const Now& now, Matching& entry);
  // The time (domain) at which the ride ends unfulfilled, as things stand.
  absl::Time EndOf(const Matching& entry) const;
  void Schedule(Matching& entry, absl::Time end, absl::Time wake);
  // Removes a ride that is no longer matching.
  void Drop(std::unordered_map<std::string, Matching>::iterator entry);
  void SendStart(const Now& now, Matching& entry);
  // Drops tombstones that are old enough.
  void Forget(const Now& now);
  // The ride, if it was started on this link at `epoch`; otherwise nullptr.
  Matching* Started(const std::string& ride_id, std::int64_t epoch);

  Out* const out_;
  const RideRules rules_;
  const Timing timing_;
  absl::Time lease_until_ = absl::InfinitePast();
  bool leased_ = false;
  int leases_ = 0;
  bool link_up_ = false;
  std::unordered_map<std::string, Matching> matching_;
  // When a tick must check each ride, because tens of thousands may wait: ends in domain time, all others in wall time.
  // A ride that waits for a command or for a link is in neither.
  std::set<std::pair<absl::Time, std::string>> ends_;
  std::set<std::pair<absl::Time, std::string>> wakes_;
  std::unordered_map<std::string, Unseen> unseen_;
  std::unordered_map<std::string, Tombstone> tombstones_;
  // When (wall) each tombstone may be dropped, roughly in order: thousands of rides leave per second, and a tick must
  // not check them all.
  std::deque<std::pair<absl::Time, std::string>> to_forget_;
  // The rides with an open command, and the known version of each when it was given: a ride may change sides, or leave
  // and come back, before the answer.
  std::unordered_map<std::string, Version> commands_;
  // Drivers who declined or did not answer, until the ride is over.
  std::unordered_map<std::string, std::set<std::string>> refused_;
};

}  // namespace hail::rider
