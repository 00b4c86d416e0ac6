// What must hold for every RideStore, whatever keeps the rides: link ride_store_conformance.cc and instantiate the
// suite with the adapter's kind.
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

// An empty store of one kind, and what goes with it. The `done`s of the store may run on any thread.
class RideStoreSubject {
 public:
  virtual ~RideStoreSubject() = default;

  virtual RideStore& store() = 0;
  // Ends the store, with nothing under way, and opens it again on what it kept.
  virtual void Reopen() = 0;
  // The store as another process has it that shares it; null where none can.
  virtual RideStore* other() { return nullptr; }
  // Returns once `finished`. A store without threads of its own is driven here.
  virtual void WaitFor(const absl::Notification& finished) { finished.WaitForNotification(); }
};

struct RideStoreKind {
  std::string name;
  // `clock` outlives the subject.
  std::function<std::unique_ptr<RideStoreSubject>(const Clock* clock)> open;
  // What is asked first is done first, also where the second does not wait for the answer to the first.
  bool in_order = true;
  // Keeps a change's event as one of its ride, whatever ride it names.
  bool events_are_the_rides = false;
};
// In messages, and in the names of tests.
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
