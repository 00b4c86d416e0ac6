// Disks that are full, read-only or failing; files that are locked, foreign, newer or damaged. Each service reports the
// fault, refuses changes that it cannot store, answers from readable data, recovers by itself, and loses no
// acknowledged change.
#include <fstream>
#include <string>
#include <thread>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "tests/integration/driver_fixture.h"
#include "tests/integration/rider_fixture.h"
#include "tests/integration/store_faults.h"

namespace hail::testing {
namespace {

using hail::type::v1::Ride;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Eq;
using ::testing::HasSubstr;

std::string ReasonOf(const grpc::Status& status) { return ErrorOf(status).reason; }

// rider-service's store. The test makes the assignments.
class RiderStorage : public RiderServiceTest {
 protected:
  // No load balancer is in front of this process, so it need not wait until one notices the shutdown.
  RiderStorage() { rider_.Set("shutdown.notice", "0s"); }

  std::string file() const { return rider_.data_dir() + "/rider.db"; }

  // Requests a ride repeatedly, as a client does after UNAVAILABLE, until it succeeds.
  static std::string Insist(RiderClient& client, const std::string& rider_id) {
    const absl::Time limit = absl::Now() + absl::Seconds(30);
    while (true) {
      const auto outcome = client.Request(RiderClient::RideRequest(rider_id, "request-1"));
      if (outcome.ok()) return outcome.response.ride().ride_id();
      if (absl::Now() > limit) {
        ADD_FAILURE() << outcome.status.error_message();
        return "";
      }
      absl::SleepFor(absl::Milliseconds(50));
    }
  }
};

class RiderDisk : public RiderStorage, public ::testing::WithParamInterface<const char*> {
 protected:
  StoreFaults faults_{rider_};
};

TEST_P(RiderDisk, ThatFailsIsReportedAndUsedAgainOnceItWorks) {
  auto client = Client();
  const Ride before = client.MustConfirm(client.MustRequest("ann"), "driver-1");
  ASSERT_TRUE(AwaitServing(rider_, true));

  faults_.On(GetParam());
  const auto refused = client.Request(RiderClient::RideRequest("bob", "request-1"));
  EXPECT_EQ(refused.status.error_code(), grpc::StatusCode::UNAVAILABLE) << refused.status.error_message();
  EXPECT_EQ(ReasonOf(refused.status), "STORE_UNAVAILABLE");
  EXPECT_TRUE(ErrorOf(refused.status).has_retry);
  const auto step = client.Step(before, hail::internal::v1::TRIP_STEP_ARRIVE);
  EXPECT_EQ(ReasonOf(step.status), "STORE_UNAVAILABLE") << step.status.error_message();
  EXPECT_TRUE(AwaitServing(rider_, false));
  EXPECT_THAT(rider_.Log(), HasSubstr("\"event\":\"commit_failed\""));
  if (GetParam() != std::string("io-error")) {
    // The stored ride can be read, unchanged.
    const auto read = client.Get("ann", before.ride_id());
    ASSERT_TRUE(read.ok()) << read.status.error_message();
    EXPECT_EQ(read.response.ride().state(), before.state());
    Watch watch(client.rides(), "ann", before.ride_id());
    const auto first = watch.Next();
    EXPECT_TRUE(first && first->has_snapshot());
    watch.Cancel();
  }

  faults_.Off(GetParam());
  EXPECT_TRUE(AwaitServing(rider_, true));
  const std::string bobs = Insist(client, "bob");
  EXPECT_TRUE(client.Step(before, hail::internal::v1::TRIP_STEP_ARRIVE).ok());
  EXPECT_THAT(rider_.Log(), HasSubstr("\"event\":\"commits_work_again\""));

  rider_.Kill();
  ASSERT_TRUE(rider_.Start());
  auto later = Client();
  EXPECT_EQ(later.Get("ann", before.ride_id()).response.ride().state(), hail::type::v1::RIDE_STATE_ARRIVED_AT_PICKUP);
  EXPECT_TRUE(later.Get("bob", bobs).ok());
}

INSTANTIATE_TEST_SUITE_P(Faults, RiderDisk, ::testing::Values("disk-full", "read-only", "sync-error", "io-error"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::erase(name, '-');
                           return name;
                         });

TEST_F(RiderStorage, AFileThatAnotherProgramHasLockedKeepsWritesWaitingThenRefusesThem) {
  auto client = Client();
  const Ride before = client.MustRequest("ann");
  OtherProgram other(file());
  other.Run("BEGIN IMMEDIATE");
  const auto refused = client.Request(RiderClient::RideRequest("bob", "request-1"));
  EXPECT_EQ(ReasonOf(refused.status), "STORE_UNAVAILABLE") << refused.status.error_message();
  EXPECT_THAT(refused.status.error_message(), HasSubstr("locked"));
  EXPECT_TRUE(AwaitServing(rider_, false));
  EXPECT_TRUE(client.Get("ann", before.ride_id()).ok());

  other.Run("ROLLBACK");
  EXPECT_TRUE(AwaitServing(rider_, true));
  Insist(client, "bob");
  EXPECT_TRUE(client.Get("ann", before.ride_id()).ok());
}

// A lock shorter than the service's lock time-out goes unnoticed.
TEST_F(RiderStorage, AFileThatIsLockedForAMomentOnlyDelaysWrites) {
  auto client = Client();
  client.MustRequest("ann");
  OtherProgram other(file());
  other.Run("BEGIN IMMEDIATE");
  std::thread releases([&] {
    absl::SleepFor(absl::Milliseconds(500));
    other.Run("COMMIT");
  });
  const auto outcome = client.Request(RiderClient::RideRequest("bob", "request-1"));
  releases.join();
  EXPECT_TRUE(outcome.ok()) << outcome.status.error_message();
  EXPECT_TRUE(Serving(rider_));
}

TEST_F(RiderStorage, AFileOfANewerVersionIsRefusedAndLeftAlone) {
  auto client = Client();
  const Ride before = client.MustRequest("ann");
  rider_.Terminate();
  std::string version;
  {
    OtherProgram newer(file());
    version = newer.Run("PRAGMA user_version");
    newer.Run("PRAGMA user_version=99");
  }
  const Ran ran = StartAnother("rider-service", rider_);
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("store_not_opened"), HasSubstr("rider.db has schema version 99"),
                             HasSubstr("newer than this program's")));
  {
    OtherProgram newer(file());
    EXPECT_EQ(newer.Run("PRAGMA user_version"), "99");
    newer.Run("PRAGMA user_version=" + version);
  }
  ASSERT_TRUE(rider_.Start());
  EXPECT_TRUE(Client().Get("ann", before.ride_id()).ok());
}

TEST_F(RiderStorage, TwoServicesOnOneFileAreOneTooMany) {
  auto client = Client();
  const Ran ran = StartAnother("rider-service", rider_);
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("store_not_opened"), HasSubstr("another process uses this data")));
  EXPECT_TRUE(client.Request(RiderClient::RideRequest("ann", "request-1")).ok());
}

TEST_F(RiderStorage, AFileThatCannotBeWrittenIsRefusedAtTheStart) {
  StoreFaults faults(rider_);
  auto client = Client();
  const Ride before = client.MustRequest("ann");
  rider_.Terminate();
  faults.On("read-only");
  const Ran ran = StartAnother("rider-service", rider_, faults.environment());
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("store_not_opened"), HasSubstr("rider.db"), HasSubstr("read-only")));
  faults.Off("read-only");
  ASSERT_TRUE(rider_.Start());
  EXPECT_TRUE(Client().Get("ann", before.ride_id()).ok());
}

TEST_F(RiderStorage, AFileThatIsNoDatabaseIsRefusedAndLeftAlone) {
  rider_.Terminate();
  const std::string text(10'000, 'x');
  std::ofstream(file(), std::ios::binary) << text;
  const Ran ran = StartAnother("rider-service", rider_);
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("store_not_opened"), HasSubstr("rider.db"), HasSubstr("not a database")));
  std::ifstream in(file(), std::ios::binary);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), text);
}

// Overwrites all of the file except its first page.
void Damage(const std::string& path) {
  std::fstream out(path, std::ios::binary | std::ios::in | std::ios::out | std::ios::ate);
  const std::streamoff size = out.tellp();
  out.seekp(4096);
  out << std::string(static_cast<std::size_t>(size - 4096), '\xee');
}

TEST_F(RiderStorage, ADamagedFileIsRefusedAtTheStart) {
  Client().MustRequest("ann");
  rider_.Terminate();
  Damage(file());
  const Ran ran = StartAnother("rider-service", rider_);
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, HasSubstr("malformed"));
}

// Domain time runs 40 times as fast: a ride's search is over after 3 s.
class RiderDiskInAHurry : public RiderServiceTest {
 protected:
  RiderDiskInAHurry() : RiderServiceTest(40) {}
  StoreFaults faults_{rider_};
};

TEST_F(RiderDiskInAHurry, ARideWhoseSearchEndsWhileNothingCanBeStoredEndsAfterwards) {
  auto client = Client();
  const Ride ride = client.MustRequest("ann");
  faults_.On("disk-full");
  // The service's own write of the end fails.
  EXPECT_TRUE(AwaitServing(rider_, false));
  EXPECT_EQ(client.Get("ann", ride.ride_id()).response.ride().state(), hail::type::v1::RIDE_STATE_MATCHING);
  faults_.Off("disk-full");
  client.WaitForRide("ann", ride.ride_id(),
                     [](const Ride& now) { return now.state() == hail::type::v1::RIDE_STATE_NO_DRIVERS_AVAILABLE; });
}

// Both services; rider-service's disk fails.
class BothDisks : public ::testing::Test {
 protected:
  void SetUp() override {
    services_.rider.Kill();
    ASSERT_TRUE(services_.rider.Start());
  }
  BothServices services_;
  StoreFaults faults_{services_.rider};
};

TEST_F(BothDisks, AnAcceptIsAnsweredWhenItCanBeStored) {
  DriverApp driver(services_.driver.PublicChannel(), "driver-1");
  ASSERT_TRUE(driver.Register().ok());
  driver.GoAvailable({37.7935, -122.3960});
  RiderClient client(services_.rider);
  const Ride ride = client.MustRequest("ann");
  const auto offer = driver.NextOffer();
  driver.SendOfferReceived(offer.offer_id());
  faults_.On("disk-full");
  const std::string accept = driver.RespondLater(offer.offer_id(), hail::driver::v1::OFFER_RESPONSE_ACCEPT);
  EXPECT_TRUE(AwaitServing(services_.rider, false));
  driver.AwaitState([](const auto& state) { return state.status() == hail::driver::v1::DRIVER_STATUS_RESERVED; },
                    "being confirmed");
  faults_.Off("disk-full");
  const auto result = driver.NextResult(accept);
  EXPECT_EQ(result.status().code(), 0) << result.status().message();
  EXPECT_EQ(result.state().ride().ride_id(), ride.ride_id());
  EXPECT_EQ(client.Get("ann", ride.ride_id()).response.ride().driver().driver_id(), "driver-1");
}

// driver-service's store.
class DriverStorage : public DriverServiceTest {
 protected:
  std::string file() const { return driver_.data_dir() + "/driver.db"; }

  grpc::Status Find(const std::string& driver_id) {
    hail::driver::v1::GetDriverRequest request;
    request.set_driver_id(driver_id);
    hail::driver::v1::GetDriverResponse response;
    const auto stub = hail::driver::v1::DriverService::NewStub(driver_.PublicChannel());
    return stub->GetDriver(CallContext().get(), request, &response);
  }
  void InsistOnRegistering(const std::string& driver_id) {
    DriverApp app(driver_.PublicChannel(), driver_id);
    const absl::Time limit = absl::Now() + absl::Seconds(30);
    grpc::Status status = app.Register();
    while (!status.ok() && absl::Now() < limit) {
      absl::SleepFor(absl::Milliseconds(50));
      status = app.Register();
    }
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
};

class DriverDisk : public DriverStorage, public ::testing::WithParamInterface<const char*> {
 protected:
  StoreFaults faults_{driver_};
};

TEST_P(DriverDisk, ThatFailsIsReportedAndUsedAgainOnceItWorks) {
  auto ada = AvailableApp("ada");
  ASSERT_TRUE(AwaitServing(driver_, true));

  faults_.On(GetParam());
  DriverApp bea(driver_.PublicChannel(), "bea");
  const grpc::Status refused = bea.Register();
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE) << refused.error_message();
  EXPECT_EQ(DriverServiceTest::ReasonOf(refused), "STORE_UNAVAILABLE");
  EXPECT_TRUE(AwaitServing(driver_, false));
  EXPECT_THAT(driver_.Log(), HasSubstr("\"event\":\"commit_failed\""));
  EXPECT_TRUE(Find("ada").ok());
  // The session is in memory: it goes on.
  EXPECT_EQ(ada->SetAvailability(hail::driver::v1::AVAILABILITY_ONLINE).status().code(), 0)
      << "the same desired availability again needs no change to the store";

  faults_.Off(GetParam());
  EXPECT_TRUE(AwaitServing(driver_, true));
  InsistOnRegistering("bea");

  driver_.Kill();
  ASSERT_TRUE(driver_.Start());
  EXPECT_TRUE(Find("ada").ok());
  EXPECT_TRUE(Find("bea").ok());
}

INSTANTIATE_TEST_SUITE_P(Faults, DriverDisk, ::testing::Values("disk-full", "read-only"), [](const auto& info) {
  std::string name = info.param;
  std::erase(name, '-');
  return name;
});

TEST_F(DriverStorage, AFileThatAnotherProgramHasLockedIsUsedAgainOnceItIsFree) {
  InsistOnRegistering("ada");
  OtherProgram other(file());
  other.Run("BEGIN IMMEDIATE");
  DriverApp bea(driver_.PublicChannel(), "bea");
  // On a busy machine the call's deadline may pass before the store's.
  std::string reason;
  const absl::Time patience = absl::Now() + absl::Minutes(1);
  while (reason.empty() && absl::Now() < patience) reason = DriverServiceTest::ReasonOf(bea.Register());
  EXPECT_EQ(reason, "STORE_UNAVAILABLE");
  EXPECT_TRUE(AwaitServing(driver_, false));
  EXPECT_TRUE(Find("ada").ok());
  other.Run("ROLLBACK");
  EXPECT_TRUE(AwaitServing(driver_, true));
  InsistOnRegistering("bea");
}

TEST_F(DriverStorage, FilesItCannotUseAreRefusedAtTheStart) {
  StoreFaults faults(driver_);
  InsistOnRegistering("ada");
  const Ran second = StartAnother("driver-service", driver_);
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, AllOf(HasSubstr("store_not_opened"), HasSubstr("another process uses this data")));
  driver_.Terminate();

  faults.On("read-only");
  const Ran read_only = StartAnother("driver-service", driver_, faults.environment());
  faults.Off("read-only");
  EXPECT_EQ(read_only.exit_code, 1);
  EXPECT_THAT(read_only.err, AllOf(HasSubstr("driver.db"), HasSubstr("read-only")));

  std::string version;
  {
    OtherProgram newer(file());
    version = newer.Run("PRAGMA user_version");
    newer.Run("PRAGMA user_version=99");
  }
  const Ran newer = StartAnother("driver-service", driver_);
  EXPECT_EQ(newer.exit_code, 1);
  EXPECT_THAT(newer.err, AllOf(HasSubstr("driver.db has schema version 99"), HasSubstr("newer")));
  OtherProgram(file()).Run("PRAGMA user_version=" + version);
  ASSERT_TRUE(driver_.Start());
  EXPECT_TRUE(Find("ada").ok());
}

// The service reads no driver before a call needs one, so it starts, and its health reports the damage.
TEST_F(DriverStorage, ADamagedFileIsNotServed) {
  InsistOnRegistering("ada");
  driver_.Terminate();
  Damage(file());
  ASSERT_TRUE(driver_.Start());
  const grpc::Status found = Find("ada");
  EXPECT_EQ(DriverServiceTest::ReasonOf(found), "STORE_UNAVAILABLE") << found.error_message();
  EXPECT_TRUE(AwaitServing(driver_, false));
  EXPECT_THAT(driver_.Log(), HasSubstr("malformed"));
}

}  // namespace
}  // namespace hail::testing
