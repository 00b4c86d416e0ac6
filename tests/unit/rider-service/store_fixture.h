// A store in a folder of its own, and waiting for its answers.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/synchronization/notification.h"
#include "common/time/fake_clock.h"
#include "rider-service/storage/sqlite_ride_store.h"
#include "tests/unit/rider-service/test_rides.h"

namespace hail::rider {

// Runs `call` with a `done` and waits for it: for tests only, where the store's threads are others than the caller's.
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

class StoreFixture : public ::testing::Test {
 protected:
  StoreFixture() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hail-rides-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    Open();
  }
  ~StoreFixture() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::string path() const { return (folder_ / "rider.db").string(); }

  void Open() {
    sqlite::DatabaseOptions options;
    options.path = path();
    auto store = SqliteRideStore::Open(options, &clock_, nullptr);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  absl::StatusOr<Created> Create(const Ride& request, absl::Time deadline = absl::InfiniteFuture()) {
    return Await<Created>(
        [&](Done<Created> done) { store_->Create(NewRide(request, rules_, kT0), deadline, std::move(done)); });
  }
  absl::StatusOr<Changed> Change(const std::string& ride_id, Decide decide,
                                 absl::Time deadline = absl::InfiniteFuture()) {
    return Await<Changed>([&](Done<Changed> done) { store_->Change(ride_id, decide, deadline, std::move(done)); });
  }
  absl::StatusOr<Changed> Confirm(const std::string& ride_id, const std::string& driver_id,
                                  const std::string& offer_id) {
    return Change(ride_id, [=](const Ride& ride) { return Assign(ride, Offer(ride, driver_id, offer_id), kT0); });
  }
  absl::StatusOr<Changed> Take(const std::string& ride_id, TripStep step, const std::string& driver_id = "driver-1") {
    return Change(ride_id, [=, this](const Ride& ride) {
      return TakeStep(ride, Command(ride, step, driver_id), rules_, kT0 + absl::Seconds(1));
    });
  }
  std::optional<Ride> Find(const std::string& ride_id) {
    return *Await<std::optional<Ride>>([&](auto done) { store_->ById(ride_id, done); });
  }
  absl::StatusOr<RideLog> Log(const std::string& ride_id, std::optional<std::int64_t> after) {
    return Await<RideLog>([&](auto done) { store_->ReadLog(ride_id, after, done); });
  }

  const RideRules rules_;
  FakeClock clock_;
  std::filesystem::path folder_;
  std::unique_ptr<SqliteRideStore> store_;
};

}  // namespace hail::rider
