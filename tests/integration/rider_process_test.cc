// rider-service as a program: its configuration, its endpoints for operators, start and stop.
#include <signal.h>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "hail/rider/v1/rider_service.grpc.pb.h"
#include "tests/integration/rider_fixture.h"

namespace hail::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(RiderProgram, BadConfigurationIsRefusedWithEveryProblem) {
  const Ran ran = RunProgram(
      "rider-service", {"--set", "listne=127.0.0.1:1", "--set", "ride.max_redispatches=many", "--set", "time_scale=2"},
      {{"HAIL_LIMITS_MAX_CALLS", "0"}});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("listne"), HasSubstr("ride.max_redispatches"), HasSubstr("limits.max_calls")));
  const Ran cross = RunProgram("rider-service", {"--set", "time_scale=2"});
  EXPECT_EQ(cross.exit_code, 2);
  EXPECT_THAT(cross.err, HasSubstr("time_anchor"));
  const Ran regions = RunProgram("rider-service", {"--set", "regions_file=/no/such/file"});
  EXPECT_EQ(regions.exit_code, 2);
  EXPECT_THAT(regions.err, HasSubstr("regions_file"));
  const Ran region = RunProgram("rider-service", {"--set", "regions=san_francisco, atlantis"});
  EXPECT_EQ(region.exit_code, 2);
  EXPECT_THAT(region.err, AllOf(HasSubstr("regions: no such region: atlantis"), HasSubstr("new_york")));
}

TEST(RiderProgram, SaysWhatItIs) {
  EXPECT_EQ(RunProgram("rider-service", {"--version"}).out.rfind("rider-service ", 0), 0u);
  EXPECT_THAT(RunProgram("rider-service", {"--help"}).out, HasSubstr("internal_listen"));
  const Ran printed = RunProgram("rider-service", {"--set", "quote.valid_for=90s", "--print-config"});
  EXPECT_EQ(printed.exit_code, 0);
  EXPECT_THAT(printed.out, HasSubstr("driver_service"));
}

class RiderProcess : public RiderServiceTest {};

TEST_F(RiderProcess, CountsWhatItDoes) {
  auto client = Client();
  client.MustConfirm(client.MustRequest("ann"), "driver-1");
  client.Request(RiderClient::RideRequest("ann", "request-2"));
  // gRPC counts a call when it is done with it, which may be after the caller has the answer.
  const std::string refused = "hail_rider_calls_total{code=\"FAILED_PRECONDITION\",method=\"RequestRide\"} 1";
  std::string text;
  const absl::Time deadline = absl::Now() + absl::Seconds(10);
  while (text.find(refused) == std::string::npos && absl::Now() < deadline) {
    text = HttpGet(rider_.metrics_address(), "/metrics");
  }
  EXPECT_THAT(text, HasSubstr(refused));
  EXPECT_THAT(text, HasSubstr("hail_rider_ride_events_total{type=\"assigned\"} 1"));
  EXPECT_THAT(text, HasSubstr("hail_rider_calls_total{code=\"OK\",method=\"RequestRide\"} 1"));
  EXPECT_THAT(text, HasSubstr("hail_rider_match_seconds_count 1"));
  EXPECT_THAT(text, HasSubstr("hail_rider_commit_seconds_count"));
  EXPECT_THAT(text, HasSubstr("hail_rider_rides{state=\"ENROUTE_TO_PICKUP\"}"));
  EXPECT_THAT(text, HasSubstr("hail_rider_oldest_ride_seconds{state=\"MATCHING\"}"));
  EXPECT_THAT(text, HasSubstr("hail_rider_queue_depth{queue=\"writes\"}"));
}

TEST_F(RiderProcess, HoldsItsStoreAlone) {
  const Ran second =
      RunProgram("rider-service", {"--set", "data_dir=" + rider_.data_dir(), "--set", "listen=127.0.0.1:0", "--set",
                                   "internal_listen=127.0.0.1:0", "--set", "metrics_listen=127.0.0.1:0"});
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, HasSubstr("store_not_opened"));
  EXPECT_TRUE(Client().Request(RiderClient::RideRequest("ann", "request-1")).ok());
}

TEST_F(RiderProcess, LogsRidesAndNeitherPersonsNorExactPositions) {
  const hail::type::v1::Ride ride = Client().MustRequest("ann");
  EXPECT_EQ(rider_.Terminate(), 0);
  const std::string log = rider_.Log();
  EXPECT_THAT(log, HasSubstr("\"event\":\"ride_requested\",\"ride_id\":\"" + ride.ride_id() + "\""));
  EXPECT_THAT(log, HasSubstr("\"rider\":\""));
  EXPECT_THAT(log, ::testing::Not(HasSubstr("\"ann\"")));
  EXPECT_THAT(log, ::testing::Not(HasSubstr("37.79")));
}

TEST_F(RiderProcess, CallsInFlightAreFinishedAndTheNextAreRefusedWhileDraining) {
  rider_.Signal(SIGTERM);
  auto client = Client();
  // Calls are served until the notice is over; then each gets UNAVAILABLE or finds no listener. No call hangs. gRPC
  // itself answers CANCELLED if a call arrives between its shutdown and the client's receipt of GOAWAY (server.cc: a
  // new call of a server that is shutting down is a "zombie"). README says that clients must handle it like
  // UNAVAILABLE.
  grpc::Status status;
  do {
    hail::rider::v1::ListProductsRequest request;
    *request.mutable_position() = FerryBuilding().position();
    hail::rider::v1::ListProductsResponse response;
    const auto context = PatientContext();
    context->set_wait_for_ready(false);
    status = client.rides().ListProducts(context.get(), request, &response);
  } while (status.ok());
  EXPECT_THAT(status.error_code(), ::testing::AnyOf(grpc::StatusCode::UNAVAILABLE, grpc::StatusCode::CANCELLED))
      << status.error_message();
  EXPECT_EQ(rider_.WaitForExit(absl::Seconds(20)), 0);
}

}  // namespace
}  // namespace hail::testing
