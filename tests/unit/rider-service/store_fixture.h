// A SQLite store in its own folder, and functions that wait for its answers.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "common/time/fake_clock.h"
#include "rider-service/storage/sqlite_ride_store.h"
#include "tests/conformance/ride_store_calls.h"
#include "tests/conformance/temp_folder.h"
#include "tests/unit/rider-service/test_rides.h"

namespace hail::rider {

class StoreFixture : public ::testing::Test, public RideStoreCalls {
 protected:
  StoreFixture() { Open(); }

  RideStore& store() override { return *store_; }
  std::string path() const { return folder_.path("rider.db"); }

  void Open() {
    sqlite::DatabaseOptions options;
    options.path = path();
    auto store = SqliteRideStore::Open(options, &clock_, nullptr);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  FakeClock clock_;
  const TempFolder folder_;
  std::unique_ptr<SqliteRideStore> store_;
};

}  // namespace hail::rider
