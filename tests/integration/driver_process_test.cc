// The process around the service: ports, metrics, logs, configuration.
#include "tests/integration/driver_fixture.h"

namespace hail::testing {
namespace {

namespace driver = hail::driver::v1;
namespace internal = hail::internal::v1;

using DriverProcessTest = DriverServiceTest;

TEST_F(DriverProcessTest, InternalMethodsAreNotOnThePublicPort) {
  auto stub = internal::DispatchService::NewStub(driver_.PublicChannel());
  internal::SearchDriversResponse found;
  EXPECT_EQ(stub->SearchDrivers(CallContext().get(), {}, &found).error_code(), grpc::StatusCode::UNIMPLEMENTED);
  auto context = CallContext();
  auto link = stub->Dispatch(context.get());
  internal::DispatchResponse message;
  EXPECT_FALSE(link->Read(&message));
  EXPECT_EQ(link->Finish().error_code(), grpc::StatusCode::UNIMPLEMENTED);
  // The internal port does not serve the public calls either.
  auto apps = driver::DriverService::NewStub(driver_.InternalChannel());
  driver::GetDriverResponse response;
  EXPECT_EQ(apps->GetDriver(CallContext().get(), {}, &response).error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(DriverProcessTest, TheLinkMustSayHello) {
  auto stub = internal::DispatchService::NewStub(driver_.InternalChannel());
  auto context = CallContext();
  auto link = stub->Dispatch(context.get());
  internal::DispatchRequest start;
  start.mutable_start()->set_ride_id("ride-1");
  link->Write(start);
  internal::DispatchResponse message;
  EXPECT_FALSE(link->Read(&message));
  EXPECT_EQ(ReasonOf(link->Finish()), "PROTOCOL_VIOLATION");
}

TEST_F(DriverProcessTest, MetricsCountDriversAndOffers) {
  auto app = AppOnTrip("ada", "ride-1");
  app->AwaitState([](const driver::DriverState& state) { return state.status() == driver::DRIVER_STATUS_ON_TRIP; },
                  "on a trip");
  const std::string text = HttpGet(driver_.metrics_address(), "/metrics");
  EXPECT_NE(text.find("hail_driver_offers_total{outcome=\"ACCEPTED\",reason=\"\"} 1"), std::string::npos) << text;
  EXPECT_NE(text.find("hail_driver_match_seconds_count 1"), std::string::npos);
  EXPECT_NE(text.find("hail_driver_streams{method=\"StreamDriver\"} 1"), std::string::npos);
  EXPECT_NE(text.find("hail_driver_rider_feed_up 1"), std::string::npos);
  EXPECT_NE(text.find("hail_driver_calls_total{code=\"OK\",method=\"RegisterDriver\"} 1"), std::string::npos);
}

class WrongClockTest : public DriverServiceTest {
 protected:
  WrongClockTest() { rider_.set_clock_ahead(absl::Hours(1)); }
};

TEST_F(WrongClockTest, DomainClocksThatDisagreeAreLogged) {
  // The link is in use once a start is acknowledged; the hello came before.
  rider_.StartRide("ride-1", 1, kMarketStreet);
  internal::DispatchResponse started;
  ASSERT_TRUE(rider_.NextLinkMessage([](const internal::DispatchResponse& m) { return m.has_started(); }, &started));
  EXPECT_EQ(driver_.Terminate(), 0);
  EXPECT_NE(driver_.Log().find("\"event\":\"domain_clocks_differ\""), std::string::npos) << driver_.Log();
}

TEST_F(DriverProcessTest, TheLogHoldsNoPositions) {
  auto app = AppOnTrip("ada", "ride-1");
  app->Drop();
  EXPECT_EQ(driver_.Terminate(), 0);
  const std::string log = driver_.Log();
  EXPECT_NE(log.find("\"event\":\"offer_settled\""), std::string::npos) << log;
  EXPECT_EQ(log.find("domain_clocks_differ"), std::string::npos) << log;
  EXPECT_NE(log.find("\"ride_id\":\"ride-1\""), std::string::npos);
  EXPECT_EQ(log.find("37.77"), std::string::npos) << log;
  EXPECT_EQ(log.find("122.41"), std::string::npos) << log;
}

TEST(DriverConfig, EveryProblemIsListed) {
  const Ran ran = RunProgram("driver-service", {"--set", "offer.receive_time=0s", "--set", "rider_service=nowhere",
                                                "--set", "search.radiusmax=5", "--set", "time_scale=30"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_NE(ran.err.find("offer.receive_time"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("rider_service"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("search.radiusmax"), std::string::npos) << ran.err;
}

TEST(DriverConfig, KeysAreCheckedAgainstEachOther) {
  const Ran ran = RunProgram("driver-service", {"--set", "search.radius_start=9000", "--set", "search.radius_max=500"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_NE(ran.err.find("search.radius_start"), std::string::npos) << ran.err;
}

TEST(DriverConfig, ARoadGraphThatCannotBeReadIsListedWithTheRest) {
  const Ran ran =
      RunProgram("driver-service", {"--set", "travel.road_graphs=/nowhere/streets", "--set", "rider_service=nowhere"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_NE(ran.err.find("/nowhere/streets_nodes.csv"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("rider_service"), std::string::npos) << ran.err;
}

TEST(DriverConfig, TheEnvironmentIsReadAndFlagsWin) {
  const Ran ran = RunProgram("driver-service", {"--print-config", "--set", "offer.receive_time=20s"},
                             {{"HAIL_OFFER_RECEIVE_TIME", "10s"}, {"HAIL_RIDER_SERVICE", "dns:///rider:50061"}});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_NE(ran.out.find("20s"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("dns:///rider:50061"), std::string::npos) << ran.out;
}

}  // namespace
}  // namespace hail::testing
