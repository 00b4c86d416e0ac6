// The part of the dispatch core that keeps the rides a driver is looked for, each for the link that started it.
//
// Invariants (docs/decisions/0034-the-dispatch-core-in-four.md): a ride is matched at one epoch, the highest that was
// started, until its deadline; a dispatch that is over is not taken on again; a driver who is excluded is not proposed
// for the ride again.
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
  // A ride and the driver it is to be offered to.
  struct Match {
    std::shared_ptr<const DispatchStart> start;
    NearDriver driver;
    // Since this dispatch of the ride began (domain).
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
  // Whether the ride has to be added. False: the link is gone, or the dispatch is known (it is acknowledged), over or
  // older than the present one.
  bool IsNew(LinkId link, const DispatchStart& start);
  // Adds a ride that is new, in place of an earlier dispatch of it, and acknowledges it. It waits for Free.
  void Add(Now now, LinkId link, std::shared_ptr<const DispatchStart> start);
  // True: the ride was dropped. False: it is dispatched at a higher epoch, or not at all.
  bool Stop(Now now, LinkId link, const std::string& ride_id, std::int64_t epoch, StopReason reason);

  // ---- Rides. Without effect on one that is not dispatched here

  // It has no live offer: it looks for a driver now.
  void Free(Now now, const std::string& ride_id);
  // The driver is not proposed for the ride any more.
  void Exclude(const std::string& ride_id, const std::string& driver_id);
  // Nor before `until`, domain time.
  void Pause(const std::string& ride_id, const std::string& driver_id, absl::Time until);
  // Reports an offer of the ride that was declined or expired to the link.
  void ReportSettled(const DispatchStart& start, const std::string& driver_id, OfferStatus outcome);
  // The dispatch at `epoch` is over for good, and so are earlier ones.
  void EndDispatch(Now now, const std::string& ride_id, std::int64_t epoch);
  // Whether the dispatch at `epoch` is known to be over.
  bool IsOver(const std::string& ride_id, std::int64_t epoch) const;
  // Of the present dispatch; nullopt: the ride is not dispatched here.
  std::optional<std::int64_t> EpochOf(const std::string& ride_id) const;
  std::size_t size() const { return rides_.size(); }

  // ---- Matching

  // Matches the rides that are due with drivers who `can_offer`: each that is returned has an offer from now on. The
  // others look again later, or are exhausted.
  std::vector<Match> TakeMatches(Now now, absl::FunctionRef<bool(const std::string& driver_id)> can_offer);

  void Tick(Now now);

 private:
  struct Ride {
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
  // A ride whose dispatch at `epoch` is over for good, so that a late start of it is not taken on.
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
  // Takes rides that are due out of due_, longest waiting first. Those past their deadline are exhausted.
  std::vector<Ride*> TakeDue(Now now);
  double RadiusM(Now now, const Ride& ride) const;

  const DispatchOptions& options_;
  const LocationIndex& index_;
  const TravelTimes& travel_times_;
  const Matcher& matcher_;
  Effects& effects_;

  // Ordered, so that what is done for all is done in the same order in each run.
  std::map<std::string, std::unique_ptr<Ride>> rides_;
  std::map<std::string, Ended> ended_;
  std::set<LinkId> links_;
  // Rides without a live offer, by when to look for a driver next.
  std::set<std::pair<absl::Time, std::string>> due_;
  Timers<std::string> forget_ended_;  // domain, by ride
  Timers<LinkId> working_sets_;       // wall
};

}  // namespace hail::driver
