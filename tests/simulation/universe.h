// All parts of one simulation: time, network, the disks and processes of both services, people with phones, and the
// judge. One thread, one seed.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "rider-service/domain/region.h"
#include "tests/simulation/driver_disk.h"
#include "tests/simulation/judge.h"
#include "tests/simulation/network.h"
#include "tests/simulation/plan.h"
#include "tests/simulation/ride_disk.h"
#include "tests/simulation/scheduler.h"
#include "tests/simulation/situations.h"
#include "tests/tools/hail-sim/audit.h"
#include "tests/tools/hail-sim/random.h"
#include "tests/tools/hail-sim/world.h"

namespace hail::simulation {

// Maximum time until the rides of a dead replica have new owners: its lease, a search for orphans, the reads.
inline constexpr absl::Duration kTakeOver = absl::Seconds(10);

class RiderNode;
class DriverNode;
class RiderPhone;
class DriverPhone;
class Stranger;

// The outcome of a run.
struct Result {
  std::uint64_t seed = 0;
  std::vector<Violation> violations;
  SituationCounts situations{};
  int rides = 0;
  int drivers = 0;
  int deaths = 0;
  std::int64_t faults = 0;
  std::uint64_t steps = 0;
  // Over all commits and their times: equal for two runs of one seed.
  std::uint64_t digest = 0;
  std::vector<std::string> history;
};

class Universe {
 public:
  // `record`: keep the history. The regions are read once for all runs.
  Universe(const Plan& plan, bool record);
  ~Universe();

  Result Run();

  // --- For the other parts of the simulation ---

  const Plan& plan() const { return plan_; }
  // The present faults: all of the plan in the storm, none after it.
  const Plan& present() const { return stormy_ ? plan_ : calm_; }
  Scheduler& scheduler() { return scheduler_; }
  const SimClock& clock() const { return clock_; }
  sim::Random& random() { return random_; }
  std::function<std::uint64_t()> Bits() {
    return [this] { return random_.Bits(); };
  }
  Network& network() { return network_; }
  Judge& judge() { return judge_; }
  const rider::Regions& regions() const;
  const sim::World& world() const { return world_; }
  sim::Violations& seen_by_clients() { return seen_by_clients_; }

  // A live process of rider-service, any of them; null: none is alive.
  RiderNode* rider();
  // All live processes of rider-service.
  std::vector<RiderNode*> riders() const;
  // The same for driver-service.
  DriverNode* driver();
  std::vector<DriverNode*> drivers() const;
  RideDisk& ride_disk() { return ride_disk_; }
  DriverDisk& driver_disk() { return driver_disk_; }
  Route& rider_phones() { return rider_phones_; }
  Route& driver_phones() { return driver_phones_; }
  Route& services() { return services_; }
  // The same route, for calls that take seconds.
  Route& slow_services() { return slow_services_; }

  // The storm has not ended yet.
  bool stormy() const { return stormy_; }
  Life* NewLife() { return &lives_.emplace_back(); }
  // How often rider-service and driver-service were started.
  int rider_runs() const { return rider_runs_; }
  int driver_runs() const { return driver_runs_; }

  // The reply to a committed confirmation of this driver was lost.
  void ReplyLost(const std::string& driver_id);
  // Whether this offer is being confirmed.
  bool IsConfirming(const std::string& offer_id) const;
  // Whether an offer to this driver is being confirmed.
  bool OfferConfirming(const std::string& driver_id) const;
  void Confirming(const std::string& offer_id, const std::string& driver_id) { confirming_[driver_id] = offer_id; }
  // The run of rider-service in which the ride was created.
  int created_in(const std::string& ride_id) const;
  void Created(const std::string& ride_id) { created_in_[ride_id] = rider_runs_; }
  // The bus lost this event on the way to a watcher.
  void BusLost(const std::string& ride_id, std::int64_t sequence) { lost_by_bus_.emplace(ride_id, sequence); }
  bool LostByBus(const std::string& ride_id, std::int64_t sequence) {
    return lost_by_bus_.erase({ride_id, sequence}) > 0;
  }

  void Hit(Situation situation) { ++situations_[static_cast<std::size_t>(situation)]; }
  void CountFault() { ++faults_; }
  bool recording() const { return record_; }
  template <typename... Parts>
  void Note(const Parts&... parts) {
    if (record_) Record(absl::StrCat(parts...));
  }
  // Mixes `what` into the digest.
  void Digest(std::string_view what);

  // The rider of this ride cancels it within a second or two.
  void CancelSoon(const std::string& ride_id);

  // Called at the instant of a session claim's commit; `before`: the session before.
  void Claimed(const driver::SessionClaim& before, const driver::SessionClaim& after);

  // `asker` asked the replica that owns the driver's session to make this offer.
  void OfferAskedFor(const std::string& offer_id, const std::string& asker);

  // Records the incarnation whose commit made the ride's latest version; returns the one before, "" for none.
  std::string TakeOver(const std::string& ride_id, const std::string& incarnation_id) {
    return std::exchange(keepers_[ride_id], incarnation_id);
  }
  bool IsAlive(const std::string& incarnation_id) const;

  // A service dies at this instant, once the present task has returned. One of its processes, drawn at random.
  void KillRiderSoon();
  // Every commit of rider-service takes up to `length` longer, during `length`.
  void StallRiderStore(absl::Duration length);
  // `briefly`: the next process is up almost at once.
  void KillDriverSoon(bool briefly = false);

 private:
  void Record(const std::string& line);
  void StartRider(std::size_t replica);
  void StartDriver(std::size_t replica);
  absl::Duration DownTime();
  // A process that gets SIGTERM: it drains, leaves the others, and dies soon after.
  template <typename Node>
  void Drain(Node* node, const std::string& name, std::function<void()> die);
  void KillRider(std::size_t replica, bool drain);
  std::size_t AnyRider();
  std::size_t AnyDriver();
  // Draws whether a fault hits driver-service, among the services whose processes share a store.
  bool MeansDriver();
  // A live process loses the store, or the bus, for `length`.
  void CutStore(absl::Duration length);
  void CutBus(absl::Duration length);
  void KillDriver(std::size_t replica, bool drain, bool briefly = false);
  // The wall clock of this replica's machine gets an error of `wrong`.
  void SetRiderClock(std::size_t replica, absl::Duration wrong);
  void SetDriverClock(std::size_t replica, absl::Duration wrong);
  void SetsClock(const std::string& process, absl::Duration wrong);
  void PlanFaults();
  void Populate();
  void BecomeCalm();
  bool Quiet() const;
  // Checks that the owners of sessions use the stored desired availability.
  void LookAtWishes();
  void Check();

  const Plan plan_;
  const Plan calm_;
  const bool record_;
  Scheduler scheduler_;
  SimClock clock_;
  sim::Random random_;
  Network network_;
  Route rider_phones_;
  Route driver_phones_;
  Route services_;
  Route slow_services_;
  RideDisk ride_disk_;
  DriverDisk driver_disk_;
  Judge judge_;
  sim::World world_;
  sim::Violations seen_by_clients_;
  std::deque<Life> lives_;
  // By replica; null while dead.
  std::vector<std::unique_ptr<RiderNode>> riders_;
  std::map<std::string, std::string> keepers_;
  std::vector<std::unique_ptr<DriverNode>> drivers_;
  // The error of each machine's wall clock, by replica.
  std::vector<absl::Duration> rider_clocks_;
  std::vector<absl::Duration> driver_clocks_;
  bool stormy_ = true;
  bool rider_kill_planned_ = false;
  bool driver_kill_planned_ = false;
  int rider_runs_ = 0;
  int driver_runs_ = 0;
  int deaths_ = 0;
  int riders_to_come_ = 0;
  std::int64_t faults_ = 0;
  std::uint64_t digest_ = 1469598103934665603u;
  SituationCounts situations_{};
  std::map<std::string, std::string> confirming_;
  // Offers that were asked of another replica, and the replica that asked.
  std::map<std::string, std::string> askers_;
  std::map<std::string, int> created_in_;
  std::set<std::pair<std::string, std::int64_t>> lost_by_bus_;
  std::vector<std::string> history_;
  std::vector<std::unique_ptr<RiderPhone>> rider_list_;
  std::map<std::string, std::unique_ptr<DriverPhone>> driver_list_;
  std::vector<std::unique_ptr<Stranger>> strangers_;
};

// One seed, from beginning to end.
Result Simulate(const Plan& plan, bool record);

}  // namespace hail::simulation
