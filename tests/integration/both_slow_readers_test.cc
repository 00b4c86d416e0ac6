// Clients that do not read.
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "hail/rider/v1/rider_service.grpc.pb.h"
#include "tests/integration/process.h"
#include "tests/integration/raw_http2.h"
#include "tests/integration/rider_fixture.h"
#include "tests/integration/trip_steps.h"

namespace hail::testing {
namespace {

constexpr int kConnections = 4;
constexpr int kStreamsEach = 50;
// Their maximum total cost in memory. A blocked stream holds a message being written, one position, a heartbeat, and
// gRPC's own state: some tens of kilobytes.
constexpr double kMostMib = 32;
// The service cuts off a client that reads nothing for half a minute; with slack for a busy machine.
constexpr absl::Duration kCutOff = absl::Seconds(50);

TEST(SlowReaders, TwoHundredWhoNeverReadCostLittleAreCutOffAndHarmNobody) {
  BothServices services;
  const auto driver = NewDriver(services.driver, "driver-1");
  driver->GoAvailable(kNearFerryBuilding);
  RiderClient client(services.rider);
  client.MustRequest("ann");
  const hail::type::v1::Ride ride = Accept(*driver);

  std::atomic<int> positions = 0;
  grpc::ClientContext watching;
  std::thread reader([&] {
    hail::rider::v1::WatchRideRequest request;
    request.set_rider_id("ann");
    request.set_ride_id(ride.ride_id());
    const auto stream = client.rides().WatchRide(&watching, request);
    hail::rider::v1::WatchRideResponse response;
    while (stream->Read(&response)) positions += response.has_telemetry() ? 1 : 0;
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  });
  const double before = services.rider.RssMib();
  std::vector<std::unique_ptr<RawHttp2>> stuck;
  hail::rider::v1::WatchRideRequest request;
  request.set_rider_id("ann");
  request.set_ride_id(ride.ride_id());
  for (int i = 0; i < kConnections; ++i) {
    stuck.push_back(std::make_unique<RawHttp2>(services.rider.public_address()));
    stuck.back()->SendPreface(0);
    for (int j = 0; j < kStreamsEach; ++j) {
      stuck.back()->SendMessage(stuck.back()->Call("/hail.rider.v1.RiderService/WatchRide"),
                                request.SerializeAsString(), true);
    }
  }

  const std::string cut_off =
      absl::StrCat("hail_rider_streams_ended_total{code=\"RESOURCE_EXHAUSTED\",method=\"WatchRide\"} ",
                   kConnections * kStreamsEach, "\n");
  const absl::Time deadline = absl::Now() + kCutOff;
  double most = before;
  bool all_cut_off = false;
  absl::Duration slowest;
  LatLng at = kNearFerryBuilding;
  while (!all_cut_off && absl::Now() < deadline) {
    // Unconditional: this is a steady flow of positions.
    for (int i = 0; i < 20; ++i) {
      at.latitude_deg += 1e-6;
      driver->SendPosition(at);
      absl::SleepFor(absl::Milliseconds(25));
    }
    const absl::Time began = absl::Now();
    EXPECT_TRUE(client.Get("ann", ride.ride_id()).ok());
    slowest = std::max(slowest, absl::Now() - began);
    most = std::max(most, services.rider.RssMib());
    all_cut_off = HttpGet(services.rider.metrics_address(), "/metrics").find(cut_off) != std::string::npos;
  }
  EXPECT_TRUE(all_cut_off) << HttpGet(services.rider.metrics_address(), "/metrics");
#ifndef __SANITIZE_ADDRESS__  // It keeps freed memory for a while, and adds red zones.
  EXPECT_LT(most - before, kMostMib);
#endif
  EXPECT_LT(slowest, absl::Seconds(2));
  EXPECT_GT(positions, 100);
  RecordProperty("mib", absl::StrCat(most - before));
  watching.TryCancel();
  reader.join();
}

}  // namespace
}  // namespace hail::testing
