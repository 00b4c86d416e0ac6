// Both services get SIGTERM: in restarts under load, and with clients that never close their connections.
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "hail/driver/v1/driver_service.grpc.pb.h"
#include "hail/rider/v1/rider_service.grpc.pb.h"
#include "nlohmann/json.hpp"
#include "tests/integration/driver_app.h"
#include "tests/integration/patient_client.h"
#include "tests/integration/process.h"
#include "tests/integration/raw_http2.h"
#include "tests/integration/rider_fixture.h"
#include "tests/integration/trip_steps.h"

namespace hail::testing {
namespace {

constexpr char kWatchRide[] = "/hail.rider.v1.RiderService/WatchRide";
constexpr char kStreamDriver[] = "/hail.driver.v1.DriverService/StreamDriver";

// How long a service may take beyond notice and grace: cut-off calls unwind, the servers close (service_host.cc), the
// store is written back, on a busy machine.
constexpr absl::Duration kBeyondGrace = absl::Seconds(7);

// Clients of one listener that never let go: they connect and send nothing; they stop in the middle of a frame; they
// open a stream and grant no window for its answers.
class Stuck {
 public:
  explicit Stuck(const std::string& address) : silent_(address), half_way_(address), no_window_(address) {
    half_way_.SendPreface(65'535);
    half_way_.SendHalfAFrame();
    no_window_.SendPreface(0);
  }
  void Open(const std::string& path, const std::string& message, bool last) {
    no_window_.SendMessage(no_window_.Call(path), message, last);
  }
  bool AllClosed() {
    return silent_.AwaitClose(absl::Seconds(5)) && half_way_.AwaitClose(absl::Seconds(5)) &&
           no_window_.AwaitClose(absl::Seconds(5));
  }

 private:
  RawHttp2 silent_;
  RawHttp2 half_way_;
  RawHttp2 no_window_;
};

std::string Gauge(const ServiceProcess& process, const std::string& name) {
  const std::string text = HttpGet(process.metrics_address(), "/metrics");
  const std::size_t at = text.find("\n" + name + " ");
  if (at == std::string::npos) return "";
  const std::size_t value = at + name.size() + 2;
  return text.substr(value, text.find('\n', value) - value);
}

void AwaitGauge(const ServiceProcess& process, const std::string& name, const std::string& value) {
  const absl::Time deadline = absl::Now() + absl::Seconds(10);
  while (Gauge(process, name) != value && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(20));
  EXPECT_EQ(Gauge(process, name), value) << name;
}

TEST(Drain, NeitherIdleNorStuckClientsKeepAServiceFromStopping) {
  const std::map<std::string, std::string> settings = {{"shutdown.notice", "200ms"}, {"shutdown.grace", "2s"}};
  const absl::Duration kInTime = absl::Milliseconds(2200) + kBeyondGrace;
  BothServices services(settings, settings);
  RiderClient client(services.rider);
  const std::string ride_id = client.MustRequest("ann").ride_id();

  hail::rider::v1::WatchRideRequest watch_request;
  watch_request.set_rider_id("ann");
  watch_request.set_ride_id(ride_id);
  Watch idle_rider(client.rides(), "ann", ride_id);
  ASSERT_TRUE(idle_rider.Next()->has_snapshot());
  const auto idle_driver = NewDriver(services.driver, "idle");
  idle_driver->Open();
  ASSERT_TRUE(NewDriver(services.driver, "stuck"));
  hail::driver::v1::StreamDriverRequest open;
  open.mutable_open()->set_driver_id("stuck");

  Stuck riders(services.rider.public_address());
  Stuck rider_peers(services.rider.internal_address());
  Stuck drivers(services.driver.public_address());
  Stuck driver_peers(services.driver.internal_address());
  for (int i = 0; i < 3; ++i) riders.Open(kWatchRide, watch_request.SerializeAsString(), true);
  drivers.Open(kStreamDriver, open.SerializeAsString(), false);
  AwaitGauge(services.rider, "hail_rider_streams{method=\"WatchRide\"}", "4");
  AwaitGauge(services.driver, "hail_driver_streams{method=\"StreamDriver\"}", "2");

  for (ServiceProcess* service : {&services.rider, &services.driver}) {
    const absl::Time began = absl::Now();
    EXPECT_EQ(service->Terminate(absl::Seconds(30)), 0);
    EXPECT_LT(absl::Now() - began, kInTime);
  }
  // A watcher gets `draining`, and reconnects.
  auto draining = idle_rider.Next();
  ASSERT_TRUE(draining && draining->has_draining()) << (draining ? draining->ShortDebugString() : "the end");
  EXPECT_EQ(draining->draining().cursor().sequence(), 1);
  EXPECT_TRUE(idle_rider.Finish().ok());
  idle_driver->Next([](const auto& response) { return response.has_draining(); }, "draining");
  EXPECT_TRUE(idle_driver->AwaitEnd().ok());
  EXPECT_TRUE(riders.AllClosed() && rider_peers.AllClosed() && drivers.AllClosed() && driver_peers.AllClosed());
}

// Callers of every kind of unary method, each following the documented policy, until Stop. Any error that reaches a
// caller fails the test.
class Callers {
 public:
  Callers(const BothServices& services, int count) {
    for (int i = 0; i < count; ++i) {
      threads_.emplace_back([this, i, stub = RiderStub(services.rider)] { Ride(*stub, i); });
      threads_.emplace_back([this, i, stub = DriverStub(services.driver)] { Drive(*stub, i); });
    }
  }
  ~Callers() { Stop(); }

  void Stop() {
    stop_ = true;
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }
  std::int64_t calls() const { return calls_; }
  std::int64_t retries() const { return retries_; }

 private:
  static std::unique_ptr<hail::rider::v1::RiderService::Stub> RiderStub(const ServiceProcess& rider) {
    return hail::rider::v1::RiderService::NewStub(rider.PublicChannel());
  }
  static std::unique_ptr<hail::driver::v1::DriverService::Stub> DriverStub(const ServiceProcess& driver) {
    return hail::driver::v1::DriverService::NewStub(driver.PublicChannel());
  }

  template <typename Response, typename Call>
  Response Must(const char* what, Call call, grpc::StatusCode or_else = grpc::StatusCode::OK) {
    Response response;
    const PatientOutcome outcome =
        CallPatiently([&](grpc::ClientContext* context) { return call(context, &response); });
    EXPECT_TRUE(outcome.status.ok() || outcome.status.error_code() == or_else)
        << what << " after " << outcome.attempts << " attempts: " << outcome.status.error_code() << " "
        << outcome.status.error_message();
    ++calls_;
    retries_ += outcome.attempts - 1;
    return response;
  }

  // Rides in New York: hail-sim's drivers are in San Francisco, so nobody takes these rides.
  template <typename Request>
  static void SetRoute(Request& request) {
    request.mutable_pickup()->mutable_position()->set_latitude_deg(40.7484);
    request.mutable_pickup()->mutable_position()->set_longitude_deg(-73.9857);
    request.mutable_dropoff()->mutable_position()->set_latitude_deg(40.7614);
    request.mutable_dropoff()->mutable_position()->set_longitude_deg(-73.9776);
  }

  void Ride(hail::rider::v1::RiderService::Stub& stub, int number) {
    const std::string rider_id = absl::StrCat("caller-", number);
    for (int round = 0; !stop_; ++round) {
      hail::rider::v1::QuoteRideRequest quote;
      quote.set_rider_id(rider_id);
      SetRoute(quote);
      Must<hail::rider::v1::QuoteRideResponse>(
          "QuoteRide", [&](auto* context, auto* response) { return stub.QuoteRide(context, quote, response); });
      auto request = RiderClient::RideRequest(rider_id, absl::StrCat("request-", round));
      SetRoute(request);
      const std::string ride_id =
          Must<hail::rider::v1::RequestRideResponse>(
              "RequestRide",
              [&](auto* context, auto* response) { return stub.RequestRide(context, request, response); })
              .ride()
              .ride_id();
      hail::rider::v1::GetRideRequest get;
      get.set_rider_id(rider_id);
      get.set_ride_id(ride_id);
      EXPECT_EQ(Must<hail::rider::v1::GetRideResponse>(
                    "GetRide", [&](auto* context, auto* response) { return stub.GetRide(context, get, response); })
                    .ride()
                    .ride_id(),
                ride_id);
      hail::rider::v1::CancelRideRequest cancel;
      cancel.set_rider_id(rider_id);
      cancel.set_ride_id(ride_id);
      cancel.set_reason(hail::type::v1::CANCEL_REASON_CHANGED_PLANS);
      // On a slow machine the ride may have ended unfulfilled before; that answer is valid too.
      Must<hail::rider::v1::CancelRideResponse>(
          "CancelRide", [&](auto* context, auto* response) { return stub.CancelRide(context, cancel, response); },
          grpc::StatusCode::FAILED_PRECONDITION);
    }
  }

  void Drive(hail::driver::v1::DriverService::Stub& stub, int number) {
    const std::string driver_id = absl::StrCat("caller-", number);
    hail::driver::v1::RegisterDriverRequest register_driver;
    register_driver.mutable_driver()->set_driver_id(driver_id);
    register_driver.mutable_driver()->set_display_name("Ada");
    register_driver.mutable_driver()->set_region_id("san_francisco");
    register_driver.mutable_driver()->mutable_vehicle()->set_plate(driver_id);
    register_driver.mutable_driver()->mutable_vehicle()->set_seats(4);
    register_driver.mutable_driver()->add_product_ids("comfort");
    for (std::uint64_t round = 1; !stop_; ++round) {
      Must<hail::driver::v1::RegisterDriverResponse>("RegisterDriver", [&](auto* context, auto* response) {
        return stub.RegisterDriver(context, register_driver, response);
      });
      hail::driver::v1::GetDriverStateRequest get;
      get.set_driver_id(driver_id);
      Must<hail::driver::v1::GetDriverStateResponse>(
          "GetDriverState", [&](auto* context, auto* response) { return stub.GetDriverState(context, get, response); });
      hail::driver::v1::UpdateLocationRequest location;
      location.set_driver_id(driver_id);
      *location.add_positions() = MakePosition(kNearFerryBuilding, round);
      Must<hail::driver::v1::UpdateLocationResponse>("UpdateLocation", [&](auto* context, auto* response) {
        return stub.UpdateLocation(context, location, response);
      });
      hail::driver::v1::SetAvailabilityRequest availability;
      availability.set_driver_id(driver_id);
      availability.set_availability(round % 2 == 0 ? hail::driver::v1::AVAILABILITY_OFFLINE
                                                   : hail::driver::v1::AVAILABILITY_ONLINE);
      Must<hail::driver::v1::SetAvailabilityResponse>("SetAvailability", [&](auto* context, auto* response) {
        return stub.SetAvailability(context, availability, response);
      });
      hail::driver::v1::ListTripsRequest list;
      list.set_driver_id(driver_id);
      Must<hail::driver::v1::ListTripsResponse>(
          "ListTrips", [&](auto* context, auto* response) { return stub.ListTrips(context, list, response); });
    }
  }

  std::atomic<bool> stop_ = false;
  std::atomic<std::int64_t> calls_ = 0;
  std::atomic<std::int64_t> retries_ = 0;
  std::vector<std::thread> threads_;
};

TEST(Drain, RestartsInARowUnderLoadAreNoticedByNobody) {
  // Three of each service; on a slow machine the city may end after two.
  constexpr int kRestarts = 6;
  constexpr int kEnoughRestarts = 4;
  constexpr absl::Duration kCityLimit = absl::Seconds(110);
  constexpr int kSpeed = 30;
  const double now = absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch());
  // A Thursday evening in San Francisco, 18:00 there.
  const std::string anchor = absl::StrFormat("%.3f:1211504400", now);
  const std::map<std::string, std::string> settings = {{"time_scale", absl::StrCat(kSpeed)},
                                                       {"time_anchor", anchor},
                                                       {"shutdown.notice", "200ms"},
                                                       {"shutdown.grace", "5s"},
                                                       {"log.level", "warn"}};
  BothServices services(settings, settings);
  TempDir dir;
  const std::string ledger = dir.path() + "/ledger";
  const std::string report_file = dir.path() + "/report.json";
  Callers callers(services, 2);

  Ran sim;
  std::atomic<bool> sim_over = false;
  std::thread city([&] {
    sim = RunProgram("hail-sim",
                     {"--rider", services.rider.public_address(), "--driver", services.driver.public_address(),
                      "--speed", absl::StrCat(kSpeed), "--anchor", anchor, "--rides", "100", "--drivers", "120",
                      "--length", "10", "--ledger", ledger, "--report", report_file, "--no-progress"},
                     {}, kCityLimit);
    sim_over = true;
  });
  int restarts = 0;
  absl::Duration longest;
  while (!sim_over && restarts < kRestarts) {
    ServiceProcess& service = restarts % 2 == 0 ? services.rider : services.driver;
    const absl::Time began = absl::Now();
    EXPECT_EQ(service.Terminate(), 0);
    longest = std::max(longest, absl::Now() - began);
    if (!service.Start()) break;
    ++restarts;
    // The load goes on for a while on the new process: the test covers the time after the restart, too.
    const std::int64_t before = callers.calls();
    while (!sim_over && callers.calls() < before + 100) absl::SleepFor(absl::Milliseconds(20));
  }
  city.join();
  callers.Stop();
  EXPECT_EQ(sim.exit_code, 0) << sim.out << sim.err;
  EXPECT_GE(restarts, kEnoughRestarts) << "the city was quiet before that";
  EXPECT_GT(callers.retries(), 0) << "nobody was ever turned away: nothing was tested";
  EXPECT_LT(longest, absl::Milliseconds(5200) + kBeyondGrace);
  for (ServiceProcess* service : {&services.rider, &services.driver}) EXPECT_EQ(service->Terminate(), 0);

  const Ran check = RunProgram("hail-check", {ledger, "--rider-db", services.rider.data_dir() + "/rider.db",
                                              "--driver-db", services.driver.data_dir() + "/driver.db"});
  EXPECT_EQ(check.exit_code, 0) << check.out << check.err << sim.out;
  const nlohmann::json report = nlohmann::json::parse(ReadFile(report_file));
  EXPECT_GT(report.at("counts").value("drained_streams", 0), 0) << report.dump(2);
  RecordProperty("restarts", restarts);
  RecordProperty("calls", static_cast<int>(callers.calls()));
  RecordProperty("retries", static_cast<int>(callers.retries()));
}

// Connections and streams have a maximum age, so that new replicas get their share.
TEST(Drain, WhatIsOldIsToldToGoAndNoCallIsLost) {
  ServiceProcess rider("rider-service", {{"connection.age", "1s"}});
  ASSERT_TRUE(rider.Start());
  const auto soon = [] { return absl::ToChronoTime(absl::Now() + absl::Seconds(20)); };
  const auto idle = rider.PublicChannel();
  ASSERT_TRUE(idle->WaitForConnected(soon()));
  RiderClient client(rider);
  const std::string ride_id = client.MustRequest("ann").ride_id();
  std::atomic<bool> drained = false;
  std::thread watching([&] {
    Watch watch(client.rides(), "ann", ride_id);
    EXPECT_TRUE(watch.Next()->has_snapshot());
    const auto last = watch.Next();
    EXPECT_TRUE(last && last->has_draining());
    EXPECT_TRUE(watch.Finish().ok());
    drained = true;
  });
  while (!drained) {
    const auto got = client.Get("ann", ride_id);
    EXPECT_TRUE(got.ok()) << got.status.error_message();
  }
  watching.join();
  EXPECT_TRUE(idle->WaitForStateChange(GRPC_CHANNEL_READY, soon()));
  Watch again(client.rides(), "ann", ride_id, 1);
  EXPECT_TRUE(again.Next()->has_caught_up());
}

}  // namespace
}  // namespace hail::testing
