// The boards of outgoing positions. gRPC's threads write them, another thread empties them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "driver-service/api/presence_gossip.h"
#include "driver-service/api/trip_positions.h"

namespace hail::driver {
namespace {

constexpr int kDrivers = 4;
constexpr int kFixes = 300;
const absl::Time kT0 = absl::FromUnixSeconds(1'700'000'000);

std::string DriverId(int driver) { return "driver-" + std::to_string(driver); }

// Each fix is further east than the one before.
Fix FixNumber(int number) {
  Fix fix;
  fix.point = {37.75, -122.4 + number * 1e-5};
  fix.position_seq = static_cast<std::uint64_t>(number);
  fix.observed = kT0 + absl::Seconds(number);
  return fix;
}

// Each driver reports from its own thread. The calling thread takes the reports meanwhile, and once more at the end.
void ReportAndTake(const std::function<void(const std::string& driver_id, const Fix& fix)>& report,
                   const std::function<void()>& take) {
  std::atomic<int> reporting{kDrivers};
  std::vector<std::thread> drivers;
  for (int driver = 0; driver < kDrivers; ++driver) {
    drivers.emplace_back([&, driver] {
      for (int number = 1; number <= kFixes; ++number) report(DriverId(driver), FixNumber(number));
      --reporting;
    });
  }
  while (reporting > 0) take();
  for (std::thread& driver : drivers) driver.join();
  take();
}

TEST(PresenceGossip, TakesEachDriversLastPositionFromManyThreads) {
  LocationIndex index;
  PresenceGossip board(index);
  std::atomic<int> dirty_calls{0};
  board.SetOnDirty([&] { ++dirty_calls; });
  for (int driver = 0; driver < kDrivers; ++driver) board.SetSession(DriverId(driver), 1, true, true, nullptr);

  std::map<std::string, DriverPresence> last;
  std::uint64_t numbers = 0;
  const auto report = [&](const std::string& driver_id, const Fix& fix) {
    index.Update(driver_id, fix);
    board.Moved(driver_id);
  };
  const auto take = [&] {
    for (const Presences& presences : board.Take()) {
      for (const DriverPresence& presence : presences.drivers) {
        EXPECT_GT(presence.number, numbers);
        numbers = presence.number;
        last[presence.driver_id] = presence;
      }
    }
  };
  ReportAndTake(report, take);

  ASSERT_EQ(last.size(), kDrivers);
  for (const auto& [driver_id, presence] : last) {
    ASSERT_TRUE(presence.fix.has_value()) << driver_id;
    EXPECT_EQ(presence.fix->observed, FixNumber(kFixes).observed) << driver_id;
  }
  EXPECT_GE(dirty_calls, 1);
  EXPECT_THAT(board.Take(), testing::IsEmpty());
}

TEST(TripPositions, TakesEachDriversLastPositionFromManyThreads) {
  const StraightLineTravelTimes travel_times;
  TripPositions positions(travel_times);
  std::atomic<int> dirty_calls{0};
  positions.SetOnDirty([&] { ++dirty_calls; });
  for (int driver = 0; driver < kDrivers; ++driver) {
    auto ride = std::make_shared<RideView>();
    ride->ride_id = "ride-of-" + DriverId(driver);
    ride->live = true;
    ride->pickup = {37.76, -122.41};
    positions.SetRide(DriverId(driver), ride);
  }

  std::map<std::string, double> last;
  const auto report = [&](const std::string& driver_id, const Fix& fix) { positions.Add(driver_id, fix); };
  const auto take = [&] {
    for (const auto& message : positions.Take(kT0 + absl::Seconds(kFixes))) {
      for (const auto& location : message.locations()) {
        const double longitude = location.position().location().longitude_deg();
        const auto [before, is_first] = last.emplace(location.driver_id(), longitude);
        EXPECT_TRUE(is_first || longitude > before->second) << "went back";
        before->second = longitude;
      }
    }
  };
  ReportAndTake(report, take);

  ASSERT_EQ(last.size(), kDrivers);
  for (const auto& [driver_id, longitude] : last) {
    EXPECT_DOUBLE_EQ(longitude, FixNumber(kFixes).point.longitude_deg) << driver_id;
  }
  EXPECT_GE(dirty_calls, 1);
  EXPECT_THAT(positions.Take(kT0), testing::IsEmpty());
}

}  // namespace
}  // namespace hail::driver
