// The parameters of a seed: how many people, how many faults, which deaths and when.
#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "tests/simulation/network.h"
#include "tests/simulation/store_faults.h"
#include "tests/tools/hail-sim/odds.h"

namespace hail::simulation {

struct BusFaults {
  double lose = 0;
  double twice = 0;
  // Delivered up to a second late, so perhaps after later messages.
  double late = 0;
};

struct Plan {
  std::uint64_t seed = 0;
  int riders = 0;
  int drivers = 0;
  // How long rides are requested and faults occur (domain time). No faults occur afterwards.
  absl::Duration storm;
  // Domain seconds per wall second.
  double scale = 1;

  Weather rider_phones;
  Weather driver_phones;
  Weather services;
  StoreFaults rider_store;
  StoreFaults driver_store;
  BusFaults bus;
  // Deaths of each service (drains included), and partitions between the services.
  int rider_deaths = 0;
  int driver_deaths = 0;
  double drained = 0;
  int partitions = 0;
  // How often the wall clock of a process's machine is set: back or forward, by up to an hour, and corrected after a
  // while. If the process dies, the clock is right again when the next process starts on the machine.
  int clock_steps = 0;
  // Processes of each service. Several processes share a store and a bus.
  int rider_replicas = 1;
  int driver_replicas = 1;
  // With several processes: how often one of them loses the store, or the bus, for a while.
  int store_cuts = 0;
  int bus_cuts = 0;
  // Odds that a death happens at a critical instant: right after a commit, with a confirmation in flight.
  double deaths_aimed = 0.5;
  sim::Odds people;
  // Per step of a driver: an invalid step is sent with it.
  double mischief = 0;
  // Per event at the pickup or on the trip: the driver reports that the car waits.
  double waits = 0;
  // Per confirmation: the rider cancels the ride at about the same time.
  double cancel_races = 0;
  // Per rider: the ride is cancelled once while it waits, and the phone ignores the answer.
  double walk_aways = 0;
  // Per rider: a second phone of the same rider requests another ride at the same time.
  double twin_riders = 0;
  int strangers = 0;
  // Per stream that a driver opens: a unary call sets the desired availability at the same time.
  double wish_races = 0;
  // Per offer: the app does not report that it shows the offer.
  double deaf = 0;
  // Per assignment: the app never acknowledges it.
  double unseen = 0;
  // Per answer to an offer: the answer is sent at the last moment, or just after expiry.
  double last_moment = 0;
  // Per driver: the device's clock makes the age of its positions wrong, by up to minutes either way.
  double wrong_clocks = 0;
  // Per message with positions: from this message on, up to five messages have positions 14 km away.
  double wrong_places = 0;
};

// The plan of a seed.
Plan PlanOf(std::uint64_t seed);

// The same plan without some of its faults, to find the smallest plan that still fails. Bit n of `without` removes kind
// n of kFaultKinds.
inline constexpr int kFaultKinds = 9;
std::string FaultKindName(int kind);
Plan Without(Plan plan, unsigned without);

}  // namespace hail::simulation
