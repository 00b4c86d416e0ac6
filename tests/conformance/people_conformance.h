// The rules for the erasure and the export of persons, on every RideDatabase. To use them, link people_conformance.cc
// and instantiate the suite.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "common/time/fake_clock.h"
#include "rider-service/domain/people.h"
#include "rider-service/storage/ride_database.h"
#include "tests/conformance/ride_store_calls.h"

namespace hail::rider {

// An empty database, as two processes see it; one twice if processes cannot share it.
class PeopleSubject {
 public:
  virtual ~PeopleSubject() = default;
  virtual RideDatabase& one() = 0;
  virtual RideDatabase& other() = 0;
  // All that a reader of the database can find in it, as bytes.
  virtual std::string Everything() = 0;
};

struct PeopleKind {
  std::string name;
  // `clock` outlives the subject.
  std::function<std::unique_ptr<PeopleSubject>(const Clock* clock)> open;
};
// Names the kind in messages and in the names of tests.
inline void PrintTo(const PeopleKind& kind, std::ostream* out) { *out << kind.name; }

class PeopleConformance : public ::testing::TestWithParam<PeopleKind>, public RideStoreCalls {
 protected:
  PeopleConformance() : subject_(GetParam().open(&clock_)) {}

  RideStore& store() override { return subject_->one(); }
  People PeopleOf(RideDatabase& database) {
    return People(&database, &database,
                  Pseudonyms(*Await<std::string>([&](auto done) { database.PseudonymKey(done); })));
  }
  absl::StatusOr<int> Erase(PersonKind kind, const std::string& id) {
    return Await<int>([&](auto done) { people_.Erase(kind, id, done); });
  }
  // Those of the words that the database has.
  std::vector<std::string> Stored(const std::vector<std::string>& words);
  std::vector<RideLog> Export(PersonKind kind, const std::string& id);
  // Brings a ride of the rider with all texts that a ride can have to its end: one driver gives it up, another one
  // completes it.
  void Live(const std::string& ride_id, const std::string& rider_id, const std::string& first = "driver-1",
            const std::string& second = "driver-2");

  FakeClock clock_;
  const std::unique_ptr<PeopleSubject> subject_;
  People people_ = PeopleOf(subject_->one());
};

}  // namespace hail::rider
