// Power cuts under the drivers' store: every acknowledged registration and desired availability is there afterwards.
#include <gmock/gmock.h>

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/sqlite/connection.h"
#include "common/time/fake_clock.h"
#include "driver-service/storage/sqlite_driver_store.h"
#include "gtest/gtest.h"
#include "tests/tools/powerloss/plant.h"
#include "tests/tools/powerloss/power_cuts.h"

namespace hail::driver {
namespace {

using powerloss::PlantedSynchronous;
using powerloss::PowerCuts;
using powerloss::SeedsToTry;
using powerloss::SomeSeedLoses;
using ::testing::IsEmpty;
using Problems = std::vector<std::string>;

constexpr int kDrivers = 8;

const FakeClock& Clock() {
  static const FakeClock clock;
  return clock;
}

absl::StatusOr<std::unique_ptr<SqliteDriverStore>> Open(const std::string& folder) {
  return SqliteDriverStore::Open({.path = folder + "/made/driver.db", .readers = 1}, &Clock(), nullptr);
}

Driver Profile(const std::string& id) {
  return {.driver_id = id,
          .display_name = "Driver " + id,
          .region_id = "sf",
          .vehicle = {.make = "Toyota", .model = "Prius", .color = "white", .plate = id, .seats = 4},
          .product_ids = {"economy", "comfort"}};
}

// The commands that a driver sent in one life, one after the other, and their acknowledgements.
struct Wishes {
  bool registered = false;
  // The last desired availability that was acknowledged, and the one requested after it.
  std::optional<Availability> acknowledged;
  std::optional<Availability> open;
};
using AllWishes = std::map<std::string, Wishes>;

class Clients {
 public:
  explicit Clients(std::uint64_t seed) : random_(seed) {}

  AllWishes wishes() const {
    absl::MutexLock lock(&mutex_);
    return wishes_;
  }
  int records() const { return records_; }

  // A command of each driver, all at once, and a few settled offers.
  void Round(SqliteDriverStore& store, int life) {
    absl::BlockingCounter answered(kDrivers);
    for (int number = 0; number < kDrivers; ++number) {
      const std::string id = absl::StrCat("driver-", life, "-", number);
      mutex_.Lock();
      Wishes& wishes = wishes_[id];
      const bool registered = wishes.registered;
      const Availability desired = random_() % 2 == 0 ? Availability::kOnline : Availability::kOffline;
      // The store may hold a desired availability that was not acknowledged, so the check accepts it or the value
      // before.
      if (registered && !wishes.open) wishes.open = desired;
      const Availability asked = wishes.open.value_or(desired);
      mutex_.Unlock();
      auto done = [this, id, registered, &answered](const absl::StatusOr<ClaimedSession>& stored) {
        if (stored.ok()) {
          absl::MutexLock lock(&mutex_);
          Wishes& answered_wishes = wishes_[id];
          if (registered) answered_wishes.acknowledged = answered_wishes.open;
          answered_wishes.open.reset();
          answered_wishes.registered = true;
        }
        answered.DecrementCount();
      };
      if (registered) {
        store.SetAvailability({id}, asked, Clock().Read().domain, absl::InfiniteFuture(), done);
      } else {
        store.Register(Profile(id), "", 0, Clock().Read().domain, absl::InfiniteFuture(), done);
      }
    }
    OfferRecord record;
    record.offer_id = absl::StrCat("offer-", ++records_);
    record.ride_id = "ride-1";
    record.driver_id = "driver-1";
    record.outcome = OfferStatus::kDeclined;
    store.AppendOfferLog(record);
    answered.Wait();
  }

 private:
  std::mt19937_64 random_;
  int records_ = 0;
  mutable absl::Mutex mutex_;
  AllWishes wishes_ ABSL_GUARDED_BY(mutex_);
};

Problems Check(const std::string& folder, const AllWishes& all) {
  {
    auto connection = sqlite::Connection::Open(folder + "/made/driver.db", sqlite::Connection::Mode::kReadWrite);
    if (!connection.ok()) return {connection.status().ToString()};
    auto check = (*connection)->Prepare("PRAGMA integrity_check");
    if (!check.ok()) return {check.status().ToString()};
    const absl::StatusOr<bool> row = check->Step();
    if (!row.ok()) return {row.status().ToString()};
    if (check->Text(0) != "ok") return {std::string(check->Text(0))};
  }
  auto store = Open(folder);
  if (!store.ok()) return {store.status().ToString()};
  Problems problems;
  for (const auto& [id, wishes] : all) {
    absl::Notification answered;
    absl::StatusOr<StoredDriver> found;
    (*store)->Get(id, [&](absl::StatusOr<StoredDriver> got) {
      found = std::move(got);
      answered.Notify();
    });
    answered.WaitForNotification();
    if (!found.ok()) {
      if (wishes.registered || !absl::IsNotFound(found.status())) {
        problems.push_back(id + ": " + found.status().ToString());
      }
      continue;
    }
    if (!SameProfile(found->driver, Profile(id))) problems.push_back(id + " has another profile");
    if (wishes.acknowledged && found->availability != *wishes.acknowledged && found->availability != wishes.open) {
      problems.push_back(id + " has lost its desired availability");
    }
  }
  return problems;
}

Problems Live(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  PowerCuts cuts(seed);
  Clients clients(seed);
  Problems problems;
  for (int life = 0; life < 2 && problems.empty(); ++life) {
    AllWishes wishes;
    cuts.Begin(1 + random() % 120, [&] { wishes = clients.wishes(); });
    auto store = Open(cuts.folder());
    if (store.ok()) {
      for (int round = 0; round < 15 && !cuts.cut(); ++round) clients.Round(**store, life);
      cuts.CutNow();
      (*store)->Stop();
    }
    cuts.CutNow();
    store = absl::UnknownError("closed");
    cuts.End();
    problems = Check(cuts.Copy(), wishes);
  }
  return problems;
}

TEST(DriverStorePowerLoss, RandomCutsLoseNothingAcknowledged) {
  const std::uint64_t seeds = SeedsToTry(100);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) EXPECT_THAT(Live(seed), IsEmpty()) << "seed " << seed;
}

// The proof that the test above can fail.
TEST(DriverStorePowerLoss, WeakerSyncsAreFound) {
  for (const char* level : {"OFF", "NORMAL"}) {
    const PlantedSynchronous plant(level);
    EXPECT_TRUE(SomeSeedLoses([](std::uint64_t seed) { return !Live(seed).empty(); })) << level;
  }
}

}  // namespace
}  // namespace hail::driver
