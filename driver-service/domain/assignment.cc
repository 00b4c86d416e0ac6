#include "driver-service/domain/assignment.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <limits>
#include <utility>

namespace hail::driver {
namespace {

// Invariants between two calls of Place, for the rides placed so far. `value` of a driver is ≤ 0; price(r) of a ride is
// cost − value of its driver, or Leave(r) if it was left out:
//   price(r) ≤ cost − value of every edge of r, with equality for its own; price(r) ≤ Leave(r);
//   the value of a free driver is 0.
// These are the conditions of complementary slackness, so the assignment is optimal.
class Solver {
 public:
  Solver(const std::vector<AssignmentRide>& rides, std::int32_t drivers)
      : rides_(rides), placed_(rides.size()), drivers_(static_cast<std::size_t>(drivers)) {
    // Larger than the cost difference of any two assignments, so that leaving out fewer rides is always cheaper.
    // Doubled, so that the prices of all rides that compete with an omitted one, directly or not, are above all costs.
    std::int64_t most_cost = 0;
    std::int64_t most_left_out = 0;
    for (const AssignmentRide& ride : rides) {
      most_left_out = std::max(most_left_out, ride.left_out);
      for (const AssignmentEdge& edge : ride.edges) most_cost = std::max(most_cost, edge.cost);
    }
    leave_ = 1 + 2 * static_cast<std::int64_t>(rides.size()) * (most_cost + most_left_out);
  }

  Assignment Solve() {
    for (std::size_t ride = 0; ride < rides_.size(); ++ride) Place(static_cast<std::int32_t>(ride));
    Assignment assignment;
    assignment.driver.reserve(rides_.size());
    assignment.price.reserve(rides_.size());
    for (std::size_t ride = 0; ride < rides_.size(); ++ride) {
      assignment.driver.push_back(placed_[ride].driver);
      assignment.price.push_back(Price(static_cast<std::int32_t>(ride)));
    }
    return assignment;
  }

 private:
  struct Placed {
    std::int32_t driver = Assignment::kNoDriver;
    // Cost of the edge to the driver.
    std::int64_t cost = 0;
  };
  struct DriverState {
    std::int64_t value = 0;
    std::int32_t ride = -1;
    // The members below belong to this search, the last one that reached the driver.
    std::int32_t search = -1;
    bool settled = false;
    std::int64_t distance = 0;
    // The ride that would move to this driver, and its cost.
    std::int32_t from = -1;
    std::int64_t from_cost = 0;
  };

  Placed& PlacedOf(std::int32_t ride) { return placed_[static_cast<std::size_t>(ride)]; }
  DriverState& At(std::int32_t driver) { return drivers_[static_cast<std::size_t>(driver)]; }
  std::int64_t Leave(std::int32_t ride) const { return leave_ + rides_[static_cast<std::size_t>(ride)].left_out; }
  std::int64_t Price(std::int32_t ride) {
    const Placed& placed = PlacedOf(ride);
    return placed.driver == Assignment::kNoDriver ? Leave(ride) : placed.cost - At(placed.driver).value;
  }

  // Dijkstra from the new ride over rides that would have to move, until a free driver is reached or leaving out one of
  // those rides is cheapest.
  void Place(std::int32_t ride) {
    heap_.clear();
    settled_.clear();
    std::int64_t leave_distance = std::numeric_limits<std::int64_t>::max();
    std::int32_t leaving = ride;
    std::int32_t end = Assignment::kNoDriver;
    std::int64_t distance = 0;
    // The distance of the nearest known end; paths beyond it are not followed.
    std::int64_t bound = std::numeric_limits<std::int64_t>::max();
    std::int32_t moving = ride;
    // The search finds the price of the new ride, so distances start at 0.
    std::int64_t base = 0;
    for (;;) {
      // Of equals, the later ride is left out.
      if (const std::int64_t d = base + Leave(moving);
          d < leave_distance || (d == leave_distance && moving > leaving)) {
        leave_distance = d;
        leaving = moving;
        bound = std::min(bound, d);
      }
      for (const AssignmentEdge& edge : rides_[static_cast<std::size_t>(moving)].edges) {
        DriverState& driver = At(edge.driver);
        const std::int64_t d = base + edge.cost - driver.value;
        if (d > bound) continue;
        if (driver.search != ride) {
          driver.search = ride;
          driver.settled = false;
        } else if (driver.settled || d >= driver.distance) {
          continue;
        }
        if (driver.ride < 0) bound = d;
        driver.distance = d;
        driver.from = moving;
        driver.from_cost = edge.cost;
        heap_.emplace_back(d, edge.driver);
        std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
      }
      // Stale entries of drivers that a shorter path has reached are still in the heap.
      while (!heap_.empty() && At(heap_.front().second).settled) PopHeap();
      if (heap_.empty() || heap_.front().first > leave_distance) {
        distance = leave_distance;
        break;
      }
      const std::int32_t nearest = heap_.front().second;
      distance = heap_.front().first;
      DriverState& driver = At(nearest);
      if (driver.ride < 0) {
        end = nearest;
        break;
      }
      PopHeap();
      driver.settled = true;
      settled_.push_back(nearest);
      moving = driver.ride;
      base = distance - Price(moving);
    }
    for (const std::int32_t driver : settled_) At(driver).value += At(driver).distance - distance;

    // Back along the path, each ride moves to the next driver.
    if (end == Assignment::kNoDriver) end = std::exchange(PlacedOf(leaving), {}).driver;
    while (end != Assignment::kNoDriver) {
      DriverState& driver = At(end);
      driver.ride = driver.from;
      end = std::exchange(PlacedOf(driver.from), {end, driver.from_cost}).driver;
    }
  }

  void PopHeap() {
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
    heap_.pop_back();
  }

  const std::vector<AssignmentRide>& rides_;
  std::vector<Placed> placed_;
  std::vector<DriverState> drivers_;
  std::int64_t leave_ = 0;
  // Ordered by distance, then by number.
  std::vector<std::pair<std::int64_t, std::int32_t>> heap_;
  std::vector<std::int32_t> settled_;
};

}  // namespace

Assignment Assign(const std::vector<AssignmentRide>& rides, std::int32_t drivers) {
  return Solver(rides, drivers).Solve();
}

}  // namespace hail::driver
