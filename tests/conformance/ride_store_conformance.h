// The rules for every RideStore, independent of its storage. To use them, link ride_store_conformance.cc and
// instantiate the suite with the adapter's kind.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "absl/synchronization/notification.h"
#include "common/time/clock.h"
#include "common/time/fake_clock.h"
#include "rider-service/domain/ride_store.h"
#include "tests/conformance/ride_store_calls.h"

namespace hail::rider {

// An empty store of one kind, and its environment. The `done`s of the store may run on any thread.
class RideStoreSubject {
 public:
  virtual ~RideStoreSubject() = default;

  virtual RideStore& store() = 0;
  // Closes the store, with no call under way, and opens it again on its stored data.
  virtual void Reopen() = 0;
  // The same store, opened by another process; null if processes cannot share it.
  virtual RideStore* other() { return nullptr; }
  // Returns once `finished` is notified. Drives a store that has no threads.
  virtual void WaitFor(const absl::Notification& finished) { finished.WaitForNotification(); }
};

struct RideStoreKind {
  std::string name;
  // `clock` outlives the subject.
  std::function<std::unique_ptr<RideStoreSubject>(const Clock* clock)> open;
  // The store executes calls in the order they are made, even without waiting for the answers.
  bool in_order = true;
  // The store files a change's event under the changed ride, whatever ride the event names.
  bool events_are_the_rides = false;
};
// Names the kind in messages and in the names of tests.
inline void PrintTo(const RideStoreKind& kind, std::ostream* out) { *out << kind.name; }

class RideStoreConformance : public ::testing::TestWithParam<RideStoreKind>, public RideStoreCalls {
 protected:
  RideStoreConformance() : subject_(GetParam().open(&clock_)) {}

  RideStore& store() override { return subject_->store(); }
  void WaitFor(const absl::Notification& finished) override { subject_->WaitFor(finished); }

  FakeClock clock_;
  const std::unique_ptr<RideStoreSubject> subject_;
};

}  // namespace hail::rider
