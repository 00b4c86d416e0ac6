// The properties that the simulated store adds to the port: time, faults, and death at any moment. The tests of the
// ride store cover the shared mechanics.
#include "tests/simulation/sim_driver_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/errors/error.h"
#include "common/time/fake_clock.h"
#include "tests/conformance/driver_store_calls.h"
#include "tests/conformance/random_ops.h"
#include "tests/simulation/stepped_executor.h"

namespace hail::simulation {
namespace {

using driver::Availability;
using driver::DriverStoreCalls;
using driver::StoredDriver;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const StoreFaults kSlowly = {.commit_mean = absl::Milliseconds(5),
                             .commit_max = absl::Milliseconds(50),
                             .ack_mean = absl::Milliseconds(5),
                             .ack_max = absl::Milliseconds(50)};

class SimDriverStoreTest : public ::testing::Test {
 protected:
  void Open(const StoreFaults& faults, std::size_t max_waiting_records = 50'000) {
    store_ = std::make_unique<SimDriverStore>(
        &disk_, executor_, &clock_, [choices = Choices(1)]() mutable { return choices.Bits(); }, faults, nullptr,
        max_waiting_records);
    store_->set_on_commit([this](const StoredDriver* before, const StoredDriver& after, const std::string& what) {
      log_.push_back("commit " + what + " " + after.driver.driver_id + (before == nullptr ? " new" : ""));
    });
  }
  SimDriverStore::ClaimDone Log(const std::string& what) {
    return [this, what](const absl::StatusOr<driver::ClaimedSession>& result) {
      log_.push_back(what + (result.ok() ? " ok" : " refused"));
    };
  }
  void Register(const std::string& id) {
    store_->Register(DriverStoreCalls::MakeDriver(id), "", 0, clock_.Read().domain, absl::InfiniteFuture(),
                     Log("register"));
  }
  void GoOnline(const std::string& id) {
    store_->SetAvailability({id}, Availability::kOnline, clock_.Read().domain, absl::InfiniteFuture(), Log("online"));
  }

  FakeClock clock_;
  SteppedExecutor executor_{&clock_};
  DriverDisk disk_;
  std::unique_ptr<SimDriverStore> store_;
  std::vector<std::string> log_;
};

TEST_F(SimDriverStoreTest, TellsOfEachChangeWhenItIsCommitted) {
  Open(kSlowly);
  Register("d1");
  GoOnline("d1");
  GoOnline("d1");  // nothing changes
  GoOnline("d2");
  executor_.RunUntilQuiet();
  EXPECT_THAT(log_, ElementsAre("commit register d1 new", "commit set_availability d1", "register ok", "online ok",
                                "online ok", "online refused"));
}

TEST_F(SimDriverStoreTest, ACrashAfterTheCommitLeavesTheChangeAndNobodyIsTold) {
  Open(kSlowly);
  Register("d1");
  store_->set_before_ack([this] { store_.reset(); });
  executor_.RunUntilQuiet();
  EXPECT_THAT(log_, ElementsAre("commit register d1 new"));
  EXPECT_EQ(disk_.drivers.count("d1"), 1u);
}

TEST_F(SimDriverStoreTest, ACrashLosesTheOfferRecordsThatWait) {
  Open(kSlowly);
  store_->AppendOfferLog(DriverStoreCalls::MakeRecord(1));
  store_->set_before_ack([this] { store_.reset(); });
  store_->AppendOfferLog(DriverStoreCalls::MakeRecord(2));
  executor_.RunUntilQuiet();
  EXPECT_EQ(disk_.offers.count("o1"), 1u) << "its job was under way";
  EXPECT_EQ(disk_.offers.count("o2"), 0u);
}

TEST_F(SimDriverStoreTest, OfferRecordsThatTheStoreRefusesAreCounted) {
  Open({.fail_unwritten = 1});
  store_->AppendOfferLog(DriverStoreCalls::MakeRecord(1));
  executor_.RunUntilQuiet();
  EXPECT_EQ(store_->lost_records(), 1u);
  EXPECT_THAT(disk_.offers, IsEmpty());
  // The next flush tries again.
  store_->set_faults({});
  store_->AppendOfferLog(DriverStoreCalls::MakeRecord(2));
  executor_.RunUntilQuiet();
  EXPECT_EQ(store_->lost_records(), 1u);
  EXPECT_EQ(disk_.offers.size(), 1u);
}

TEST_F(SimDriverStoreTest, TheOldestOfTooManyRecordsAreLostAndCounted) {
  Open(kSlowly, 10);
  for (int i = 0; i < 100; ++i) store_->AppendOfferLog(DriverStoreCalls::MakeRecord(i));
  EXPECT_EQ(store_->lost_records(), 89u);
  executor_.RunUntilQuiet();
  EXPECT_EQ(disk_.offers.size(), 11u);
  EXPECT_EQ(disk_.offers.count("o0"), 1u) << "under way before";
  EXPECT_EQ(disk_.offers.count("o99"), 1u);
}

}  // namespace
}  // namespace hail::simulation
