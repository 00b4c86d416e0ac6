#include "tests/bench/match_replay.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <set>
#include <utility>

#include "driver-service/domain/location_index.h"
#include "tests/tools/hail-sim/random.h"

namespace hail::bench {
namespace {

// The first multiple of `step` since the epoch that is not before `time`.
absl::Time NextMultiple(absl::Time time, absl::Duration step) {
  return absl::UnixEpoch() + absl::Ceil(time - absl::UnixEpoch(), step);
}

// After a drop-off, a driver drives to the pickup of one of this many latest requests.
constexpr std::size_t kLately = 200;

class Replayer {
 public:
  Replayer(const std::vector<sim::Trip>& trips, const std::vector<sim::Start>& fleet, const driver::Matcher& matcher,
           const driver::TravelTimes& travel_times, const MatchRules& rules)
      : trips_(trips), matcher_(matcher), travel_times_(travel_times), rules_(rules), served_(trips.size()) {
    const auto car = std::make_shared<const driver::CarProfile>();
    for (const sim::Start& start : fleet) {
      index_.SetCar(start.taxi_id, car);
      index_.SetOnMap(start.taxi_id, true);
      PutAt(start.taxi_id, start.position);
    }
  }

  std::vector<std::optional<Served>> Run() {
    while (next_trip_ < trips_.size() || !due_.empty()) {
      const absl::Time request = next_trip_ < trips_.size() ? trips_[next_trip_].request_time : absl::InfiniteFuture();
      const absl::Time look = due_.empty() ? absl::InfiniteFuture() : NextMultiple(due_.begin()->first, rules_.tick);
      if (look < request) {
        Look(look);
        continue;
      }
      due_.insert({Windowed() ? NextMultiple(request, rules_.window) : request, next_trip_});
      ++next_trip_;
      Look(request);
    }
    return std::move(served_);
  }

 private:
  bool Windowed() const { return rules_.window > absl::ZeroDuration(); }

  void PutAt(const std::string& taxi_id, const LatLng& point) {
    driver::Fix fix;
    fix.point = point;
    fix.position_seq = ++last_fix_;
    // All fixes have the same age; their numbers order them.
    fix.observed = absl::UnixEpoch();
    index_.Update(taxi_id, fix);
  }

  // Moves drivers without a ride up to `now`. Their positions change at multiples of position_interval.
  void Drive(absl::Time now) {
    while (!drop_offs_.empty() && drop_offs_.top().first <= now) {
      const auto [time, trip] = drop_offs_.top();
      drop_offs_.pop();
      const std::string& taxi_id = served_[trip]->taxi_id;
      const LatLng& from = trips_[trip].dropoff;
      index_.SetOnMap(taxi_id, true);
      PutAt(taxi_id, from);
      if (!rules_.drivers_return) continue;
      const std::size_t back = sim::Random(0, trips_[trip].trip_id).Index(std::min(kLately, next_trip_));
      const LatLng& to = trips_[next_trip_ - 1 - back].pickup;
      returning_[taxi_id] = {from, to, time, travel_times_.Estimate(from, to, time).time};
    }
    const absl::Time shown = absl::UnixEpoch() + absl::Floor(now - absl::UnixEpoch(), rules_.position_interval);
    if (shown <= last_shown_) return;
    last_shown_ = shown;
    for (auto it = returning_.begin(); it != returning_.end();) {
      const auto& [taxi_id, way] = *it;
      const double part = way.time > absl::ZeroDuration() ? absl::FDivDuration(shown - way.departure, way.time) : 1;
      if (part <= 0) {
        ++it;
        continue;
      }
      PutAt(taxi_id, Between(way.from, way.to, std::min(part, 1.0)));
      if (part >= 1) {
        returning_.erase(it++);
      } else {
        ++it;
      }
    }
  }

  // Interpolates degrees linearly, which is exact enough within a city.
  static LatLng Between(const LatLng& from, const LatLng& to, double part) {
    return {from.latitude_deg + part * (to.latitude_deg - from.latitude_deg),
            from.longitude_deg + part * (to.longitude_deg - from.longitude_deg)};
  }

  double RadiusM(absl::Duration waited) const {
    const driver::DispatchOptions& options = rules_.dispatch;
    const double steps = std::floor(absl::FDivDuration(waited, options.radius_step));
    return std::min(options.radius_max_m, options.radius_start_m * std::pow(options.radius_factor, steps));
  }

  absl::Time LooksAgain(absl::Time now) const {
    // Strictly later: `now` itself may be a multiple.
    if (Windowed()) return NextMultiple(now + absl::Nanoseconds(1), rules_.window);
    if (rules_.look_again_together) {
      return NextMultiple(now + absl::Nanoseconds(1), rules_.dispatch.rematch_interval);
    }
    return now + rules_.dispatch.rematch_interval;
  }

  // Does the same as Dispatch::Pump.
  void Look(absl::Time now) {
    Drive(now);
    std::vector<std::size_t> looking;
    while (!due_.empty() && due_.begin()->first <= now) {
      const std::size_t trip = due_.begin()->second;
      due_.erase(due_.begin());
      // Trips past their deadline stay unfulfilled.
      if (now < Deadline(trip)) looking.push_back(trip);
    }
    if (looking.empty()) return;
    // The trip that has waited longest comes first, because trips are ordered by request time.
    std::sort(looking.begin(), looking.end());

    std::vector<bool> matched(looking.size(), false);
    std::vector<driver::WaitingRide> waiting;
    waiting.reserve(looking.size());
    for (const std::size_t trip : looking) waiting.push_back(Waiting(now, trip));
    for (const driver::Proposal& proposal : matcher_.Match(waiting)) {
      matched[proposal.ride] = true;
      Assign(now, looking[proposal.ride], proposal.driver);
    }
    for (std::size_t i = 0; i < looking.size(); ++i) {
      if (!matched[i]) due_.insert({std::min(Deadline(looking[i]), LooksAgain(now)), looking[i]});
    }
  }

  absl::Time Deadline(std::size_t trip) const { return trips_[trip].request_time + rules_.match_deadline; }

  driver::WaitingRide Waiting(absl::Time now, std::size_t trip) const {
    const LatLng& pickup = trips_[trip].pickup;
    const absl::Duration waited = now - trips_[trip].request_time;
    const double radius_m = RadiusM(waited);
    return {trips_[trip].trip_id,
            pickup,
            radius_m,
            [this, &pickup, radius_m](std::size_t limit) { return index_.Nearest(pickup, limit, radius_m, {}); },
            [this, &pickup, now](const std::vector<driver::NearDriver>& drivers) {
              std::vector<absl::Duration> times;
              times.reserve(drivers.size());
              for (const driver::NearDriver& driver : drivers) {
                times.push_back(travel_times_.Estimate(driver.fix.point, pickup, now).time);
              }
              return times;
            },
            waited};
  }

  void Assign(absl::Time now, std::size_t trip, const driver::NearDriver& driver) {
    const sim::Trip& ride = trips_[trip];
    const absl::Duration pickup_time = travel_times_.Estimate(driver.fix.point, ride.pickup, now).time;
    const absl::Time pickup = now + pickup_time;
    const absl::Duration duration =
        ride.duration ? *ride.duration : travel_times_.Estimate(ride.pickup, ride.dropoff, pickup).time;
    index_.SetOnMap(driver.driver_id, false);
    returning_.erase(driver.driver_id);
    served_[trip] = Served{driver.driver_id, now - ride.request_time, pickup_time};
    drop_offs_.push({pickup + duration, trip});
  }

  // A driver's way to its waiting place.
  struct Way {
    LatLng from;
    LatLng to;
    absl::Time departure;
    absl::Duration time;
  };
  using Moment = std::pair<absl::Time, std::size_t>;

  const std::vector<sim::Trip>& trips_;
  const driver::Matcher& matcher_;
  const driver::TravelTimes& travel_times_;
  const MatchRules& rules_;
  driver::LocationIndex index_;
  std::uint64_t last_fix_ = 0;
  // The trips before this one have been requested.
  std::size_t next_trip_ = 0;
  // Indexed by trip.
  std::vector<std::optional<Served>> served_;
  // Waiting trips, by the time of their next look.
  std::set<Moment> due_;
  // Trips with a driver, by the time when the driver is free again.
  std::priority_queue<Moment, std::vector<Moment>, std::greater<>> drop_offs_;
  // By taxi_id; ordered, so that each run has the same order.
  std::map<std::string, Way> returning_;
  absl::Time last_shown_ = absl::InfinitePast();
};

double Mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

double Quantile95(std::vector<double>& values) {
  if (values.empty()) return 0;
  const auto rank = static_cast<std::ptrdiff_t>(std::ceil(0.95 * static_cast<double>(values.size()))) - 1;
  std::nth_element(values.begin(), values.begin() + rank, values.end());
  return values[static_cast<std::size_t>(rank)];
}

}  // namespace

std::vector<std::optional<Served>> Replay(const std::vector<sim::Trip>& trips, const std::vector<sim::Start>& fleet,
                                          const driver::Matcher& matcher, const driver::TravelTimes& travel_times,
                                          const MatchRules& rules) {
  return Replayer(trips, fleet, matcher, travel_times, rules).Run();
}

MatchFigures FiguresOf(const std::vector<std::optional<Served>>& rides) {
  MatchFigures figures;
  figures.rides = rides.size();
  std::vector<double> match, pickup, wait;
  for (const std::optional<Served>& ride : rides) {
    if (!ride) continue;
    match.push_back(absl::ToDoubleSeconds(ride->match_time));
    pickup.push_back(absl::ToDoubleSeconds(ride->pickup_time));
    wait.push_back(absl::ToDoubleSeconds(ride->wait()));
  }
  figures.unfulfilled = rides.size() - match.size();
  figures.match_mean_s = Mean(match);
  figures.match_p95_s = Quantile95(match);
  figures.pickup_mean_s = Mean(pickup);
  figures.pickup_p95_s = Quantile95(pickup);
  figures.wait_mean_s = Mean(wait);
  figures.wait_p95_s = Quantile95(wait);
  return figures;
}

}  // namespace hail::bench
