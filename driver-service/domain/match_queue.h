// The part of the dispatch core that keeps the rides that need a driver, each for the link that started it.
//
// Invariants (docs/decisions/0034-the-dispatch-core-in-four.md): a ride is matched at one epoch, the highest started
// one, until its deadline; a dispatch that is over is not started again; an excluded driver is not proposed for the
// ride again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "common/time/clock.h"
#include "driver-service/domain/dispatch_types.h"
#include "driver-service/domain/effects.h"
#include "driver-service/domain/location_index.h"
#include "driver-service/domain/matcher.h"
#include "driver-service/domain/timers.h"
#include "driver-service/domain/travel_times.h"

namespace hail::driver {

class MatchQueue {
 public:
  // A ride and the driver for its next offer.
  struct Match {
    std::shared_ptr<const DispatchStart> start;
    NearDriver driver;
    // Time since this dispatch of the ride began (domain).
    absl::Duration waited;
    // Domain time.
    absl::Time deadline;
  };

  // All references must outlive this.
  MatchQueue(const DispatchOptions& options, const LocationIndex& index, const TravelTimes& travel_times,
             const Matcher& matcher, Effects& effects)
      : options_(options), index_(index), travel_times_(travel_times), matcher_(matcher), effects_(effects) {}
  MatchQueue(const MatchQueue&) = delete;
  MatchQueue& operator=(const MatchQueue&) = delete;

  // ---- Links

  void LinkUp(Now now, LinkId link);
  // Drops the link's rides and returns them.
  std::vector<RideEpoch> LinkDown(LinkId link);
  // Whether the ride must be added. False: the link is gone, or the dispatch is known (it is acknowledged), over, or
  // older than the present one.
  bool IsNew(LinkId link, const DispatchStart& start);
  // Adds a new ride, replacing an earlier dispatch of it, and acknowledges it. The ride waits for Free.
  void Add(Now now, LinkId link, std::shared_ptr<const DispatchStart> start);
  // True: the ride was dropped. False: it is dispatched at a higher epoch, or not at all.
  bool Stop(Now now, LinkId link, const std::string& ride_id, std::int64_t epoch, StopReason reason);

  // ---- Rides. No effect on a ride that is not dispatched here

  // The ride has no live offer, so it looks for a driver now.
  void Free(Now now, const std::string& ride_id);
  // The driver is not proposed for the ride any more.
  void Exclude(const std::string& ride_id, const std::string& driver_id);
  // The driver is not proposed for the ride before `until`, domain time.
  void Pause(const std::string& ride_id, const std::string& driver_id, absl::Time until);
  // Reports a declined or expired offer of the ride to the link.
  void ReportSettled(const DispatchStart& start, const std::string& driver_id, OfferStatus outcome);
  // The dispatch at `epoch` is over for good, and so are earlier ones.
  void EndDispatch(Now now, const std::string& ride_id, std::int64_t epoch);
  // Whether the dispatch at `epoch` is known to be over.
  bool IsOver(const std::string& ride_id, std::int64_t epoch) const;
  // The epoch of the present dispatch; nullopt: the ride is not dispatched here.
  std::optional<std::int64_t> EpochOf(const std::string& ride_id) const;
  std::size_t size() const { return rides_.size(); }

  // ---- Matching

  // Matches the rides that are due with drivers who `can_offer`. Each returned ride has an offer from now on. The
  // others search again later, or are exhausted.
  std::vector<Match> TakeMatches(Now now, absl::FunctionRef<bool(const std::string& driver_id)> can_offer);

  void Tick(Now now);

 private:
  struct Ride {
    std::shared_ptr<const DispatchStart> start;
    // Rises with each Add.
    std::uint64_t number = 0;
    LinkId link = 0;
    // Domain time.
    absl::Time started;
    absl::Time deadline;
    // The time of the next search; in due_ unless the ride has a live offer.
    absl::Time next_look = absl::InfiniteFuture();
    std::set<std::string> excluded;
    // Drivers who must not be asked before the given time (domain).
    std::map<std::string, absl::Time> paused;
  };
  // A ride whose dispatch at `epoch` is over for good, so that a late start is refused.
  struct Ended {
    std::int64_t epoch = 0;
    // Domain time.
    absl::Time until;
  };

  // Null: not dispatched here.
  Ride* Find(const std::string& ride_id) const;
  void Drop(const std::string& ride_id);
  void RememberEnded(Now now, const std::string& ride_id, std::int64_t epoch);
  void MakeDue(Ride& ride, absl::Time when);
  // Removes rides that are due from due_, longest waiting first. Rides past their deadline are exhausted.
  std::vector<Ride*> TakeDue(Now now);
  double RadiusM(Now now, const Ride& ride) const;

  const DispatchOptions& options_;
  const LocationIndex& index_;
  const TravelTimes& travel_times_;
  const Matcher& matcher_;
  Effects& effects_;

  // Ordered, so that loops over all entries run in the same order in each run.
  std::map<std::string, std::unique_ptr<Ride>> rides_;
  std::map<std::string, Ended> ended_;
  std::set<LinkId> links_;
  std::uint64_t last_number_ = 0;
  // Rides without a live offer, by the time of their next search and their number. All that found no driver come back
  // each second, so an entry has no text to copy and no ride to look up.
  std::map<std::pair<absl::Time, std::uint64_t>, Ride*> due_;
  Timers<std::string> forget_ended_;  // domain, by ride
  Timers<LinkId> working_sets_;       // wall
};

}  // namespace hail::driver
