// Both services on a PostgreSQL that is slow, unreachable for a while, or unusable.
#include <string>
#include <thread>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "tests/engines/postgres_server.h"
#include "tests/integration/driver_app.h"
#include "tests/integration/health.h"
#include "tests/integration/process.h"
#include "tests/integration/rider_fixture.h"
#include "tests/integration/trip_steps.h"

namespace hail::testing {
namespace {

using hail::type::v1::Ride;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class OnPostgres : public ::testing::Test {
 protected:
  PostgresServer postgres_;
  BothServices services_{{{"store.url", postgres_.url()}}, {{"store.url", postgres_.url()}}};
};

TEST_F(OnPostgres, ADatabaseThatIsGoneForAWhileEndsNeitherStreamsNorTrips) {
  const auto driver = NewDriver(services_.driver, "driver-1");
  driver->GoAvailable(kNearFerryBuilding);
  RiderClient client(services_.rider);
  const std::string ride_id = client.MustRequest("ann").ride_id();
  Watch watch(client.rides(), "ann", ride_id);
  ASSERT_TRUE(watch.Next()->has_snapshot());
  const Ride ride = Accept(*driver);
  ASSERT_TRUE(watch.Next()->has_event());
  Advance(*driver, ride, Seen);
  ASSERT_TRUE(watch.Next()->has_event());

  postgres_.Crash();
  const auto refused = client.Request(RiderClient::RideRequest("bob", "request-1"));
  EXPECT_EQ(refused.status.error_code(), grpc::StatusCode::UNAVAILABLE) << refused.status.error_message();
  EXPECT_EQ(ErrorOf(refused.status).reason, "STORE_UNAVAILABLE");
  EXPECT_TRUE(ErrorOf(refused.status).has_retry);
  EXPECT_TRUE(AwaitServing(services_.rider, false));
  EXPECT_TRUE(AwaitServing(services_.driver, false));
  // Work that needs no store goes on: the rider sees the car move.
  driver->SendPosition(kNearFerryBuilding);
  auto update = watch.Next();
  ASSERT_TRUE(update && update->has_telemetry()) << (update ? update->ShortDebugString() : "the stream has ended");

  postgres_.Start();
  EXPECT_TRUE(AwaitServing(services_.rider, true));
  EXPECT_TRUE(AwaitServing(services_.driver, true));
  Advance(*driver, ride, Arrive);
  do update = watch.Next();
  while (update && update->has_telemetry());
  ASSERT_TRUE(update && update->has_event());
  EXPECT_EQ(update->event().sequence(), 4);
  Advance(*driver, ride, Start);
  Advance(*driver, ride, Complete);
  EXPECT_THAT(SequencesAfter(services_.rider, "ann", ride_id, 0), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST_F(OnPostgres, AServiceThatStartsBeforeItsDatabaseWaitsAndSaysSo) {
  for (ServiceProcess* service : {&services_.rider, &services_.driver}) {
    ASSERT_EQ(service->Terminate(), 0);
    postgres_.Stop();
    absl::Notification checked;
    // A server ends with the thread that started it, so the thread stays until all is checked.
    std::thread meanwhile([&] {
      EXPECT_TRUE(AwaitHealth(*service, Health::kNotServing));
      while (service->Log().find("\"event\":\"waiting_for_store\"") == std::string::npos) {
        absl::SleepFor(absl::Milliseconds(10));
      }
      postgres_.Start();
      checked.WaitForNotification();
      postgres_.Stop();
    });
    // The process writes its ports once it serves; they are the same as before.
    EXPECT_TRUE(service->Start());
    EXPECT_TRUE(AwaitServing(*service, true));
    checked.Notify();
    meanwhile.join();
    postgres_.Start();
  }
}

TEST_F(OnPostgres, WhatSomebodyMustMendEndsTheStart) {
  const auto start_on = [](const std::string& url) {
    return RunProgram("rider-service", {"--set", "listen=127.0.0.1:0", "--set", "internal_listen=127.0.0.1:0", "--set",
                                        "metrics_listen=127.0.0.1:0", "--set", "store.url=" + url});
  };
  const Ran stranger = start_on(postgres_.url_of_a_stranger());
  EXPECT_EQ(stranger.exit_code, 1);
  EXPECT_THAT(stranger.err, AllOf(HasSubstr("store_not_opened"), HasSubstr("stranger"), Not(HasSubstr("hunter2"))));

  postgres_.Ask("UPDATE hail_rider.schema_version SET version = 999");
  const Ran newer = start_on(postgres_.url());
  EXPECT_EQ(newer.exit_code, 1);
  EXPECT_THAT(newer.err, HasSubstr("is of version 999"));
}

TEST_F(OnPostgres, ThePasswordIsNotPrinted) {
  const Ran printed =
      RunProgram("rider-service", {"--print-config", "--set", "store.url=postgres://u:hunter2@db/city"});
  EXPECT_EQ(printed.exit_code, 0);
  EXPECT_THAT(printed.out, AllOf(HasSubstr("postgres://u:***@db/city"), Not(HasSubstr("hunter2"))));
}

}  // namespace
}  // namespace hail::testing
