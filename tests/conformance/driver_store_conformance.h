// What must hold for every DriverStore, whatever keeps the drivers: link driver_store_conformance.cc and instantiate
// the suite with the adapter's kind.
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

// An empty store of one kind, and what goes with it. The `done`s of the store may run on any thread.
class DriverStoreSubject {
 public:
  virtual ~DriverStoreSubject() = default;

  virtual DriverStore& store() = 0;
  // Ends the store in good order, with no call under way, and opens it again on what it kept.
  virtual void Reopen() = 0;
  // The offer log as it is kept (ride_waited is not), ordered by offer_id. May reopen the store to have all of it.
  virtual std::vector<OfferRecord> OfferLog() = 0;
  // Returns once `finished`. A store without threads of its own is driven here.
  virtual void WaitFor(const absl::Notification& finished) { finished.WaitForNotification(); }
  // The lease of `replica`, renewed just now, ends. Of shared ones only.
  virtual void EndOfLease(const std::string& /*replica*/) {}
};

struct DriverStoreKind {
  std::string name;
  // `clock` outlives the subject.
  std::function<std::unique_ptr<DriverStoreSubject>(const Clock* clock)> open;
  // What is asked first is done first, also where the second does not wait for the answer to the first.
  bool in_order = true;
};
// In messages, and in the names of tests.
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

// What must hold beside for those that processes share, and that know whose the sessions are.
class SharedDriverStore : public DriverStoreConformance {
 protected:
  void SetUp() override {
    for (const char* id : {"d1", "d2"}) ASSERT_TRUE(Register(MakeDriver(id)).ok());
  }
};

}  // namespace hail::driver
