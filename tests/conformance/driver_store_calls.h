// The calls of the DriverStore port, each of which waits for its answer: a base for fixtures.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/time/clock.h"
#include "driver-service/domain/driver_store.h"

namespace hail::driver {

class DriverStoreCalls {
 public:
  using Done = std::function<void(absl::StatusOr<StoredDriver>)>;

  static Driver MakeDriver(const std::string& id) {
    return {.driver_id = id,
            .display_name = "Zoë \"Z\"",
            .region_id = "sf",
            .vehicle = {.make = "Toyota", .model = "Prius", .color = "white", .plate = "7ABC " + id, .seats = 4},
            .product_ids = {"economy", "comfort"}};
  }
  static OfferRecord MakeRecord(int n) {
    OfferRecord record;
    record.offer_id = "o" + std::to_string(n);
    record.ride_id = "r1";
    record.epoch = 2;
    record.driver_id = "d1";
    record.outcome = n % 2 == 0 ? OfferStatus::kDeclined : OfferStatus::kRevoked;
    record.reason = n % 2 == 0 ? RevokeReason::kNone : RevokeReason::kTaken;
    record.made_time = absl::FromUnixMicros(1'000'000);
    record.settled_time = absl::FromUnixMicros(2'500'000);
    record.pickup_eta = absl::Seconds(90);
    record.pickup_distance_m = 412.5;
    record.received = true;
    return record;
  }

 protected:
  ~DriverStoreCalls() = default;

  virtual DriverStore& store() = 0;
  virtual const Clock& clock() = 0;
  // Returns once a `done` of the store has notified `finished`.
  virtual void WaitFor(const absl::Notification& finished) { finished.WaitForNotification(); }

  // Runs `call` for 0, 1, … `count` − 1, each with its own `done`, then waits for all of them.
  std::vector<absl::StatusOr<StoredDriver>> AwaitAll(std::size_t count,
                                                     const std::function<void(std::size_t, Done)>& call) {
    std::vector<absl::StatusOr<StoredDriver>> results(count, absl::UnknownError("not called"));
    std::atomic<std::size_t> left = count;
    absl::Notification finished;
    for (std::size_t i = 0; i < count; ++i) {
      call(i, [&, i](absl::StatusOr<StoredDriver> got) {
        results[i] = std::move(got);
        if (--left == 0) finished.Notify();
      });
    }
    if (count > 0) WaitFor(finished);
    return results;
  }
  absl::StatusOr<StoredDriver> Await(const std::function<void(Done)>& call) {
    return AwaitAll(1, [&](std::size_t, Done done) { call(std::move(done)); })[0];
  }
  // Runs `call` and returns the result that its `done` gets.
  template <typename Result>
  Result AwaitOne(const std::function<void(std::function<void(Result)>)>& call) {
    Result result = absl::UnknownError("not called");
    absl::Notification finished;
    call([&](Result got) {
      result = std::move(got);
      finished.Notify();
    });
    WaitFor(finished);
    return result;
  }
  using Claimed = absl::StatusOr<ClaimedSession>;
  Claimed Claim(const std::string& id, const std::string& replica, const Opening& opening = {}) {
    return AwaitOne<Claimed>([&](auto done) { store().ClaimSession(id, replica, opening, std::move(done)); });
  }
  Claimed ClaimIdle(const std::string& id, const std::string& replica, std::int64_t gone = 0) {
    return AwaitOne<Claimed>([&](auto done) { store().ClaimIdleSession(id, replica, gone, std::move(done)); });
  }
  absl::Status Renew(const std::string& replica) {
    return AwaitOne<absl::Status>([&](auto done) { store().RenewLease(replica, std::move(done)); });
  }
  absl::Status EndLease(const std::string& replica) {
    return AwaitOne<absl::Status>([&](auto done) { store().EndLease(replica, std::move(done)); });
  }
  absl::StatusOr<std::vector<SessionClaim>> RecentClaims(absl::Duration within = absl::Seconds(10)) {
    return AwaitOne<absl::StatusOr<std::vector<SessionClaim>>>(
        [&](auto done) { store().RecentClaims(within, std::move(done)); });
  }

  // The stored driver after a write; an error if the write was not made.
  static absl::StatusOr<StoredDriver> Made(const Claimed& written) {
    if (!written.ok()) return written.status();
    if (!written->claimed) return absl::AbortedError("another claim owns the session");
    return written->stored;
  }
  Claimed RegisterUnder(const std::string& replica, std::int64_t epoch, const Driver& driver,
                        absl::Time deadline = absl::InfiniteFuture()) {
    return AwaitOne<Claimed>(
        [&](auto done) { store().Register(driver, replica, epoch, clock().Read().domain, deadline, std::move(done)); });
  }
  absl::StatusOr<std::optional<LoggedOffer>> FindOffer(const std::string& offer_id) {
    return AwaitOne<absl::StatusOr<std::optional<LoggedOffer>>>(
        [&](auto done) { store().FindOffer(offer_id, std::move(done)); });
  }

  absl::StatusOr<StoredDriver> Register(const Driver& driver, absl::Time deadline = absl::InfiniteFuture()) {
    return Made(RegisterUnder("", 0, driver, deadline));
  }
  absl::StatusOr<StoredDriver> Get(const std::string& id) {
    return Await([&](Done done) { store().Get(id, std::move(done)); });
  }
  Claimed SetAvailabilityUnder(const SessionClaim& session, Availability desired,
                               absl::Time deadline = absl::InfiniteFuture()) {
    return AwaitOne<Claimed>([&](auto done) {
      store().SetAvailability(session, desired, clock().Read().domain, deadline, std::move(done));
    });
  }
  // Writes under the present session.
  absl::StatusOr<StoredDriver> SetAvailability(const std::string& id, Availability desired,
                                               absl::Time deadline = absl::InfiniteFuture()) {
    const Claimed known = Session(id);
    if (!known.ok()) return known.status();
    SessionClaim session = known->session;
    return Made(SetAvailabilityUnder(session, desired, deadline));
  }
  Claimed Session(const std::string& id) {
    return AwaitOne<Claimed>([&](auto done) { store().GetSession(id, std::move(done)); });
  }
};

}  // namespace hail::driver
