// The rules for every DriverStore, independent of its storage. To use them, link driver_store_conformance.cc and
// instantiate the suite with the adapter's kind.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "common/time/clock.h"
#include "common/time/fake_clock.h"
#include "driver-service/domain/driver_store.h"
#include "tests/conformance/driver_store_calls.h"

namespace hail::driver {

// An empty store of one kind, and its environment. The `done`s of the store may run on any thread.
class DriverStoreSubject {
 public:
  virtual ~DriverStoreSubject() = default;

  virtual DriverStore& store() = 0;
  // Closes the store in good order, with no call under way, and opens it again on its stored data.
  virtual void Reopen() = 0;
  // The stored offer log (without ride_waited), ordered by offer_id. May reopen the store to flush the log.
  virtual std::vector<OfferRecord> OfferLog() = 0;
  // Returns once `finished` is notified. Drives a store that has no threads.
  virtual void WaitFor(const absl::Notification& finished) { finished.WaitForNotification(); }
  // Ends the lease of `replica`, which was just renewed. Only for shared stores.
  virtual void EndOfLease(const std::string& /*replica*/) {}
};

struct DriverStoreKind {
  std::string name;
  // `clock` outlives the subject.
  std::function<std::unique_ptr<DriverStoreSubject>(const Clock* clock)> open;
  // The store executes calls in the order they are made, even without waiting for the answers.
  bool in_order = true;
};
// Names the kind in messages and in the names of tests.
inline void PrintTo(const DriverStoreKind& kind, std::ostream* out) { *out << kind.name; }

class DriverStoreConformance : public ::testing::TestWithParam<DriverStoreKind>, public DriverStoreCalls {
 protected:
  DriverStoreConformance() : subject_(GetParam().open(&clock_)) {}

  DriverStore& store() override { return subject_->store(); }
  const Clock& clock() override { return clock_; }
  void WaitFor(const absl::Notification& finished) override { subject_->WaitFor(finished); }

  FakeClock clock_;
  const std::unique_ptr<DriverStoreSubject> subject_;
};

// Further rules for stores that several processes share, and that record the owners of sessions.
class SharedDriverStore : public DriverStoreConformance {
 protected:
  void SetUp() override {
    for (const char* id : {"d1", "d2"}) ASSERT_TRUE(Register(MakeDriver(id)).ok());
  }
};

}  // namespace hail::driver
