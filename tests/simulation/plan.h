// What a seed means: how many people, how bad the weather, what dies when.
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
  // Delivered up to a second late, so perhaps after what was published later.
  double late = 0;
};

struct Plan {
  std::uint64_t seed = 0;
  int riders = 0;
  int drivers = 0;
  // How long rides are asked for and faults happen (domain time); then all becomes calm.
  absl::Duration storm;
  // Domain seconds a wall second.
  double scale = 1;

  Weather rider_phones;
  Weather driver_phones;
  Weather services;
  StoreFaults rider_store;
  StoreFaults driver_store;
  BusFaults bus;
  // Deaths of each service, drains among them, and partitions between the services.
  int rider_deaths = 0;
  int driver_deaths = 0;
  double drained = 0;
  int partitions = 0;
  // How often the wall clock of a process's machine is set: back or forward, up to an hour, and after a while right
  // again. One that has died is right when the next process starts on its machine.
  int clock_steps = 0;
  // Processes of each service. More than one share its store, and a bus between them.
  int rider_replicas = 1;
  int driver_replicas = 1;
  // With several: how often one of them cannot reach the store for a while, or the bus.
  int store_cuts = 0;
  int bus_cuts = 0;
  // A death is planned at an instant that matters: right after a commit, with a confirmation under way.
  double deaths_aimed = 0.5;
  sim::Odds people;
  // Per step of a driver: one that makes no sense goes with it.
  double mischief = 0;
  // Per confirmation: the rider calls the ride off at about the same time.
  double cancel_races = 0;
  // Per rider: the ride is called off while it waits, once, and nobody looks at the answer.
  double walk_aways = 0;
  // Per rider: a second phone of the same rider asks for another ride at the same time.
  double twin_riders = 0;
  int strangers = 0;
  // Per stream that a driver opens: a unary call sets the desired availability at the same time.
  double wish_races = 0;
  // Per offer: the app does not say that it shows it.
  double deaf = 0;
  // Per assignment: the app never acknowledges it.
  double unseen = 0;
  // Per answer to an offer: it is given in the very last moment, or just after.
  double last_moment = 0;
  // Per driver: the device's clock makes the age of its positions wrong, up to minutes either way.
  double wrong_clocks = 0;
  // Per message with positions: from it on, up to five are of a place 14 km away.
  double wrong_places = 0;
};

// The plan of a seed.
Plan PlanOf(std::uint64_t seed);

// The same without some of its faults, for finding the smallest that still fails: bit n of `without` takes away kind n
// of kFaultKinds.
inline constexpr int kFaultKinds = 9;
std::string FaultKindName(int kind);
Plan Without(Plan plan, unsigned without);

}  // namespace hail::simulation
