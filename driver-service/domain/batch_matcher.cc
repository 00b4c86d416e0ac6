#include "driver-service/domain/batch_matcher.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "driver-service/domain/assignment.h"

namespace hail::driver {
namespace {

// Longer times count the same: 12.7 days.
constexpr absl::Duration kLongest = absl::Microseconds(kMostCost);

// If competition may drive a ride beyond its candidates, this many times as many are searched.
constexpr std::size_t kFurther = 4;

std::int64_t CostOf(absl::Duration time) {
  return absl::ToInt64Microseconds(std::clamp(time, absl::ZeroDuration(), kLongest));
}

// Numbers drivers in order of their first appearance.
class Roster {
 public:
  std::int32_t NumberOf(const std::string& driver_id) {
    return numbers_.try_emplace(driver_id, static_cast<std::int32_t>(numbers_.size())).first->second;
  }
  std::int32_t size() const { return static_cast<std::int32_t>(numbers_.size()); }

  // By number: the driver's position in the order of driver_ids.
  const std::vector<std::int32_t>& Places() {
    if (places_.size() == numbers_.size()) return places_;
    std::vector<std::pair<std::string_view, std::int32_t>> in_order(numbers_.begin(), numbers_.end());
    std::sort(in_order.begin(), in_order.end());
    places_.resize(numbers_.size());
    for (std::size_t i = 0; i < in_order.size(); ++i) {
      places_[static_cast<std::size_t>(in_order[i].second)] = static_cast<std::int32_t>(i);
    }
    return places_;
  }

 private:
  absl::flat_hash_map<std::string, std::int32_t> numbers_;
  std::vector<std::int32_t> places_;
};

// The candidates of a ride.
struct Looked {
  std::size_t limit = 0;
  std::vector<NearDriver> drivers;
  // One per driver.
  std::vector<std::int32_t> numbers;
  std::vector<std::int64_t> costs;

  // Whether a driver who is further away, and not quicker than any of these, could improve the ride's match at `price`.
  bool MissesSome(std::int64_t price) const {
    return drivers.size() >= limit && std::all_of(costs.begin(), costs.end(), [&](auto cost) { return cost < price; });
  }
};

Looked Look(const WaitingRide& ride, std::size_t limit, Roster& roster) {
  Looked looked;
  looked.limit = limit;
  looked.drivers = ride.candidates(limit);
  looked.numbers.reserve(looked.drivers.size());
  looked.costs.reserve(looked.drivers.size());
  for (const NearDriver& driver : looked.drivers) looked.numbers.push_back(roster.NumberOf(driver.driver_id));
  for (const absl::Duration time : ride.pickup_times(looked.drivers)) looked.costs.push_back(CostOf(time));
  return looked;
}

}  // namespace

std::vector<Proposal> BatchMatcher::Match(const std::vector<WaitingRide>& rides) const {
  Roster roster;
  std::vector<Looked> looked;
  looked.reserve(rides.size());
  for (const WaitingRide& ride : rides) looked.push_back(Look(ride, options_.candidates, roster));

  for (;;) {
    const std::vector<std::int32_t>& places = roster.Places();
    auto place = [&](std::int32_t number) { return places[static_cast<std::size_t>(number)]; };
    std::vector<AssignmentRide> graph(rides.size());
    for (std::size_t i = 0; i < rides.size(); ++i) {
      graph[i].left_out = CostOf(rides[i].waited * options_.wait_weight);
      graph[i].edges.reserve(looked[i].drivers.size());
      for (std::size_t c = 0; c < looked[i].drivers.size(); ++c) {
        graph[i].edges.push_back({place(looked[i].numbers[c]), looked[i].costs[c]});
      }
    }
    const Assignment assignment = Assign(graph, roster.size());

    // Each ride extends its search at most once, so this ends, usually after one or two rounds.
    bool looked_further = false;
    for (std::size_t i = 0; i < rides.size(); ++i) {
      if (looked[i].limit != options_.candidates || !looked[i].MissesSome(assignment.price[i])) continue;
      looked[i] = Look(rides[i], options_.candidates * kFurther, roster);
      looked_further = true;
    }
    if (looked_further) continue;

    std::vector<Proposal> proposals;
    for (std::size_t i = 0; i < rides.size(); ++i) {
      for (std::size_t c = 0; c < looked[i].drivers.size(); ++c) {
        if (place(looked[i].numbers[c]) != assignment.driver[i]) continue;
        proposals.push_back({i, std::move(looked[i].drivers[c])});
        break;
      }
    }
    return proposals;
  }
}

}  // namespace hail::driver
