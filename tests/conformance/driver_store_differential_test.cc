// Makes the same random operations on a real store and on the simulated one: every answer must be the same, and so must
// all data at the end. This justifies conclusions from the simulation about the services.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/errors/error.h"
#include "common/time/fake_clock.h"
#include "tests/conformance/driver_store_calls.h"
#include "tests/conformance/driver_store_kinds.h"
#include "tests/conformance/random_ops.h"
#include "tests/conformance/same_driver.h"
#include "tests/conformance/same_error.h"

namespace hail::driver {
namespace {

constexpr int kOperations = 400;
constexpr int kDrivers = 30;
constexpr int kOffers = 300;

// One of the two stores.
class Side final : public DriverStoreCalls {
 public:
  Side(const DriverStoreKind& kind, const Clock* clock) : clock_(clock), subject_(kind.open(clock)) {}

  DriverStore& store() override { return subject_->store(); }
  const Clock& clock() override { return *clock_; }
  void WaitFor(const absl::Notification& finished) override { subject_->WaitFor(finished); }
  DriverStoreSubject& subject() { return *subject_; }

  using DriverStoreCalls::AwaitAll;
  using DriverStoreCalls::Made;

 private:
  const Clock* const clock_;
  const std::unique_ptr<DriverStoreSubject> subject_;
};

class DriverStoreDifferential : public ::testing::TestWithParam<int> {
 protected:
  DriverStoreDifferential() : choices_(static_cast<std::uint64_t>(GetParam())) {}

  using Call = std::function<void(DriverStore&, DriverStoreCalls::Done)>;

  // Makes all `calls` on both sides, without waiting in between, and compares the answers.
  void Compare(const std::string& what, const std::vector<Call>& calls) {
    const auto on = [&](Side& side) {
      // All calls at once, if the store's order makes the outcome unique.
      const std::size_t step = RealKind().in_order ? std::max<std::size_t>(calls.size(), 1) : 1;
      std::vector<absl::StatusOr<StoredDriver>> answers;
      for (std::size_t from = 0; from < calls.size(); from += step) {
        for (auto& answer : side.AwaitAll(step, [&](std::size_t i, DriverStoreCalls::Done done) {
               calls[from + i](side.store(), std::move(done));
             })) {
          answers.push_back(std::move(answer));
        }
      }
      return answers;
    };
    const std::vector<absl::StatusOr<StoredDriver>> real = on(real_);
    const std::vector<absl::StatusOr<StoredDriver>> simulated = on(simulated_);
    for (std::size_t i = 0; i < calls.size(); ++i) {
      ++(real[i].ok() ? answered_ : refused_);
      if (real[i].ok() && simulated[i].ok()) {
        EXPECT_TRUE(*real[i] == *simulated[i]) << what << ": different answers to " << i + 1 << " of " << calls.size();
      } else {
        EXPECT_TRUE(SameError(real[i].status(), simulated[i].status()))
            << what << ": the store says " << real[i].status() << ", the simulation " << simulated[i].status();
      }
    }
  }

  std::string SomeDriver() { return choices_.Name("driver-", kDrivers); }
  // Finer than the resolution of any store.
  absl::Time SomeTime() { return absl::FromUnixSeconds(1'700'000'000) + absl::Nanoseconds(choices_.Bits() >> 8); }
  absl::Time SomeDeadline() {
    if (!choices_.OneIn(15)) return absl::InfiniteFuture();
    // Over, just over, or far away. A store may refuse a near deadline, if it expects too long a wait.
    const absl::Duration from_now[] = {absl::Milliseconds(-1), absl::ZeroDuration(), absl::Hours(1)};
    return clock_.Read().wall + from_now[choices_.Below(3)];
  }

  Call SomeWrite() {
    const absl::Time now = SomeTime();
    const absl::Time deadline = SomeDeadline();
    if (choices_.OneIn(2)) {
      Driver driver = DriverStoreCalls::MakeDriver(SomeDriver());
      if (choices_.OneIn(4)) driver.vehicle.seats = choices_.Below(4);
      if (choices_.OneIn(4)) driver.display_name = choices_.Name("", 2);
      if (choices_.OneIn(6)) driver.product_ids.pop_back();
      driver.create_time = SomeTime();  // the store must ignore it
      if (choices_.OneIn(8)) driver.vehicle.plate = choices_.Name("Same ", 3);
      return [=](DriverStore& store, auto done) {
        store.Register(driver, "", 0, now, deadline, [done](const auto& written) { done(Side::Made(written)); });
      };
    }
    return [=, id = SomeDriver(), desired = choices_.OneIn(2) ? Availability::kOnline : Availability::kOffline](
               DriverStore& store, auto done) {
      store.SetAvailability({id}, desired, now, deadline, [done](const auto& written) { done(Side::Made(written)); });
    };
  }

  OfferRecord SomeRecord() {
    constexpr OfferStatus kOutcomes[] = {OfferStatus::kAccepted, OfferStatus::kDeclined, OfferStatus::kExpired,
                                         OfferStatus::kRevoked};
    constexpr RevokeReason kReasons[] = {RevokeReason::kNone, RevokeReason::kTaken, RevokeReason::kRideCanceled,
                                         RevokeReason::kSuperseded, RevokeReason::kWentOffline};
    OfferRecord record = DriverStoreCalls::MakeRecord(choices_.Below(kOffers));
    record.epoch = choices_.Below(5);
    record.outcome = kOutcomes[choices_.Below(4)];
    record.reason = kReasons[choices_.Below(5)];
    record.made_time = SomeTime();
    record.settled_time = SomeTime();
    record.pickup_eta = absl::Nanoseconds(choices_.Below(2'000'000'000));
    record.pickup_distance_m = choices_.Below(1'000'000) / 7.0;
    record.received = choices_.OneIn(2);
    return record;
  }

  Choices choices_;
  FakeClock clock_;
  Side real_{RealKind(), &clock_};
  Side simulated_{SimulatedKind(), &clock_};
  int answered_ = 0;
  int refused_ = 0;
};

TEST_P(DriverStoreDifferential, BothStoresAnswerAlike) {
  for (int i = 0; i < kOperations && !HasFailure(); ++i) {
    const int kind = choices_.Below(10);
    if (kind < 5) {
      std::vector<Call> writes(static_cast<std::size_t>(1 + choices_.Below(6)));
      for (Call& write : writes) write = SomeWrite();
      Compare("a write", writes);
    } else if (kind < 8) {
      Compare("Get", {[id = SomeDriver()](DriverStore& store, auto done) { store.Get(id, done); }});
    } else {
      const OfferRecord record = SomeRecord();
      real_.store().AppendOfferLog(record);
      simulated_.store().AppendOfferLog(record);
    }
    if (choices_.OneIn(200)) {
      real_.subject().Reopen();
      simulated_.subject().Reopen();
    }
  }
  std::vector<Call> all;
  for (int i = 0; i < kDrivers; ++i) {
    all.push_back([id = "driver-" + std::to_string(i)](DriverStore& store, auto done) { store.Get(id, done); });
  }
  Compare("final Get", all);
  const std::vector<OfferRecord> real = real_.subject().OfferLog();
  const std::vector<OfferRecord> simulated = simulated_.subject().OfferLog();
  EXPECT_TRUE(real == simulated) << real.size() << " and " << simulated.size() << " records";
  // The comparison is meaningless unless enough operations succeed and fail.
  EXPECT_GT(answered_, 200);
  EXPECT_GT(refused_, 50);
  EXPECT_GT(real.size(), 30u);
}

INSTANTIATE_TEST_SUITE_P(Seed, DriverStoreDifferential, ::testing::Range(1, Seeds(4) + 1));

}  // namespace
}  // namespace hail::driver
