// Power cuts under the rides' store: every acknowledged command survives, and every ride's log is gap-free and ends in
// the state of its row.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/time/fake_clock.h"
#include "rider-service/storage/sqlite_ride_store.h"
#include "tests/tools/powerloss/plant.h"
#include "tests/tools/powerloss/power_cuts.h"
#include "tests/unit/rider-service/store_fixture.h"
#include "tests/unit/rider-service/test_rides.h"

namespace hail::rider {
namespace {

using powerloss::PlantedSynchronous;
using powerloss::PowerCuts;
using powerloss::SeedsToTry;
using powerloss::SomeSeedLoses;
using ::testing::IsEmpty;
using Problems = std::vector<std::string>;

// Runs `call` with a `done` and waits for it.
template <typename T>
absl::StatusOr<T> Await(const std::function<void(Done<T>)>& call) {
  absl::Notification finished;
  absl::StatusOr<T> result = absl::UnknownError("not called");
  call([&](absl::StatusOr<T> got) {
    result = std::move(got);
    finished.Notify();
  });
  finished.WaitForNotification();
  return result;
}

constexpr int kRiders = 5;
const RideRules kRules;

const FakeClock& Clock() {
  static const FakeClock clock;
  return clock;
}

absl::StatusOr<std::unique_ptr<SqliteRideStore>> Open(const std::string& folder) {
  sqlite::DatabaseOptions options;
  options.path = folder + "/made/rider.db";
  options.readers = 1;
  options.checkpoint_wal_bytes = 64 << 10;
  return SqliteRideStore::Open(options, &Clock(), nullptr);
}

// The answers that clients got.
struct Answers {
  // The events of each ride, by sequence.
  std::map<std::string, std::map<std::int64_t, RideEventType>> events;
  std::string quote_key;
};

// The clients of one store. All riders send commands at the same time, each rider one at a time.
class Clients {
 public:
  explicit Clients(std::uint64_t seed) : random_(seed) {}

  Answers answers() const {
    absl::MutexLock lock(&mutex_);
    return answers_;
  }
  const std::set<std::string>& attempted() const { return attempted_; }

  // One round: a command of each rider. A rider without an OK begins a new ride with a new request.
  void Round(SqliteRideStore& store) {
    absl::BlockingCounter answered(kRiders);
    for (int rider = 0; rider < kRiders; ++rider) Command(store, rider, answered);
    answered.Wait();
  }

  void AskForKey(SqliteRideStore& store) {
    const auto key = Await<std::string>([&](auto done) { store.QuoteKey(done); });
    absl::MutexLock lock(&mutex_);
    if (key.ok()) answers_.quote_key = *key;
  }

  // Forgets the rides under way, because the next commands go to another store.
  void NewLife() {
    absl::MutexLock lock(&mutex_);
    for (std::optional<Ride>& ride : rides_) ride.reset();
    ++life_;
  }

 private:
  void Command(SqliteRideStore& store, int rider, absl::BlockingCounter& answered) {
    std::optional<Ride> ride;
    {
      absl::MutexLock lock(&mutex_);
      ride = rides_[rider];
    }
    if (!ride || !IsLive(ride->state())) {
      const std::string id = absl::StrCat("ride-", ++requests_);
      attempted_.insert(id);
      // A rider without a known ride may still have one in the store, so each life uses new riders.
      Ride request = Requested(id, absl::StrCat("rider-", life_, "-", rider, ride ? "" : absl::StrCat("-", requests_)),
                               absl::StrCat("request-", requests_));
      store.Create(NewRide(std::move(request), kRules, kT0), absl::InfiniteFuture(),
                   [this, rider, &answered](const absl::StatusOr<Created>& created) {
                     Hear(rider, created.ok() ? std::make_optional(created->ride) : std::nullopt,
                          created.ok() ? created->event : std::nullopt);
                     answered.DecrementCount();
                   });
      return;
    }
    // The driver may be busy with another ride; such refusals are part of the test.
    const std::string driver =
        ride->driver() != nullptr ? ride->driver()->driver_id() : absl::StrCat("driver-", random_() % 3);
    const bool cancel = random_() % 8 == 0;
    const std::string offer = absl::StrCat("offer-", ++offers_);
    store.Change(
        ride->ride_id(),
        [=](const Ride& now) -> absl::StatusOr<RideChange> {
          if (cancel) return CancelByRider(now, CancelReason::kChangedPlans, "", kT0);
          switch (now.state()) {
            case RideState::kMatching:
              return Assign(now, Offer(now, driver, offer), kRules, kT0);
            case RideState::kEnrouteToPickup:
              return TakeStep(now, rider::Command(now, trip::Arrive{}, driver), kRules, kT0);
            case RideState::kArrivedAtPickup:
              return TakeStep(now, rider::Command(now, trip::Start{}, driver), kRules, kT0);
            default:
              return TakeStep(now, rider::Command(now, trip::Complete{}, driver), kRules, kT0);
          }
        },
        absl::InfiniteFuture(),
        [this, rider, ride, &answered](const absl::StatusOr<Changed>& changed) {
          if (changed.ok()) {
            Hear(rider, changed->ride, changed->event);
          } else {
            Hear(rider, absl::IsUnavailable(changed.status()) ? std::nullopt : ride, std::nullopt);
          }
          answered.DecrementCount();
        });
  }

  static bool IsLive(RideState state) {
    return state == RideState::kMatching || state == RideState::kEnrouteToPickup ||
           state == RideState::kArrivedAtPickup || state == RideState::kEnrouteToDropoff;
  }

  void Hear(int rider, std::optional<Ride> ride, const std::optional<RideEvent>& event) {
    absl::MutexLock lock(&mutex_);
    rides_[rider] = std::move(ride);
    if (event) answers_.events[event->ride_id()][event->sequence()] = event->type();
  }

  std::mt19937_64 random_;
  int life_ = 0;
  int requests_ = 0;
  int offers_ = 0;
  std::set<std::string> attempted_;
  mutable absl::Mutex mutex_;
  std::array<std::optional<Ride>, kRiders> rides_ ABSL_GUARDED_BY(mutex_);
  Answers answers_ ABSL_GUARDED_BY(mutex_);
};

Problems CheckFile(const std::string& path) {
  auto connection = sqlite::Connection::Open(path, sqlite::Connection::Mode::kReadWrite);
  if (!connection.ok()) return {connection.status().ToString()};
  Problems problems;
  for (const char* check : {"PRAGMA integrity_check", "PRAGMA foreign_key_check"}) {
    auto rows = (*connection)->Prepare(check);
    if (!rows.ok()) return {rows.status().ToString()};
    while (true) {
      const absl::StatusOr<bool> row = rows->Step();
      if (!row.ok()) return {row.status().ToString()};
      if (!*row) break;
      if (rows->Text(0) != "ok") problems.push_back(absl::StrCat(check, ": ", std::string(rows->Text(0))));
    }
  }
  return problems;
}

// The faults of the store in `folder`, after its clients got `answers`.
Problems Check(const std::string& folder, const Answers& answers, const std::set<std::string>& attempted) {
  Problems problems = CheckFile(folder + "/made/rider.db");
  if (!problems.empty()) return problems;
  auto opened = Open(folder);
  if (!opened.ok()) return {opened.status().ToString()};
  SqliteRideStore& store = **opened;
  std::map<std::string, std::int64_t> drivers;
  for (const std::string& id : attempted) {
    const absl::StatusOr<RideLog> log = Await<RideLog>([&](auto done) { store.ReadLog(id, 0, done); });
    const auto promised = answers.events.find(id);
    if (absl::IsNotFound(log.status())) {
      if (promised != answers.events.end()) problems.push_back("lost: " + id);
      continue;
    }
    if (!log.ok()) return {log.status().ToString()};
    std::int64_t next = 1;
    for (const RideEvent& event : log->events) {
      if (event.sequence() != next++) problems.push_back(absl::StrCat("gap in ", id, " before ", event.sequence()));
      if (promised != answers.events.end()) {
        const auto answered = promised->second.find(event.sequence());
        if (answered != promised->second.end() && answered->second != event.type()) {
          problems.push_back(absl::StrCat("another event: ", id, " #", event.sequence()));
        }
      }
      if (!event.driver_id.empty()) ++drivers[event.driver_id];
    }
    if (log->events.empty() || log->events.back().sequence() != log->ride.sequence() ||
        log->events.back().ride.state() != log->ride.state() || log->events.back().ride.epoch() != log->ride.epoch()) {
      problems.push_back("row and log differ: " + id);
    }
    if (promised != answers.events.end() && log->ride.sequence() < promised->second.rbegin()->first) {
      problems.push_back(absl::StrCat("lost: ", id, " #", promised->second.rbegin()->first));
    }
  }
  for (const auto& [driver, count] : drivers) {
    std::int64_t last = 0;
    while (true) {
      const auto events =
          Await<std::vector<RideEvent>>([&, id = driver](auto done) { store.ReadDriverEvents(id, last, done); });
      if (!events.ok()) return {events.status().ToString()};
      if (events->empty()) break;
      for (const RideEvent& event : *events) {
        if (event.driver_sequence != ++last) problems.push_back("gap in the events of " + driver);
      }
    }
    if (last != count) problems.push_back("events missing of " + driver);
  }
  if (!answers.quote_key.empty()) {
    const auto key = Await<std::string>([&](auto done) { store.QuoteKey(done); });
    if (!key.ok() || *key != answers.quote_key) problems.push_back("another quote key");
  }
  return problems;
}

Problems Live(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  PowerCuts cuts(seed);
  Clients clients(seed);
  Problems problems;
  for (int life = 0; life < 2 && problems.empty(); ++life) {
    Answers answers;
    cuts.Begin(1 + random() % 300, [&] { answers = clients.answers(); });
    auto opened = Open(cuts.folder());
    if (opened.ok()) {
      clients.NewLife();
      clients.AskForKey(**opened);
      for (int round = 0; round < 20 && !cuts.cut(); ++round) clients.Round(**opened);
      cuts.CutNow();
      (*opened)->Stop();
    }
    cuts.CutNow();
    opened = absl::UnknownError("closed");
    cuts.End();
    problems = Check(cuts.Copy(), answers, clients.attempted());
  }
  return problems;
}

TEST(RideStorePowerLoss, RandomCutsLoseNothingAcknowledged) {
  const std::uint64_t seeds = SeedsToTry(60);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) EXPECT_THAT(Live(seed), IsEmpty()) << "seed " << seed;
}

// The proof that the test above can fail.
TEST(RideStorePowerLoss, WeakerSyncsAreFound) {
  for (const char* level : {"OFF", "NORMAL"}) {
    const PlantedSynchronous plant(level);
    EXPECT_TRUE(SomeSeedLoses([](std::uint64_t seed) { return !Live(seed).empty(); })) << level;
  }
}

}  // namespace
}  // namespace hail::rider
