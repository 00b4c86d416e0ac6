// The calls of the RideStore port, each of which waits for its answer: a base for fixtures.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "rider-service/domain/ride_store.h"
#include "tests/unit/rider-service/test_rides.h"

namespace hail::rider {

class RideStoreCalls {
 protected:
  ~RideStoreCalls() = default;

  virtual RideStore& store() = 0;
  // Returns once a `done` of the store has notified `finished`.
  virtual void WaitFor(const absl::Notification& finished) { finished.WaitForNotification(); }

  // Runs `call` with a `done` and waits for it.
  template <typename T>
  absl::StatusOr<T> Await(const std::function<void(Done<T>)>& call) {
    return AwaitAll<T>(1, [&](std::size_t, Done<T> done) { call(std::move(done)); })[0];
  }

  // Runs `call` for 0, 1, … `count` − 1, each with its own `done`, then waits for all of them.
  template <typename T>
  std::vector<absl::StatusOr<T>> AwaitAll(std::size_t count, const std::function<void(std::size_t, Done<T>)>& call) {
    std::vector<absl::StatusOr<T>> results(count, absl::UnknownError("not called"));
    std::atomic<std::size_t> left = count;
    absl::Notification finished;
    for (std::size_t i = 0; i < count; ++i) {
      call(i, [&, i](absl::StatusOr<T> got) {
        results[i] = std::move(got);
        if (--left == 0) finished.Notify();
      });
    }
    if (count > 0) WaitFor(finished);
    return results;
  }

  absl::StatusOr<Created> Create(const Ride& request, absl::Time deadline = absl::InfiniteFuture()) {
    return Await<Created>(
        [&](Done<Created> done) { store().Create(NewRide(request, rules_, kT0), deadline, std::move(done)); });
  }
  absl::StatusOr<Changed> Change(const std::string& ride_id, Decide decide,
                                 absl::Time deadline = absl::InfiniteFuture()) {
    return Await<Changed>([&](Done<Changed> done) { store().Change(ride_id, decide, deadline, std::move(done)); });
  }
  absl::StatusOr<Changed> Confirm(const std::string& ride_id, const std::string& driver_id,
                                  const std::string& offer_id) {
    return Change(ride_id, [=](const Ride& ride) { return Assign(ride, Offer(ride, driver_id, offer_id), {}, kT0); });
  }
  absl::StatusOr<Changed> Take(const std::string& ride_id, TripAction step, const std::string& driver_id = "driver-1") {
    return Change(ride_id, [=, this](const Ride& ride) {
      return TakeStep(ride, Command(ride, step, driver_id), rules_, kT0 + absl::Seconds(1));
    });
  }
  absl::StatusOr<Changed> CallOff(const std::string& ride_id) {
    return Change(ride_id, [](const Ride& ride) { return CancelByRider(ride, CancelReason::kOther, "", kT0); });
  }

  std::optional<Ride> Find(const std::string& ride_id) {
    return *Await<std::optional<Ride>>([&](auto done) { store().ById(ride_id, done); });
  }
  absl::StatusOr<RideLog> Log(const std::string& ride_id, std::optional<std::int64_t> after) {
    return Await<RideLog>([&](auto done) { store().ReadLog(ride_id, after, done); });
  }
  absl::StatusOr<DriverCatchUp> CatchUp(const std::string& driver_id, std::optional<Cursor> cursor = std::nullopt) {
    return Await<DriverCatchUp>([&](auto done) { store().ReadDriver(driver_id, cursor, done); });
  }
  std::vector<RideEvent> DriverEvents(const std::string& driver_id, std::int64_t after) {
    return *Await<std::vector<RideEvent>>([&](auto done) { store().ReadDriverEvents(driver_id, after, done); });
  }
  std::map<std::string, std::int64_t> Sequences(const std::vector<std::string>& ride_ids) {
    return *Await<std::map<std::string, std::int64_t>>([&](auto done) { store().Sequences(ride_ids, done); });
  }
  std::map<std::string, std::int64_t> DriverSequences(const std::vector<std::string>& driver_ids) {
    return *Await<std::map<std::string, std::int64_t>>([&](auto done) { store().DriverSequences(driver_ids, done); });
  }
  std::map<RideState, LiveRides> CountLive() {
    return *Await<std::map<RideState, LiveRides>>([&](auto done) { store().CountLive(done); });
  }
  std::vector<Ride> Dispatchable() {
    return *Await<std::vector<Ride>>([&](auto done) { store().Dispatchable(done); });
  }
  std::string QuoteKey() {
    return *Await<std::string>([&](auto done) { store().QuoteKey(done); });
  }

  const RideRules rules_{};
};

}  // namespace hail::rider
