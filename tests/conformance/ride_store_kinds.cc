#include "tests/conformance/ride_store_kinds.h"

#include <cstdint>
#include <optional>
#include <utility>

#include "common/sqlite/database.h"
#include "rider-service/storage/sqlite_ride_store.h"
#include "tests/conformance/temp_folder.h"
#include "tests/simulation/sim_ride_store.h"
#include "tests/simulation/stepped_executor.h"

namespace hail::rider {
namespace {

class SqliteSubject final : public RideStoreSubject {
 public:
  explicit SqliteSubject(const Clock* clock) : clock_(clock) { Open(); }

  RideStore& store() override { return *store_; }
  void Reopen() override {
    store_.reset();
    Open();
  }

 private:
  void Open() {
    sqlite::DatabaseOptions options;
    options.path = folder_.path("rider.db");
    auto store = SqliteRideStore::Open(options, clock_, nullptr);
    if (!store.ok()) ADD_FAILURE() << store.status();
    store_ = *std::move(store);
  }

  const Clock* const clock_;
  const TempFolder folder_;
  std::unique_ptr<SqliteRideStore> store_;
};

class SimulatedSubject final : public RideStoreSubject {
 public:
  explicit SimulatedSubject(const Clock* clock) : clock_(clock) { Open(); }

  RideStore& store() override { return *store_; }
  RideStore* other() override { return &*other_; }
  void Reopen() override {
    store_.reset();
    Open();
  }
  void WaitFor(const absl::Notification& finished) override {
    executor_.RunUntilQuiet();
    EXPECT_TRUE(finished.HasBeenNotified()) << "the store is quiet and has not answered";
  }

 private:
  void Open() {
    const auto draw = [this] { return ++drawn_ * 0x9e3779b97f4a7c15u; };
    store_.emplace(&disk_, executor_, clock_, draw, simulation::StoreFaults(), "one");
    other_.emplace(&disk_, executor_, clock_, draw, simulation::StoreFaults(), "other");
  }

  const Clock* const clock_;
  // The executor's own clock. The test's clock stands still, as for the other kinds.
  FakeClock own_clock_;
  SteppedExecutor executor_{&own_clock_};
  std::uint64_t drawn_ = 0;
  simulation::RideDisk disk_;
  std::optional<simulation::SimRideStore> store_;
  std::optional<simulation::SimRideStore> other_;
};

template <typename Subject>
RideStoreKind Kind(const std::string& name) {
  return {.name = name, .open = [](const Clock* clock) { return std::make_unique<Subject>(clock); }};
}

}  // namespace

RideStoreKind SqliteKind() { return Kind<SqliteSubject>("Sqlite"); }
RideStoreKind SimulatedKind() { return Kind<SimulatedSubject>("Simulated"); }

}  // namespace hail::rider
