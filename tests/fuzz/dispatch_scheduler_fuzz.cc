// rider-service's dispatch scheduler against an unreliable store, link and clock: updates that come late, twice or
// never, commands that fail, links that come and go, a driver-service that sends anything. The rules are checked at
// each step; once the link stays up, each ride must be dispatched to its end.
#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/errors/error.h"
#include "rider-service/domain/dispatch_scheduler.h"
#include "tests/fuzz/ride_model.h"

namespace hail::fuzz {
namespace {

using rider::DispatchScheduler;
using rider::Ride;
using rider::RideState;

constexpr int kRides = 4;

struct Command {
  enum class Kind { kRaise, kEnd, kGiveUp } kind;
  std::string ride_id;
  std::int64_t epoch = 0;
};

class World final : public DispatchScheduler::Out {
 public:
  World() : scheduler_(this, rules_) { scheduler_.OnLease(now_, absl::InfiniteFuture()); }

  void Step(Input& input) {
    const std::string ride_id = "ride-" + std::to_string(input.Below(kRides));
    switch (input.Below(14)) {
      case 0:
        if (!rides_.contains(ride_id)) Store(AskedFor(ride_id, rules_, now_.domain).ride);
        break;
      case 1:
      case 2:
        // Actions of riders, drivers and operators.
        if (const auto ride = rides_.find(ride_id); ride != rides_.end()) {
          const auto change = AnyCommand(input, ride->second, rules_, now_.domain);
          if (change.ok() && change->changed) Store(change->ride);
        }
        break;
      case 3:
      case 4: {
        // A present or an older update; at most as old as the minute for which the scheduler remembers ended rides.
        if (history_.empty()) break;
        const std::size_t back = static_cast<std::size_t>(input.Below(16)) % history_.size();
        const auto& [committed, ride] = history_[history_.size() - 1 - back];
        if (now_.wall < committed + absl::Seconds(50)) Update(ride);
        break;
      }
      case 5:
        Reconcile();
        break;
      case 6:
        LinkUp();
        break;
      case 7:
        link_up_ = false;
        scheduler_.OnLinkDown(now_);
        break;
      case 8:
        scheduler_.OnStarted(now_, ride_id, EpochNear(input, ride_id));
        if (const auto ride = started_.find(ride_id); ride != started_.end()) ride->second.acknowledged = true;
        break;
      case 9:
        scheduler_.OnExhausted(now_, ride_id, EpochNear(input, ride_id));
        break;
      case 10: {
        const std::string driver_id = DriverId(input.Below(4));
        scheduler_.OnSettled(now_, ride_id, 1, driver_id);
        break;
      }
      case 11: {
        std::vector<DispatchScheduler::Dispatching> set;
        for (int i = input.Below(kRides + 1); i > 0; --i) {
          const std::string named = "ride-" + std::to_string(input.Below(kRides + 1));
          set.push_back({named, EpochNear(input, named)});
        }
        scheduler_.OnWorkingSet(now_, set);
        break;
      }
      case 12:
        if (!commands_.empty()) Run(input.Below(4));
        break;
      default: {
        // Mostly small steps. Domain time runs as fast as wall time or faster, and is never set back by much.
        const absl::Duration step = absl::Milliseconds(50) * (1 + input.Below(100));
        now_.wall += step;
        now_.domain += step * (1 + input.Below(8));
        scheduler_.OnTick(now_);
        break;
      }
    }
  }

  // No more failures. Each ride must end (no driver drives), or have been seen by its driver.
  void CalmDown() {
    calm_ = true;
    LinkUp();
    for (int i = 0; i < 600; ++i) {
      now_.wall += absl::Seconds(2);
      now_.domain += absl::Seconds(2);
      if (i % 5 == 0) Reconcile();
      scheduler_.OnTick(now_);
      while (!commands_.empty()) Run(0);
      for (const auto& [ride_id, start] : std::exchange(to_acknowledge_, {})) {
        scheduler_.OnStarted(now_, ride_id, start);
      }
    }
    for (const auto& [ride_id, ride] : rides_) {
      Require(ride.state() != RideState::kMatching, "no ride is stuck looking for a driver", ride_id);
      Require(ride.state() != RideState::kEnrouteToPickup || ride.seen_time(), "no assignment stays unseen", ride_id);
    }
    Require(scheduler_.matching() == 0 && scheduler_.unseen() == 0, "the scheduler keeps no ride that is over");
  }

 private:
  struct Started {
    std::int64_t epoch = 0;
    int link = 0;
    absl::Time sent;
    bool acknowledged = false;
  };

  void Store(Ride ride) {
    history_.emplace_back(now_.wall, ride);
    rides_[ride.ride_id()] = std::move(ride);
  }

  void Update(const Ride& ride) {
    known_.insert(ride.ride_id());
    scheduler_.OnRide(now_, ride);
  }

  // As the store's query does: the rides that are MATCHING, and those assigned but not seen.
  void Reconcile() {
    std::vector<Ride> rides;
    for (const auto& [ride_id, ride] : rides_) {
      const bool unseen = ride.state() == RideState::kEnrouteToPickup && !ride.seen_time();
      if (ride.state() != RideState::kMatching && !unseen) continue;
      if (ride.state() == RideState::kMatching && !known_.contains(ride_id)) found_.try_emplace(ride_id, ride.epoch());
      rides.push_back(ride);
    }
    // Recorded after the call, because the scheduler may start the rides before the call returns.
    scheduler_.OnDispatchable(now_, rides);
    for (const Ride& ride : rides) known_.insert(ride.ride_id());
  }

  void LinkUp() {
    ++link_;
    link_up_ = true;
    scheduler_.OnLinkUp(now_);
  }

  std::int64_t EpochNear(Input& input, const std::string& ride_id) const {
    static constexpr int kOff[] = {0, 0, 0, -1, 1, 5};
    const auto ride = rides_.find(ride_id);
    return (ride == rides_.end() ? 1 : ride->second.epoch()) + kOff[input.Below(6)];
  }

  // The oldest command: runs on the store or fails on the way.
  void Run(int how) {
    const Command command = commands_.front();
    commands_.pop_front();
    Require(in_flight_.erase(command.ride_id) == 1, "a command is answered once");
    const auto found = rides_.find(command.ride_id);
    Require(found != rides_.end(), "a command names an existing ride", command.ride_id);
    if (how == 1) {
      scheduler_.OnCommandDone(now_, command.ride_id, Unavailable(Reason::kStoreUnavailable, "the store is away"));
      return;
    }
    const Ride before = found->second;
    rider::RideChange change;
    switch (command.kind) {
      case Command::Kind::kRaise:
        change = rider::RaiseEpoch(before, command.epoch);
        break;
      case Command::Kind::kEnd:
        change = rider::EndUnfulfilled(before, command.epoch, now_.domain);
        break;
      case Command::Kind::kGiveUp:
        change = rider::ExpireUnacknowledged(before, command.epoch, rules_, now_.domain);
        break;
    }
    if (change.changed) Store(change.ride);
    if (how == 2) {
      // The command was committed and its answer lost: the update comes separately, or with the next query.
      scheduler_.OnCommandDone(now_, command.ride_id, Unavailable(Reason::kStoreUnavailable, "no answer"));
      return;
    }
    if (how == 3 && change.changed) Update(change.ride);
    known_.insert(command.ride_id);
    scheduler_.OnCommandDone(now_, command.ride_id, change.ride);
  }

  void Ask(Command command) {
    Require(in_flight_.insert(command.ride_id).second, "one command at a time for a ride", command.ride_id);
    commands_.push_back(std::move(command));
  }

  // ---- DispatchScheduler::Out

  void SendStart(const DispatchScheduler::Start& start) override {
    Require(link_up_, "a start goes to a link that is up");
    Require(start.ride != nullptr && start.remaining > absl::ZeroDuration(), "a start has a ride and time");
    const Ride& ride = *start.ride;
    Require(ride.state() == RideState::kMatching, "only a waiting ride is started");
    Require(ride.epoch() <= rides_.at(ride.ride_id()).epoch(), "a start has an epoch of the ride");
    for (const std::string& excluded : ride.excluded_driver_ids()) {
      Require(std::find(start.excluded_driver_ids.begin(), start.excluded_driver_ids.end(), excluded) !=
                  start.excluded_driver_ids.end(),
              "a driver who gave the ride up is excluded", excluded);
    }
    if (const auto found = found_.find(ride.ride_id()); found != found_.end()) {
      Require(ride.epoch() > found->second, "a ride of an earlier process gets a new epoch");
    }
    const auto before = started_.find(ride.ride_id());
    if (before != started_.end()) {
      Require(ride.epoch() >= before->second.epoch, "epochs are started in order");
      if (ride.epoch() == before->second.epoch) {
        Require(before->second.link == link_, "one epoch is dispatched on one link only");
        Require(now_.wall >= before->second.sent + absl::Seconds(2), "a start is repeated after a while");
      }
    }
    started_[ride.ride_id()] = {ride.epoch(), link_, now_.wall, false};
    if (calm_) to_acknowledge_.emplace_back(ride.ride_id(), ride.epoch());
  }

  void SendStop(const std::string& ride_id, std::int64_t epoch, DispatchScheduler::StopReason) override {
    Require(link_up_, "a stop goes to a link that is up");
    const auto ride = rides_.find(ride_id);
    if (ride == rides_.end()) return;
    // Only for a ride that is over at that epoch; a later epoch may wait meanwhile.
    Require(ride->second.state() != RideState::kMatching || ride->second.epoch() != epoch || !calm_,
            "a waiting ride is not stopped", ride_id);
  }

  void RaiseEpoch(const std::string& ride_id, std::int64_t epoch) override {
    Require(link_up_, "an epoch is raised for a link");
    Ask({Command::Kind::kRaise, ride_id, epoch});
  }
  void EndUnfulfilled(const std::string& ride_id, std::int64_t epoch) override {
    Ask({Command::Kind::kEnd, ride_id, epoch});
  }
  void ReadDispatchable() override { Reconcile(); }
  void ExpireUnacknowledged(const std::string& ride_id, std::int64_t epoch) override {
    Ask({Command::Kind::kGiveUp, ride_id, epoch});
  }

  const rider::RideRules rules_;
  DispatchScheduler scheduler_;
  Now now_{kStart, kStart};
  bool calm_ = false;
  bool link_up_ = false;
  int link_ = 0;
  // The store, and all versions it ever held, with the time of their commit (wall).
  std::map<std::string, Ride> rides_;
  std::vector<std::pair<absl::Time, Ride>> history_;
  // Rides that the scheduler knows from updates; and the epoch of those that it found in the store first.
  std::set<std::string> known_;
  std::map<std::string, std::int64_t> found_;
  std::map<std::string, Started> started_;
  std::deque<Command> commands_;
  std::set<std::string> in_flight_;
  std::vector<std::pair<std::string, std::int64_t>> to_acknowledge_;
};

}  // namespace
}  // namespace hail::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  hail::fuzz::Input input(data, size);
  hail::fuzz::World world;
  for (int i = 0; i < 400 && !input.empty(); ++i) world.Step(input);
  world.CalmDown();
  return 0;
}
