#include "tests/conformance/driver_store_kinds.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "common/sqlite/connection.h"
#include "driver-service/storage/sqlite_driver_store.h"
#include "tests/conformance/stored_offers.h"
#include "tests/conformance/temp_folder.h"
#include "tests/simulation/sim_driver_store.h"
#include "tests/simulation/stepped_executor.h"

namespace hail::driver {
namespace {

class SqliteSubject final : public DriverStoreSubject {
 public:
  explicit SqliteSubject(const Clock* clock) : clock_(clock) { Open(); }

  DriverStore& store() override { return *store_; }
  void Reopen() override {
    store_.reset();
    Open();
  }

  std::vector<OfferRecord> OfferLog() override {
    // Closing the store writes all queued records.
    store_.reset();
    std::vector<OfferRecord> records = ReadOffers();
    Open();
    return records;
  }

 private:
  void Open() {
    auto store = SqliteDriverStore::Open({.path = folder_.path("driver.db")}, clock_, nullptr);
    if (!store.ok()) ADD_FAILURE() << store.status();
    store_ = *std::move(store);
  }

  std::vector<OfferRecord> ReadOffers() const {
    const auto connection = *sqlite::Connection::Open(folder_.path("driver.db"), sqlite::Connection::Mode::kReadOnly);
    auto select = *connection->Prepare(
        "SELECT offer_id, ride_id, epoch, driver_id, outcome, revoke_reason, received, made_time, settled_time,"
        " pickup_eta_us, pickup_distance_m FROM offers ORDER BY offer_id");
    std::vector<OfferRecord> records;
    while (*select.Step()) {
      records.push_back(StoredOffer({.offer_id = std::string(select.Text(0)),
                                     .ride_id = std::string(select.Text(1)),
                                     .epoch = select.Int64(2),
                                     .driver_id = std::string(select.Text(3)),
                                     .outcome = std::string(select.Text(4)),
                                     .revoke_reason = std::string(select.Text(5)),
                                     .received = select.Int64(6),
                                     .made_time_us = select.Int64(7),
                                     .settled_time_us = select.Int64(8),
                                     .pickup_eta_us = select.Int64(9),
                                     .pickup_distance_m = select.Double(10)}));
    }
    return records;
  }

  const Clock* const clock_;
  const TempFolder folder_;
  std::unique_ptr<SqliteDriverStore> store_;
};

class SimulatedSubject final : public DriverStoreSubject {
 public:
  explicit SimulatedSubject(const Clock* clock) : clock_(clock) { Open(); }

  DriverStore& store() override { return *store_; }
  void Reopen() override {
    executor_.RunUntilQuiet();
    store_.reset();
    Open();
  }
  std::vector<OfferRecord> OfferLog() override {
    executor_.RunUntilQuiet();
    std::vector<OfferRecord> records;
    for (const auto& [offer_id, record] : disk_.offers) records.push_back(record);
    return records;
  }
  void EndOfLease(const std::string& replica) override {
    ASSERT_TRUE(disk_.leases.Renew(replica, clock_->Read().wall).ok());
  }
  void WaitFor(const absl::Notification& finished) override {
    executor_.RunUntilQuiet();
    EXPECT_TRUE(finished.HasBeenNotified()) << "the store is quiet and has not answered";
  }

 private:
  void Open() {
    store_.emplace(
        &disk_, executor_, clock_, [this] { return ++drawn_ * 0x9e3779b97f4a7c15u; }, simulation::StoreFaults());
  }

  const Clock* const clock_;
  // The executor's own clock. The test's clock stands still, as for the other kinds.
  FakeClock own_clock_;
  SteppedExecutor executor_{&own_clock_};
  std::uint64_t drawn_ = 0;
  simulation::DriverDisk disk_;
  std::optional<simulation::SimDriverStore> store_;
};

template <typename Subject>
DriverStoreKind Kind(const std::string& name) {
  return {.name = name, .open = [](const Clock* clock) { return std::make_unique<Subject>(clock); }};
}

}  // namespace

DriverStoreKind SqliteKind() { return Kind<SqliteSubject>("Sqlite"); }
DriverStoreKind SimulatedKind() { return Kind<SimulatedSubject>("Simulated"); }

}  // namespace hail::driver
