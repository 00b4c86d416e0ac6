#include "tests/simulation/plan.h"

#include <algorithm>

namespace hail::simulation {
namespace {

// The odds of a fault for one seed: often 0, mostly small, sometimes large.
double Odd(sim::Random& random, double most) {
  const double kind = random.Unit();
  if (kind < 0.2) return 0;
  return most * (kind < 0.8 ? random.Unit() * random.Unit() : random.Unit());
}

Weather DrawWeather(sim::Random& random, double worst) {
  Weather weather;
  weather.latency_mean = absl::Milliseconds(random.Between(0.2, 30));
  weather.latency_max = weather.latency_mean * 10;
  weather.late = Odd(random, 0.03) * worst;
  weather.cut = Odd(random, 0.02) * worst;
  weather.cut_unnoticed = random.Unit() * 0.5;
  weather.lose_request = Odd(random, 0.2) * worst;
  weather.lose_reply = Odd(random, 0.3) * worst;
  weather.double_request = Odd(random, 0.1) * worst;
  return weather;
}

StoreFaults DrawStore(sim::Random& random) {
  StoreFaults faults;
  faults.commit_mean = absl::Milliseconds(random.Between(0.2, 15));
  faults.commit_max = faults.commit_mean * 10;
  faults.ack_mean = absl::Milliseconds(random.Between(0.1, 10));
  faults.ack_max = faults.ack_mean * 10;
  faults.read_mean = absl::Milliseconds(random.Between(0.1, 10));
  faults.read_max = faults.read_mean * 10;
  faults.slow_commit = Odd(random, 0.03);
  faults.slow_read = Odd(random, 0.03);
  faults.slow = absl::Seconds(random.Between(0.5, 6));
  faults.fail_written = Odd(random, 0.04);
  faults.fail_unwritten = Odd(random, 0.04);
  faults.fail_read = Odd(random, 0.05);
  return faults;
}

Weather Calm(const Weather& weather) {
  Weather calm;
  calm.latency_mean = weather.latency_mean;
  calm.latency_max = weather.latency_max;
  return calm;
}

StoreFaults Calm(const StoreFaults& faults) {
  StoreFaults calm = faults;
  calm.slow_commit = calm.fail_written = calm.fail_unwritten = calm.fail_read = 0;
  // A slow read is no fault: nothing may be lost during a read in calm weather either.
  calm.slow_read = 0.2;
  calm.slow = absl::Milliseconds(1500);
  return calm;
}

}  // namespace

Plan PlanOf(std::uint64_t seed) {
  sim::Random random(seed, "plan");
  Plan plan;
  plan.seed = seed;
  plan.riders = static_cast<int>(random.Between(18, 40));
  plan.drivers = static_cast<int>(random.Between(8, 18));
  plan.storm = absl::Seconds(random.Between(300, 600));
  plan.scale = random.Chance(0.3) ? random.Between(2, 30) : 1;
  plan.rider_phones = DrawWeather(random, 1);
  plan.driver_phones = DrawWeather(random, 1);
  plan.services = DrawWeather(random, 0.7);
  plan.rider_store = DrawStore(random);
  plan.driver_store = DrawStore(random);
  plan.bus = {Odd(random, 0.3), Odd(random, 0.2), Odd(random, 0.3)};
  plan.rider_deaths = static_cast<int>(random.Between(1, 5));
  plan.driver_deaths = static_cast<int>(random.Between(1, 5));
  plan.drained = random.Chance(0.5) ? 0.3 : 0;
  plan.partitions = static_cast<int>(random.Between(0, 4));
  plan.deaths_aimed = random.Unit();
  plan.people.decline = Odd(random, 0.5);
  plan.people.ignore = Odd(random, 0.3);
  plan.people.driver_cancel = Odd(random, random.Chance(0.1) ? 1.2 : 0.4);
  plan.people.rider_cancel = Odd(random, 0.5);
  plan.people.disconnect = Odd(random, 0.8);
  plan.people.pause = Odd(random, 0.5);
  plan.people.unary = random.Unit();
  plan.people.watch = random.Unit();
  plan.people.driver_watch = random.Unit();
  plan.mischief = Odd(random, 0.5);
  plan.cancel_races = Odd(random, 0.2);
  plan.twin_riders = Odd(random, 0.3);
  plan.strangers = static_cast<int>(random.Between(0, 3));
  plan.deaf = Odd(random, 0.3);
  plan.unseen = Odd(random, 0.3);
  plan.last_moment = Odd(random, 0.3);
  plan.wrong_clocks = Odd(random, 0.5);
  if (random.Chance(0.6)) {
    plan.rider_replicas = random.Chance(0.5) ? 2 : 3;
    plan.rider_deaths += 2;
    plan.store_cuts = static_cast<int>(random.Between(0, 3));
    plan.bus_cuts = static_cast<int>(random.Between(0, 3));
  }
  if (random.Chance(0.6)) {
    plan.driver_replicas = random.Chance(0.5) ? 2 : 3;
    plan.driver_deaths += 2;
    plan.store_cuts += static_cast<int>(random.Between(0, 3));
    plan.bus_cuts += static_cast<int>(random.Between(0, 3));
  }
  plan.wrong_places = Odd(random, 0.02);
  plan.clock_steps = random.Chance(0.5) ? static_cast<int>(random.Between(1, 8)) : 0;
  plan.wish_races = Odd(random, 0.6);
  plan.walk_aways = Odd(random, 0.4);
  plan.waits = Odd(random, 0.5);
  return plan;
}

std::string FaultKindName(int kind) {
  constexpr const char* kNames[kFaultKinds] = {"network", "stores",   "bus",         "deaths", "partitions",
                                               "people",  "mischief", "disconnects", "clocks"};
  return kNames[kind];
}

Plan Without(Plan plan, unsigned without) {
  const auto gone = [without](int kind) { return ((without >> kind) & 1u) != 0; };
  if (gone(0)) {
    plan.rider_phones = Calm(plan.rider_phones);
    plan.driver_phones = Calm(plan.driver_phones);
    plan.services = Calm(plan.services);
  }
  if (gone(1)) {
    plan.rider_store = Calm(plan.rider_store);
    plan.driver_store = Calm(plan.driver_store);
  }
  if (gone(2)) {
    plan.bus = {};
    plan.bus_cuts = 0;
  }
  if (gone(3)) {
    plan.rider_deaths = plan.driver_deaths = 0;
    plan.deaths_aimed = 0;
  }
  if (gone(4)) plan.partitions = plan.store_cuts = 0;
  if (gone(5)) {
    plan.people.decline = plan.people.ignore = plan.people.driver_cancel = plan.people.rider_cancel = 0;
    plan.people.pause = 0;
  }
  if (gone(6)) {
    plan.mischief = plan.cancel_races = plan.walk_aways = plan.twin_riders = plan.deaf = plan.unseen =
        plan.last_moment = plan.wrong_clocks = plan.wrong_places = plan.wish_races = plan.waits = 0;
    plan.strangers = 0;
  }
  if (gone(7)) plan.people.disconnect = 0;
  if (gone(8)) plan.clock_steps = 0;
  return plan;
}

}  // namespace hail::simulation
