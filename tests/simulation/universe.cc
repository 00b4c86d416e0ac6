#include "tests/simulation/universe.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/geo/lat_lng.h"
#include "tests/simulation/driver_node.h"
#include "tests/simulation/phones.h"
#include "tests/simulation/rider_node.h"

namespace hail::simulation {
namespace {

// The area of the simulation, in San Francisco.
constexpr LatLng kCentre{37.785, -122.41};
// After the storm all people get this long (domain time) to finish: a ride may have to wait for a driver, lose an
// unseen assignment and wait again.
constexpr absl::Duration kPatience = absl::Minutes(90);
// After all looks finished, tasks still pending have this long to fail.
constexpr absl::Duration kAfterQuiet = absl::Seconds(40);

absl::Time Start() { return absl::FromUnixSeconds(1'700'000'000); }

LatLng Near(sim::Random& random, const LatLng& centre, double least_m, double most_m) {
  const double bearing = random.Between(0, 360);
  return Toward(centre, bearing, random.Between(least_m, most_m));
}

const rider::Regions& ShippedRegions() {
  static const auto* const regions = new rider::Regions(*rider::Regions::FromJson(rider::Regions::ShippedJson()));
  return *regions;
}

template <typename Node>
std::vector<Node*> Alive(const std::vector<std::unique_ptr<Node>>& nodes) {
  std::vector<Node*> alive;
  for (const auto& node : nodes) {
    if (node != nullptr) alive.push_back(node.get());
  }
  return alive;
}

// The down time of a service that restarts before the dead process's requests are done.
constexpr absl::Duration kBriefly = absl::Milliseconds(20);

}  // namespace

Universe::Universe(const Plan& plan, bool record)
    : plan_(plan),
      calm_(Without(plan, ~0u)),
      record_(record),
      scheduler_(Start()),
      clock_(&scheduler_, {.anchor_wall = Start(), .anchor_domain = Start(), .scale = plan.scale}),
      random_(plan.seed, "universe"),
      network_(&scheduler_, &random_),
      rider_phones_{"riders", plan.rider_phones},
      driver_phones_{"drivers", plan.driver_phones},
      services_{"services", plan.services},
      slow_services_{"services, slowly", {.latency_mean = absl::Seconds(2), .latency_max = absl::Milliseconds(2900)}},
      judge_(&ride_disk_, &clock_) {
  ride_disk_.quote_key = std::string(32, 'k');
  riders_.resize(static_cast<std::size_t>(plan.rider_replicas));
  drivers_.resize(static_cast<std::size_t>(plan.driver_replicas));
  rider_clocks_.resize(riders_.size());
  driver_clocks_.resize(drivers_.size());
}

Universe::~Universe() {
  // Destroy people first: their phones hold streams.
  rider_list_.clear();
  driver_list_.clear();
  strangers_.clear();
  for (std::size_t replica = 0; replica < riders_.size(); ++replica) KillRider(replica, false);
  for (std::size_t replica = 0; replica < drivers_.size(); ++replica) KillDriver(replica, false);
}

const rider::Regions& Universe::regions() const { return ShippedRegions(); }

void Universe::Record(const std::string& line) {
  history_.push_back(absl::StrCat(absl::FormatDuration(scheduler_.now() - Start()), "  ", line));
}

void Universe::Digest(std::string_view what) {
  const auto mix = [this](std::uint64_t value) { digest_ = (digest_ ^ value) * 1099511628211u; };
  for (const char c : what) mix(static_cast<unsigned char>(c));
  mix(static_cast<std::uint64_t>(absl::ToUnixNanos(scheduler_.now())));
}

void Universe::ReplyLost(const std::string& driver_id) { driver_list_.at(driver_id)->ReplyLost(); }

bool Universe::IsConfirming(const std::string& offer_id) const {
  const std::vector<DriverNode*> alive = drivers();
  return std::any_of(alive.begin(), alive.end(),
                     [&](const DriverNode* driver) { return driver->Confirming(offer_id); });
}

bool Universe::OfferConfirming(const std::string& driver_id) const {
  const auto offer = confirming_.find(driver_id);
  return offer != confirming_.end() && IsConfirming(offer->second);
}

int Universe::created_in(const std::string& ride_id) const {
  const auto run = created_in_.find(ride_id);
  return run == created_in_.end() ? 0 : run->second;
}

// --- Processes ---

RiderNode* Universe::rider() {
  const std::vector<RiderNode*> alive = riders();
  if (alive.empty()) return nullptr;
  return alive.size() == 1 ? alive.front() : alive[AnyRider() % alive.size()];
}

std::vector<RiderNode*> Universe::riders() const { return Alive(riders_); }

DriverNode* Universe::driver() {
  const std::vector<DriverNode*> alive = drivers();
  if (alive.empty()) return nullptr;
  return alive.size() == 1 ? alive.front() : alive[AnyDriver() % alive.size()];
}

std::vector<DriverNode*> Universe::drivers() const { return Alive(drivers_); }

std::size_t Universe::AnyRider() { return static_cast<std::size_t>(random_.Bits() % riders_.size()); }

std::size_t Universe::AnyDriver() {
  return drivers_.size() == 1 ? 0 : static_cast<std::size_t>(random_.Bits() % drivers_.size());
}

bool Universe::MeansDriver() { return drivers_.size() > 1 && (riders_.size() == 1 || random_.Chance(0.5)); }

void Universe::Claimed(const driver::SessionClaim& before, const driver::SessionClaim& after) {
  judge_.Claimed(after);
  if (before.replica.empty() || before.replica == after.replica) return;
  const std::vector<DriverNode*> alive = drivers();
  const auto owner = std::find_if(alive.begin(), alive.end(),
                                  [&](const DriverNode* driver) { return driver->replica() == before.replica; });
  if (owner == alive.end()) {
    Hit(Situation::kSessionOfADeadReplicaClaimed);
    return;
  }
  Hit(Situation::kSessionMovedToAnotherReplica);
  if (!after.by_stream) Hit(Situation::kSessionOfALivingReplicaClaimedByCall);
  if (ride_disk_.live_of_driver.contains(after.driver_id)) Hit(Situation::kSessionMovedOnTrip);
  if (const auto offer = confirming_.find(after.driver_id);
      offer != confirming_.end() && (*owner)->Confirming(offer->second)) {
    Hit(Situation::kSessionMovedWhileConfirming);
  }
  if (judge_.HasPendingOffer(after.driver_id, before.replica)) Hit(Situation::kSessionMovedWithOfferPending);
}

bool Universe::IsAlive(const std::string& incarnation_id) const {
  const std::vector<RiderNode*> alive = riders();
  return std::any_of(alive.begin(), alive.end(),
                     [&](const RiderNode* rider) { return rider->incarnation_id() == incarnation_id; });
}

void Universe::OfferAskedFor(const std::string& offer_id, const std::string& asker) {
  if (askers_.emplace(offer_id, asker).second) Hit(Situation::kOfferAskedOfAnotherReplica);
}

void Universe::StartRider(std::size_t replica) {
  if (riders_[replica] != nullptr) return;
  ++rider_runs_;
  Note("rider-service starts, run ", rider_runs_);
  riders_[replica] = std::make_unique<RiderNode>(this, NewLife(), &rider_clocks_[replica]);
  judge_.RiderServiceUp(true, riders_.size() > 1 ? kTakeOver : absl::ZeroDuration());
}

void Universe::StartDriver(std::size_t replica) {
  if (drivers_[replica] != nullptr) return;
  ++driver_runs_;
  Note("driver-service starts, run ", driver_runs_);
  drivers_[replica] = std::make_unique<DriverNode>(this, NewLife(), &driver_clocks_[replica]);
}

// Mostly seconds; sometimes so short that requests of the dead process are still in flight.
absl::Duration Universe::DownTime() {
  return random_.Chance(0.3) ? absl::Milliseconds(random_.Between(5, 100))
                             : absl::Milliseconds(random_.Between(100, 8000));
}

void Universe::CancelSoon(const std::string& ride_id) {
  for (const auto& phone : rider_list_) {
    if (phone->agent().ride_id() != ride_id) continue;
    scheduler_.After(absl::Milliseconds(random_.Between(0, 1500)), nullptr,
                     [phone = phone.get()] { phone->CancelNow(); });
  }
}

template <typename Node>
void Universe::Drain(Node* node, const std::string& name, std::function<void()> die) {
  Note(name, " drains");
  node->gate().Drain(absl::Seconds(1));
  scheduler_.After(absl::Milliseconds(random_.Between(200, 2000)), &node->life(), [this, node, die] {
    node->Leave();
    scheduler_.After(absl::Milliseconds(random_.Between(0, 100)), &node->life(), die);
  });
}

void Universe::KillRider(std::size_t replica, bool drain) {
  std::unique_ptr<RiderNode>& rider = riders_[replica];
  if (rider == nullptr) return;
  if (drain) {
    Drain(rider.get(), rider->incarnation_id(), [this, replica] { KillRider(replica, false); });
    return;
  }
  Note(rider->incarnation_id(), " dies");
  ++deaths_;
  if (rider->unacknowledged() > 0) Hit(Situation::kRiderDiedBetweenCommitAndAck);
  if (rider->store().writes_queued() > 0) Hit(Situation::kRiderDiedWithWritesWaiting);
  if (rider->confirming() > 0) Hit(Situation::kRiderDiedWithConfirmUnderWay);
  if (drivers().empty()) Hit(Situation::kBothDead);
  scheduler_.End(&rider->life());
  rider.reset();
  rider_clocks_[replica] = absl::ZeroDuration();
  judge_.RiderServiceUp(!riders().empty(), kTakeOver);
  scheduler_.After(DownTime(), nullptr, [this, replica] { StartRider(replica); });
}

void Universe::KillDriver(std::size_t replica, bool drain, bool briefly) {
  std::unique_ptr<DriverNode>& driver = drivers_[replica];
  if (driver == nullptr) return;
  if (drain) {
    Drain(driver.get(), driver->replica(), [this, replica] { KillDriver(replica, false); });
    return;
  }
  Note(driver->replica(), " dies");
  ++deaths_;
  if (driver->Counts().offers_pending > 0) Hit(Situation::kDriverDiedWithOfferPending);
  if (driver->confirming() > 0) Hit(Situation::kDriverDiedWithConfirmUnderWay);
  if (std::any_of(askers_.begin(), askers_.end(),
                  [&](const auto& asked) { return asked.second == driver->replica() && judge_.IsLive(asked.first); })) {
    Hit(Situation::kAskerDiedWithOfferElsewhere);
  }
  if (riders().empty()) Hit(Situation::kBothDead);
  judge_.DriverServiceDied(driver->replica());
  scheduler_.End(&driver->life());
  driver.reset();
  driver_clocks_[replica] = absl::ZeroDuration();
  scheduler_.After(briefly ? kBriefly : DownTime(), nullptr, [this, replica] { StartDriver(replica); });
}

void Universe::KillRiderSoon() {
  if (std::exchange(rider_kill_planned_, true)) return;
  scheduler_.After(absl::ZeroDuration(), nullptr, [this] {
    rider_kill_planned_ = false;
    if (stormy_) KillRider(AnyRider(), false);
  });
}

void Universe::StallRiderStore(absl::Duration length) {
  StoreFaults stalled = plan_.rider_store;
  stalled.commit_mean = stalled.commit_max = length;
  for (RiderNode* const rider : riders()) {
    rider->set_faults(stalled);
    scheduler_.After(length, &rider->life(), [this, rider] { rider->set_faults(present().rider_store); });
  }
}

void Universe::CutStore(absl::Duration length) {
  const auto cut = [this, length](auto* process, const std::string& name, StoreFaults Plan::*store, auto mended) {
    Note(name, " cannot reach the store");
    CountFault();
    StoreFaults unreachable = plan_.*store;
    unreachable.fail_unwritten = unreachable.fail_read = 1;
    process->set_faults(unreachable);
    scheduler_.After(length, &process->life(), [this, process, store, mended] {
      process->set_faults(present().*store);
      mended();
    });
  };
  if (MeansDriver()) {
    if (DriverNode* const driver = this->driver(); driver != nullptr) {
      cut(driver, driver->replica(), &Plan::driver_store, [] {});
    }
  } else if (RiderNode* const rider = this->rider(); rider != nullptr) {
    // It finds out then about changes that it missed.
    cut(rider, rider->incarnation_id(), &Plan::rider_store, [this] { judge_.RiderServiceUp(true, kTakeOver); });
  }
}

void Universe::CutBus(absl::Duration length) {
  const auto cut = [this, length](auto* process, const std::string& name) {
    Note(name, " cannot reach the bus");
    CountFault();
    process->bus().set_cut(true);
    scheduler_.After(length, &process->life(), [process] { process->bus().set_cut(false); });
  };
  if (MeansDriver()) {
    if (DriverNode* const driver = this->driver(); driver != nullptr) cut(driver, driver->replica());
  } else if (RiderNode* const rider = this->rider(); rider != nullptr) {
    cut(rider, rider->incarnation_id());
  }
}

void Universe::KillDriverSoon(bool briefly) {
  if (std::exchange(driver_kill_planned_, true)) return;
  scheduler_.After(absl::ZeroDuration(), nullptr, [this, briefly] {
    driver_kill_planned_ = false;
    if (stormy_) KillDriver(AnyDriver(), false, briefly);
  });
}

void Universe::SetsClock(const std::string& process, absl::Duration wrong) {
  Note("the wall clock of ", process, " is set, and wrong by ", absl::FormatDuration(wrong));
  CountFault();
  judge_.ClockSet();
}

void Universe::SetRiderClock(std::size_t replica, absl::Duration wrong) {
  if (riders_[replica] == nullptr || !stormy_) return;
  const std::string& process = riders_[replica]->incarnation_id();
  // The clock slews to the new time from its latest reading on.
  riders_[replica]->clock().Read();
  SetsClock(process, wrong);
  rider_clocks_[replica] = wrong;
  for (const auto& [ride_id, ride] : ride_disk_.rides) {
    if (keepers_[ride_id] != process) continue;
    if (ride.state() == rider::RideState::kMatching) Hit(Situation::kClockSetWithRideWaiting);
    if (ride.state() == rider::RideState::kEnrouteToPickup && !ride.seen_time()) {
      Hit(Situation::kClockSetWithAssignmentUnseen);
    }
  }
}

void Universe::SetDriverClock(std::size_t replica, absl::Duration wrong) {
  if (drivers_[replica] == nullptr || !stormy_) return;
  drivers_[replica]->clock().Read();
  SetsClock(drivers_[replica]->replica(), wrong);
  driver_clocks_[replica] = wrong;
  if (drivers_[replica]->Counts().offers_pending > 0) Hit(Situation::kClockSetWithOfferPending);
}

// --- The plan ---

void Universe::PlanFaults() {
  const absl::Duration storm = clock_.scale().ToWall(plan_.storm);
  for (int i = 0; i < plan_.rider_deaths; ++i) {
    const bool drain = random_.Chance(plan_.drained);
    scheduler_.After(storm * random_.Unit(), nullptr, [this, drain] {
      if (stormy_) KillRider(AnyRider(), drain);
    });
  }
  for (int i = 0; i < plan_.driver_deaths; ++i) {
    const bool drain = random_.Chance(plan_.drained);
    scheduler_.After(storm * random_.Unit(), nullptr, [this, drain] {
      if (stormy_) KillDriver(AnyDriver(), drain);
    });
  }
  for (int i = 0; i < plan_.partitions; ++i) {
    const absl::Duration length = absl::Seconds(random_.Between(0.5, 25));
    scheduler_.After(storm * random_.Unit(), nullptr, [this, length] {
      if (!stormy_ || services_.partitioned) return;
      Note("partition between the services");
      CountFault();
      services_.partitioned = true;
      scheduler_.After(length, nullptr, [this] { services_.partitioned = false; });
    });
  }
  for (int i = 0; i < plan_.store_cuts; ++i) {
    // Sometimes much longer than others need to find out.
    const absl::Duration length = absl::Seconds(random_.Chance(0.6) ? random_.Between(1, 20) : random_.Between(20, 60));
    scheduler_.After(storm * random_.Unit(), nullptr, [this, length] {
      if (stormy_) CutStore(length);
    });
  }
  for (int i = 0; i < plan_.bus_cuts; ++i) {
    const absl::Duration length = absl::Seconds(random_.Between(1, 25));
    scheduler_.After(storm * random_.Unit(), nullptr, [this, length] {
      if (stormy_) CutBus(length);
    });
  }
  // A separate generator, so that plans without clock steps keep their runs.
  sim::Random clocks(plan_.seed, "clocks");
  for (int i = 0; i < plan_.clock_steps; ++i) {
    const double size = clocks.Unit();
    const absl::Duration most = size < 0.4 ? absl::Seconds(5) : size < 0.7 ? absl::Minutes(2) : absl::Hours(1);
    const absl::Duration wrong = most * clocks.Between(-1, 1);
    const absl::Duration when = storm * clocks.Unit();
    const absl::Duration length = absl::Seconds(clocks.Between(2, 90));
    const bool rider = clocks.Chance(0.5);
    const std::size_t replica = static_cast<std::size_t>(clocks.Bits() % (rider ? riders_.size() : drivers_.size()));
    const auto set = [this, rider, replica](absl::Duration wrong) {
      rider ? SetRiderClock(replica, wrong) : SetDriverClock(replica, wrong);
    };
    scheduler_.After(when, nullptr, [set, wrong] { set(wrong); });
    scheduler_.After(when + length, nullptr, [set] { set(absl::ZeroDuration()); });
  }
  scheduler_.After(storm, nullptr, [this] { BecomeCalm(); });
}

void Universe::Populate() {
  std::vector<sim::Trip> trips;
  for (int i = 0; i < plan_.riders; ++i) {
    sim::Trip trip;
    trip.trip_id = absl::StrCat("t", i);
    trip.pickup = Near(random_, kCentre, 0, 1500);
    trip.dropoff = Near(random_, trip.pickup, 150, 1500);
    trip.seats = random_.Chance(0.1) ? 3 : 1;
    trips.push_back(trip);
  }
  world_ = sim::World(trips);
  for (int i = 0; i < plan_.drivers; ++i) {
    driver::v1::Driver profile;
    profile.set_driver_id(absl::StrCat("d", i));
    profile.set_display_name(absl::StrCat("Driver ", i));
    profile.set_region_id("san_francisco");
    profile.mutable_vehicle()->set_make("Toyota");
    profile.mutable_vehicle()->set_model("Prius");
    profile.mutable_vehicle()->set_color("white");
    profile.mutable_vehicle()->set_plate(absl::StrCat("SIM-", i));
    const bool large = random_.Chance(0.3);
    profile.mutable_vehicle()->set_seats(large ? 6 : 4);
    profile.add_product_ids("economy");
    profile.add_product_ids("comfort");
    if (large) profile.add_product_ids("xl");
    auto phone = std::make_unique<DriverPhone>(this, profile, Near(random_, kCentre, 0, 2000), plan_.seed * 1000 + i);
    scheduler_.After(absl::Seconds(random_.Between(0, 10)), nullptr, [phone = phone.get()] { phone->Begin(); });
    driver_list_[profile.driver_id()] = std::move(phone);
  }
  const absl::Duration storm = clock_.scale().ToWall(plan_.storm);
  const auto come = [this](const std::string& rider, const std::string& request, const sim::Trip& trip,
                           absl::Duration when) {
    auto phone = std::make_unique<RiderPhone>(this, rider, request, trip, random_.Bits());
    scheduler_.After(when, nullptr, [this, phone = phone.get()] {
      --riders_to_come_;
      phone->Begin();
    });
    ++riders_to_come_;
    rider_list_.push_back(std::move(phone));
  };
  for (int i = 0; i < plan_.riders; ++i) {
    const absl::Duration when = storm * random_.Unit();
    const std::string rider = absl::StrCat("r", i);
    come(rider, absl::StrCat("request-", i), trips[i], when);
    if (random_.Chance(plan_.walk_aways)) {
      scheduler_.After(when + clock_.scale().ToWall(absl::Seconds(random_.Between(5, 90))), nullptr,
                       [this, phone = rider_list_.back().get()] {
                         const rider::Ride* ride = ride_disk_.Find(phone->agent().ride_id());
                         if (ride != nullptr && ride->state() == rider::RideState::kMatching) phone->CancelNow();
                       });
    }
    if (!random_.Chance(plan_.twin_riders)) continue;
    // The same rider on a second phone.
    sim::Trip twin = trips[i];
    twin.trip_id += "b";
    twin.dropoff = Near(random_, twin.pickup, 150, 1500);
    come(rider, absl::StrCat("request-", i, "b"), twin, when + absl::Seconds(random_.Between(0, 3)));
    Hit(Situation::kTwoRequestsOfOneRiderRaced);
  }
  for (int i = 0; i < plan_.strangers; ++i) strangers_.push_back(std::make_unique<Stranger>(this, i));
}

void Universe::BecomeCalm() {
  Note("the storm is over");
  stormy_ = false;
  judge_.BecameCalm(scheduler_.now());
  rider_phones_.weather = calm_.rider_phones;
  driver_phones_.weather = calm_.driver_phones;
  services_.weather = calm_.services;
  services_.partitioned = false;
  rider_clocks_.assign(rider_clocks_.size(), absl::ZeroDuration());
  driver_clocks_.assign(driver_clocks_.size(), absl::ZeroDuration());
  for (RiderNode* const rider : riders()) {
    rider->set_faults(calm_.rider_store);
    rider->bus().set_cut(false);
  }
  for (DriverNode* const driver : drivers()) {
    driver->set_faults(calm_.driver_store);
    driver->bus().set_cut(false);
  }
}

void Universe::LookAtWishes() {
  for (const auto& [driver_id, session] : driver_disk_.sessions) {
    for (DriverNode* const driver : drivers()) {
      if (driver->replica() != session.claim.replica) continue;
      const std::optional<driver::Availability> known = driver->Wish(driver_id);
      if (!known.has_value()) continue;
      judge_.OwnerGoesBy(driver->replica(), driver_id, *known, driver_disk_.drivers.at(driver_id).availability);
    }
  }
}

bool Universe::Quiet() const {
  if (stormy_ || riders_to_come_ > 0 || riders().size() < riders_.size() || drivers().size() < drivers_.size()) {
    return false;
  }
  for (const auto& phone : rider_list_) {
    if (!phone->agent().done()) return false;
  }
  for (const auto& [driver_id, phone] : driver_list_) {
    if (!phone->agent().ride_id().empty() || phone->agent().unanswered() > 0) return false;
  }
  for (const auto& [ride_id, ride] : ride_disk_.rides) {
    if (!IsFinal(ride.state())) return false;
  }
  return true;
}

void Universe::Check() {
  std::map<std::string, std::string> in_hand;
  std::vector<std::string> unanswered;
  for (const auto& [driver_id, phone] : driver_list_) {
    if (phone->agent().replaced()) {
      judge_.Fail(5, "nobody is replaced but by himself", driver_id);
      continue;
    }
    in_hand[driver_id] = phone->agent().ride_id();
    if (phone->agent().unanswered() > 0) unanswered.push_back(driver_id + " waits for an answer");
  }
  for (const auto& phone : rider_list_) {
    phone->Settle();
    if (!phone->agent().done()) {
      unanswered.push_back(absl::StrCat(phone->agent().rider_id(), " waits for the end of '", phone->agent().ride_id(),
                                        "' of ", phone->agent().request_id()));
    }
  }
  judge_.Quiet(in_hand, unanswered);
  const std::pair<const char*, std::int64_t> seen[] = {{"out of order", seen_by_clients_.out_of_order},
                                                       {"repeated", seen_by_clients_.duplicate},
                                                       {"missed", seen_by_clients_.missed},
                                                       {"against the protocol", seen_by_clients_.protocol},
                                                       {"double bookings", seen_by_clients_.double_booked}};
  for (const auto& [what, count] : seen) {
    if (count > 0) judge_.Fail(5, "a watcher sees each event once, in order", absl::StrCat(count, " ", what));
  }
}

Result Universe::Run() {
  for (std::size_t replica = 0; replica < riders_.size(); ++replica) StartRider(replica);
  for (std::size_t replica = 0; replica < drivers_.size(); ++replica) StartDriver(replica);
  Populate();
  PlanFaults();
  const absl::Time end = Start() + clock_.scale().ToWall(plan_.storm + kPatience);
  absl::Time quiet_since = absl::InfiniteFuture();
  absl::Time look = Start();
  // Stop at the first violation: later ones only follow from it.
  while (judge_.violations().empty() && scheduler_.now() < end && scheduler_.Step()) {
    if (scheduler_.now() < look) continue;
    look = scheduler_.now() + absl::Milliseconds(500);
    judge_.Look();
    LookAtWishes();
    if (!Quiet()) {
      quiet_since = absl::InfiniteFuture();
    } else if (quiet_since == absl::InfiniteFuture()) {
      quiet_since = scheduler_.now();
    } else if (scheduler_.now() - quiet_since >= kAfterQuiet) {
      break;
    }
  }
  if (judge_.violations().empty()) Check();

  Result result;
  result.seed = plan_.seed;
  result.violations = judge_.violations();
  result.situations = situations_;
  result.rides = static_cast<int>(ride_disk_.rides.size());
  result.drivers = plan_.drivers;
  result.deaths = deaths_;
  const NetworkCounts& network = network_.counts();
  result.faults =
      faults_ + network.cuts + network.lost_requests + network.lost_replies + network.doubled + network.late;
  result.steps = scheduler_.steps();
  result.digest = digest_;
  result.history = std::move(history_);
  return result;
}

Result Simulate(const Plan& plan, bool record) { return Universe(plan, record).Run(); }

}  // namespace hail::simulation
