// Both services' stores on a disk that loses unsynced data when the process is killed: acknowledged changes must be
// stored.
#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "tests/integration/driver_fixture.h"
#include "tests/integration/rider_fixture.h"
#include "tests/integration/store_faults.h"

namespace hail::testing {
namespace {

constexpr int kCallers = 6;

// Callers repeat `step` until `count` calls have been acknowledged; then `kill` runs while they go on. `step(caller,
// n)` returns whether the nth call was acknowledged.
void CallUntilKilled(int count, const std::function<bool(int, int)>& step, const std::function<void()>& kill) {
  std::atomic<int> acknowledged{0};
  std::atomic<bool> over{false};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < kCallers; ++caller) {
    callers.emplace_back([&, caller] {
      for (int n = 0; !over; ++n) {
        if (step(caller, n)) ++acknowledged;
      }
    });
  }
  const absl::Time limit = absl::Now() + absl::Seconds(30);
  while (acknowledged < count && absl::Now() < limit) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_GE(acknowledged, count);
  kill();
  over = true;
  for (std::thread& caller : callers) caller.join();
}

class RiderPower : public RiderServiceTest {
 protected:
  RiderPower() {
    for (const auto& [name, value] : Preloaded({{"POWERLOSS", "1"}})) rider_.SetEnv(name, value);
  }

  // Kills the service under load, `lives` times or until a restart misses acknowledged rides; returns how many it
  // misses.
  int Lives(int lives) {
    int lost = 0;
    // Rider to ride.
    std::map<std::string, std::string> rides;
    for (int life = 0; life < lives && lost == 0; ++life) {
      std::mutex mutex;
      CallUntilKilled(
          15 + 10 * std::min(life, 8),
          [&](int caller, int n) {
            const std::string rider = absl::StrCat("rider-", life, "-", caller, "-", n);
            const auto stub = hail::rider::v1::RiderService::NewStub(channels_.at(static_cast<std::size_t>(caller)));
            hail::rider::v1::RequestRideResponse response;
            const auto context = PatientContext();
            context->set_wait_for_ready(false);
            if (!stub->RequestRide(context.get(), RiderClient::RideRequest(rider, "request-1"), &response).ok()) {
              return false;
            }
            const std::lock_guard<std::mutex> lock(mutex);
            rides[rider] = response.ride().ride_id();
            return true;
          },
          [&] { rider_.Kill(); });
      if (!rider_.Start()) return 1;
      auto client = Client();
      for (const auto& [rider, ride_id] : rides) lost += client.Get(rider, ride_id).ok() ? 0 : 1;
    }
    return lost;
  }

  void SetUp() override {
    RiderServiceTest::SetUp();
    for (int caller = 0; caller < kCallers; ++caller) channels_.push_back(rider_.PublicChannel());
  }

  std::vector<std::shared_ptr<grpc::Channel>> channels_;
};

TEST_F(RiderPower, NoAcknowledgedRideIsLost) {
  EXPECT_EQ(Lives(5), 0);
  rider_.Kill();
  OtherProgram look(rider_.data_dir() + "/rider.db");
  EXPECT_EQ(look.Run("PRAGMA integrity_check"), "ok");
  EXPECT_EQ(look.Run("SELECT count(*) FROM rides WHERE sequence <> (SELECT max(sequence) FROM events WHERE"
                     " events.ride_id = rides.ride_id) OR sequence <> (SELECT count(*) FROM events WHERE"
                     " events.ride_id = rides.ride_id)"),
            "0");
}

class RiderPowerWithoutSyncs : public RiderPower, public ::testing::WithParamInterface<const char*> {
 protected:
  RiderPowerWithoutSyncs() { rider_.SetEnv("POWERLOSS_SYNCHRONOUS", GetParam()); }
};

// Proves that the test above can fail. After a single kill all data may be there, because unsynced data may reach the
// disk, too.
TEST_P(RiderPowerWithoutSyncs, AcknowledgedRidesAreLost) { EXPECT_GT(Lives(30), 0); }

INSTANTIATE_TEST_SUITE_P(Levels, RiderPowerWithoutSyncs, ::testing::Values("OFF", "NORMAL"));

class DriverPower : public DriverServiceTest {
 protected:
  DriverPower() {
    for (const auto& [name, value] : Preloaded({{"POWERLOSS", "1"}})) driver_.SetEnv(name, value);
  }
};

TEST_F(DriverPower, NoAcknowledgedRegistrationIsLost) {
  std::vector<std::string> registered;
  std::mutex mutex;
  for (int life = 0; life < 3; ++life) {
    std::vector<std::shared_ptr<grpc::Channel>> channels;
    for (int caller = 0; caller < kCallers; ++caller) channels.push_back(driver_.PublicChannel());
    CallUntilKilled(
        25,
        [&](int caller, int n) {
          const std::string id = absl::StrCat("driver-", life, "-", caller, "-", n);
          DriverApp app(channels.at(static_cast<std::size_t>(caller)), id);
          if (!app.Register().ok()) return false;
          const std::lock_guard<std::mutex> lock(mutex);
          registered.push_back(id);
          return true;
        },
        [&] { driver_.Kill(); });
    ASSERT_TRUE(driver_.Start());
    const auto stub = hail::driver::v1::DriverService::NewStub(driver_.PublicChannel());
    for (const std::string& id : registered) {
      hail::driver::v1::GetDriverRequest request;
      request.set_driver_id(id);
      hail::driver::v1::GetDriverResponse response;
      EXPECT_TRUE(stub->GetDriver(CallContext().get(), request, &response).ok()) << id;
    }
  }
}

}  // namespace
}  // namespace hail::testing
