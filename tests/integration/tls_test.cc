// Both services with TLS: a ride, new certificates while streams are open, damaged ones, and everybody who must be
// refused.
#include <openssl/ssl.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "hail/internal/v1/assignment_service.grpc.pb.h"
#include "nlohmann/json.hpp"
#include "tests/integration/driver_app.h"
#include "tests/integration/health.h"
#include "tests/integration/process.h"
#include "tests/integration/rider_fixture.h"
#include "tests/integration/tls_folder.h"
#include "tests/integration/tls_probe.h"
#include "tests/integration/trip_steps.h"

namespace hail::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Longer than any step takes: only a hang lasts that long.
constexpr absl::Duration kPatience = absl::Seconds(30);

template <typename Holds>
bool Await(Holds holds) {
  for (const absl::Time limit = absl::Now() + kPatience; !holds();) {
    if (absl::Now() > limit) return false;
    absl::SleepFor(absl::Milliseconds(20));
  }
  return true;
}

std::vector<nlohmann::json> LogLines(const ServiceProcess& service, const std::string& event) {
  std::vector<nlohmann::json> found;
  std::istringstream lines(service.Log());
  for (std::string line; std::getline(lines, line);) {
    nlohmann::json parsed = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (parsed.is_object() && parsed.value("event", "") == event) found.push_back(std::move(parsed));
  }
  return found;
}

std::string Metric(const ServiceProcess& service, const std::string& series) {
  const std::string page = HttpGet(service.metrics_address(), "/metrics");
  const std::size_t at = page.find("\n" + series + " ");
  if (at == std::string::npos) return "";
  const std::size_t value = at + series.size() + 2;
  return page.substr(value, page.find('\n', value) - value);
}

class Tls : public ::testing::Test {
 protected:
  Tls()
      : services_(folder_.Settings("rider-service", "driver-service"),
                  folder_.Settings("driver-service", "rider-service")) {
    services_.rider.UseCredentials(folder_.Credentials("edge", "rider-service"),
                                   folder_.Credentials("driver-service", "rider-service"));
    services_.driver.UseCredentials(folder_.Credentials("edge", "driver-service"),
                                    folder_.Credentials("rider-service", "driver-service"));
  }
  void SetUp() override { ASSERT_TRUE(services_.rider.running() && services_.driver.running()); }

  // What `name` shows, if the city's authority signs it.
  tls::IdentityPem As(const std::string& name) const { return folder_.authority().Identity(TestNames(name)); }
  ProbeResult ProbePublic(const Probe& probe) const { return ProbeTls(services_.rider.public_address(), probe); }
  ProbeResult ProbeInternal(const Probe& probe) const { return ProbeTls(services_.rider.internal_address(), probe); }

  TlsFolder folder_;
  BothServices services_;
};

TEST_F(Tls, ARideGoesThroughBothServices) {
  const auto driver = NewDriver(services_.driver, "driver-1");
  driver->GoAvailable(kNearFerryBuilding);
  RiderClient client(services_.rider);
  const auto requested = client.MustRequest("ann");
  const auto ride = Accept(*driver);
  EXPECT_EQ(ride.ride_id(), requested.ride_id());
  for (const auto& step : {Seen, Arrive, Start, Complete}) Advance(*driver, ride, step);
  EXPECT_THAT(SequencesAfter(services_.rider, "ann", ride.ride_id(), 0), ::testing::ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_TRUE(Serving(services_.rider));
  for (ServiceProcess* service : {&services_.rider, &services_.driver}) EXPECT_EQ(service->Terminate(), 0);
}

TEST_F(Tls, NewCertificatesAreUsedAndNoStreamEnds) {
  RiderClient client(services_.rider);
  const std::string ride_id = client.MustRequest("ann").ride_id();
  Watch watch(client.rides(), "ann", ride_id);
  ASSERT_TRUE(watch.Next()->has_snapshot());
  const auto driver = NewDriver(services_.driver, "driver-1");
  driver->Open();
  const Probe edge{.shows = As("edge")};
  const std::string first = ProbePublic(edge).serial;
  ASSERT_NE(first, "");

  // Another authority, step by step: first both vouch, then the new one signs, then the old one is gone.
  const std::string old_ca = folder_.authority().ca();
  auto next = std::make_unique<TestAuthority>("next");
  for (const char* name : {"rider-service", "driver-service", "edge"}) folder_.Renew(name, next->ca());
  const auto reloads = [&](std::size_t count) {
    return Await([&] {
      return LogLines(services_.rider, "tls_reloaded").size() >= count &&
             LogLines(services_.driver, "tls_reloaded").size() >= count;
    });
  };
  ASSERT_TRUE(reloads(1));
  folder_.SetAuthority(std::move(next));
  std::string serial;
  for (const char* name : {"rider-service", "driver-service", "edge"}) folder_.Renew(name, old_ca);
  ASSERT_TRUE(reloads(2));
  const auto newest = LogLines(services_.rider, "tls_reloaded").back();
  EXPECT_EQ(newest.value("names", ""), "spiffe://hail/rider-service, rider-service");
  EXPECT_TRUE(Await([&] { return LogLines(services_.rider, "certificate_loaded").size() == 3; }));
  const auto audited = LogLines(services_.rider, "certificate_loaded").back();
  EXPECT_EQ(audited.value("log", ""), "audit");
  EXPECT_EQ(audited.value("serial", ""), newest.value("serial", ""));
  EXPECT_TRUE(Await([&] { return ProbePublic(edge).serial == newest.value("serial", ""); }));
  EXPECT_TRUE(ProbePublic(edge).served) << "the old authority still vouches";
  for (const char* name : {"rider-service", "driver-service", "edge"}) folder_.Renew(name);
  ASSERT_TRUE(reloads(3));
  EXPECT_TRUE(Await([&] { return !ProbePublic(edge).served; }));
  EXPECT_TRUE(ProbePublic({.shows = As("edge")}).served);
  EXPECT_GT(std::stod(Metric(services_.rider, "hail_rider_tls_certificate_expires_seconds")),
            absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch()) + 3600);
  EXPECT_EQ(Metric(services_.rider, "hail_rider_tls_reloads_total{result=\"ok\"}"), "3");

  // The streams of before: the ride is offered over the link of before, and the watch sees it.
  driver->SendPosition(kNearFerryBuilding);
  driver->SetAvailability(hail::driver::v1::AVAILABILITY_ONLINE);
  const auto ride = Accept(*driver);
  EXPECT_EQ(ride.ride_id(), ride_id);
  const auto update = watch.Next();
  ASSERT_TRUE(update && update->has_event()) << (update ? update->ShortDebugString() : "the stream ended");
  EXPECT_EQ(update->event().type(), hail::type::v1::RIDE_EVENT_TYPE_ASSIGNED);
  // The link has new certificates, too, once it is made anew.
  services_.driver.Kill();
  ASSERT_TRUE(services_.driver.Start());
  services_.driver.UseCredentials(folder_.Credentials("edge", "driver-service"), nullptr);
  DriverApp again(services_.driver.PublicChannel(), "driver-1");
  again.set_patience(kPatience);
  again.Resume(ride_id, 2);
  Advance(again, ride, Arrive, kPatience);
}

// The settings that both services of a city at this speed need.
std::map<std::string, std::string> AtSpeed(double speed, const std::string& anchor,
                                           std::map<std::string, std::string> settings) {
  settings["time_scale"] = absl::StrCat(speed);
  settings["time_anchor"] = anchor;
  return settings;
}

TEST(TlsCity, NewCertificatesUnderACityLoseNothing) {
  constexpr double kSpeed = 40;
  const std::string now = absl::StrCat(absl::ToUnixSeconds(absl::Now()));
  const std::string anchor = now + ":" + now;
  TlsFolder folder;
  BothServices services(AtSpeed(kSpeed, anchor, folder.Settings("rider-service", "driver-service")),
                        AtSpeed(kSpeed, anchor, folder.Settings("driver-service", "rider-service")));
  ASSERT_TRUE(services.rider.running() && services.driver.running());
  folder.Credentials("edge", "rider-service");
  const tls::IdentityFiles edge = folder.files("edge");
  TempDir dir;
  const std::string ledger = dir.path() + "/ledger";
  Ran sim;
  std::atomic<bool> over = false;
  std::thread city([&] {
    sim = RunProgram("hail-sim", {"--rider",           services.rider.public_address(),
                                  "--driver",          services.driver.public_address(),
                                  "--tls-ca",          edge.ca,
                                  "--tls-certificate", edge.certificate,
                                  "--tls-key",         edge.key,
                                  "--speed",           absl::StrCat(kSpeed),
                                  "--anchor",          anchor,
                                  "--rides",           "60",
                                  "--drivers",         "80",
                                  "--length",          "10",
                                  "--disconnect",      "0.5",
                                  "--ledger",          ledger,
                                  "--no-progress"},
                     {}, absl::Minutes(4));
    over = true;
  });
  // Each round is another authority: both vouch, the new one signs, the old one goes. The city reconnects all the time.
  int rounds = 0;
  const char* const parties[] = {"rider-service", "driver-service", "edge"};
  const auto loaded = [&](std::size_t before) {
    return Await([&] {
      return over || (LogLines(services.rider, "tls_reloaded").size() > before &&
                      LogLines(services.driver, "tls_reloaded").size() > before);
    });
  };
  while (!over) {
    const std::string old_ca = folder.authority().ca();
    auto next = std::make_unique<TestAuthority>(absl::StrCat("authority ", ++rounds));
    const auto renew = [&](const std::string& more) {
      const std::size_t before = LogLines(services.rider, "tls_reloaded").size();
      for (const char* party : parties) folder.Renew(party, more);
      EXPECT_TRUE(loaded(before));
      // Every program has read its files again, hail-sim too: gRPC does each second.
      absl::SleepFor(absl::Seconds(2));
    };
    renew(next->ca());
    folder.SetAuthority(std::move(next));
    renew(old_ca);
    renew("");
  }
  city.join();
  EXPECT_EQ(sim.exit_code, 0) << sim.out << sim.err;
  EXPECT_GE(rounds, 2) << "the city was over before anything changed";
  const Ran check = RunProgram("hail-check", {ledger, "--rider-db", services.rider.data_dir() + "/rider.db",
                                              "--driver-db", services.driver.data_dir() + "/driver.db"});
  EXPECT_EQ(check.exit_code, 0) << check.out << check.err << sim.out;
  EXPECT_TRUE(LogLines(services.rider, "tls_not_reloaded").empty());
  RecordProperty("rounds", rounds);
}

TEST_F(Tls, DamagedFilesChangeNothingAndAreShownUntilMended) {
  const tls::IdentityFiles files = folder_.files("rider-service");
  const Probe edge{.shows = As("edge")};
  const std::string serial = ProbePublic(edge).serial;
  const std::string good_key = ReadFile(files.key);
  const std::string good_certificate = ReadFile(files.certificate);
  const std::string bad = "hail_rider_tls_files_bad";
  EXPECT_EQ(Metric(services_.rider, bad), "0");

  // A key that is not the certificate's.
  std::ofstream(files.key) << As("rider-service").key;
  ASSERT_TRUE(Await([&] { return Metric(services_.rider, bad) == "1"; }));
  ASSERT_TRUE(Await([&] { return LogLines(services_.rider, "tls_not_reloaded").size() == 1; }));
  EXPECT_THAT(LogLines(services_.rider, "tls_not_reloaded").back().value("problems", ""),
              AllOf(HasSubstr("rider-service.key: is not the key of"), Not(HasSubstr("PRIVATE"))));
  EXPECT_TRUE(Await([&] { return LogLines(services_.rider, "certificate_not_loaded").size() == 1; }));
  // gRPC reads its files each second: longer than that.
  for (const absl::Time until = absl::Now() + absl::Seconds(3); absl::Now() < until;) {
    const ProbeResult result = ProbePublic(edge);
    ASSERT_TRUE(result.served);
    ASSERT_EQ(result.serial, serial);
  }
  EXPECT_TRUE(Serving(services_.rider));
  // Garbage, and nothing.
  std::ofstream(files.certificate) << "nonsense";
  ASSERT_TRUE(Await([&] { return LogLines(services_.rider, "tls_not_reloaded").size() == 2; }));
  std::filesystem::remove(files.ca);
  ASSERT_TRUE(Await([&] { return LogLines(services_.rider, "tls_not_reloaded").size() == 3; }));
  EXPECT_THAT(LogLines(services_.rider, "tls_not_reloaded").back().value("problems", ""), HasSubstr("cannot be read"));
  EXPECT_EQ(ProbePublic(edge).serial, serial);
  EXPECT_EQ(Metric(services_.rider, "hail_rider_tls_reloads_total{result=\"failed\"}"), "3");

  std::ofstream(files.key) << good_key;
  std::ofstream(files.certificate) << good_certificate;
  std::ofstream(files.ca) << folder_.authority().ca();
  EXPECT_TRUE(Await([&] { return Metric(services_.rider, bad) == "0"; }));
  EXPECT_TRUE(ProbePublic(edge).served);
}

TEST_F(Tls, WhoIsNotNamedIsServedNothing) {
  const TestAuthority& authority = folder_.authority();
  EXPECT_TRUE(ProbePublic({.shows = As("edge")}).served);
  EXPECT_TRUE(ProbeInternal({.shows = As("driver-service")}).served);
  EXPECT_TRUE(ProbeInternal({.shows = As("operator")}).served);

  const auto named = [&](const std::string& names) { return Probe{.shows = authority.Identity(names)}; };
  // Right names at the wrong listener, and rider-service at its own.
  for (const char* name : {"driver-service", "operator", "rider-service"}) {
    EXPECT_FALSE(ProbePublic({.shows = As(name)}).served) << name;
  }
  for (const char* name : {"edge", "rider-service"}) EXPECT_FALSE(ProbeInternal({.shows = As(name)}).served) << name;
  // Names that resemble an edge's.
  for (const char* names : {"URI:spiffe://evil/edge", "URI:spiffe://hail/edge/", "URI:spiffe://hail/Edge", "DNS:edge",
                            "DNS:*.hail,DNS:*", "URI:spiffe://hail/*", "IP:127.0.0.1", "email:spiffe@hail"}) {
    EXPECT_FALSE(ProbePublic(named(names)).served) << names;
  }
  // The right name as the common name.
  const TestCertificate by_name = authority.Sign({.common_name = "spiffe://hail/edge"});
  EXPECT_FALSE(ProbePublic({.shows = {by_name.certificate(), by_name.key(), ""}}).served);
  // Signed by somebody else, or by itself; not valid any more, or not yet.
  EXPECT_FALSE(ProbePublic({.shows = TestAuthority("Hail test").Identity(TestNames("edge"))}).served);
  const TestCertificate itself({.names = TestNames("edge")});
  EXPECT_FALSE(ProbePublic({.shows = {itself.certificate(), itself.key(), ""}}).served);
  const TestCertificate past =
      authority.Sign({.names = TestNames("edge"), .not_after = absl::Now() - absl::Minutes(1)});
  EXPECT_FALSE(ProbePublic({.shows = {past.certificate(), past.key(), ""}}).served);
  const TestCertificate future =
      authority.Sign({.names = TestNames("edge"), .not_before = absl::Now() + absl::Hours(1)});
  EXPECT_FALSE(ProbePublic({.shows = {future.certificate(), future.key(), ""}}).served);
  // For servers alone.
  const TestCertificate server = authority.Sign({.names = TestNames("edge"), .purposes = "serverAuth"});
  EXPECT_FALSE(ProbePublic({.shows = {server.certificate(), server.key(), ""}}).served);
  // No certificate at all.
  EXPECT_FALSE(ProbePublic({}).served);
  EXPECT_TRUE(ProbePublic({.shows = As("edge")}).served);
}

TEST_F(Tls, TheNameSaysWhichMethodsOfTheInternalListener) {
  const auto as = [&](const std::string& name) {
    return hail::internal::v1::AssignmentService::NewStub(
        MakeTestChannel(services_.rider.internal_address(), folder_.Credentials(name, "rider-service")));
  };
  const auto outcome = [](const grpc::Status& status) {
    return status.error_code() == grpc::StatusCode::PERMISSION_DENIED ? ErrorOf(status).reason
                                                                      : std::to_string(status.error_code());
  };
  const auto confirm = [&](const std::string& name) {
    hail::internal::v1::ConfirmAssignmentRequest request;
    request.set_ride_id("none");
    hail::internal::v1::ConfirmAssignmentResponse response;
    return outcome(as(name)->ConfirmAssignment(PatientContext().get(), request, &response));
  };
  const auto resolve = [&](const std::string& name) {
    hail::internal::v1::GetRideRequest request;
    request.set_ride_id("none");
    hail::internal::v1::GetRideResponse response;
    return outcome(as(name)->GetRide(PatientContext().get(), request, &response));
  };
  EXPECT_EQ(confirm("operator"), "ROLE_NOT_ALLOWED");
  EXPECT_EQ(resolve("driver-service"), "ROLE_NOT_ALLOWED");
  EXPECT_THAT(confirm("driver-service"), Not(HasSubstr("ALLOWED")));
  EXPECT_EQ(resolve("operator"), std::to_string(grpc::StatusCode::NOT_FOUND));
}

TEST_F(Tls, OldVersionsAndOtherProtocolsAreRefused) {
  const tls::IdentityPem edge = As("edge");
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    EXPECT_FALSE(ProbePublic({.shows = edge, .version = version}).served) << version;
  }
  EXPECT_EQ(ProbePublic({.shows = edge, .version = TLS1_2_VERSION}).version, "TLSv1.2");
  EXPECT_TRUE(ProbePublic({.shows = edge, .version = TLS1_2_VERSION}).served);
  EXPECT_EQ(ProbePublic({.shows = edge}).version, "TLSv1.3");
  EXPECT_FALSE(ProbePublic({.shows = edge, .alpn = false}).served);
  // Plaintext: on the health address alone, and health alone.
  for (ServiceProcess* service : {&services_.rider, &services_.driver}) {
    service->UseCredentials(nullptr, nullptr);
    EXPECT_EQ(HealthOf(*service), Health::kNone);
    EXPECT_EQ(HealthAt(service->health_address()), Health::kServing);
  }
}

TEST_F(Tls, HalfHandshakesBlockNobody) {
  std::vector<HalfHandshake> halves;
  for (int i = 0; i < 400; ++i) {
    for (const std::string& address : {services_.rider.public_address(), services_.rider.internal_address()}) {
      // From a connection that says nothing to a whole hello whose answer nobody takes.
      halves.emplace_back(address, i % 4 * 100);
      ASSERT_TRUE(halves.back().connected());
    }
  }
  std::vector<absl::Duration> times;
  const Probe edge{.shows = As("edge")};
  for (int i = 0; i < 50; ++i) {
    const absl::Time began = absl::Now();
    ASSERT_TRUE(ProbePublic(edge).served);
    times.push_back(absl::Now() - began);
  }
  std::sort(times.begin(), times.end());
  EXPECT_LT(times[times.size() / 2], absl::Milliseconds(500));
  EXPECT_LT(times.back(), absl::Seconds(2));
  RiderClient client(services_.rider);
  client.MustRequest("ann");
}

TEST_F(Tls, TheLinkNeedsTheRightNameOnBothSides) {
  const std::string link = "hail_rider_dispatch_link_up";
  ASSERT_TRUE(Await([&] { return Metric(services_.rider, link) == "1"; }));
  // rider-service looks for another name in driver-service's certificate.
  services_.rider.Kill();
  services_.rider.Set("tls.peers", "spiffe://hail/another");
  ASSERT_TRUE(services_.rider.Start());
  services_.driver.Kill();
  ASSERT_TRUE(services_.driver.Start());
  // The client's side refuses, though driver-service would serve it; it says whom it met.
  ASSERT_TRUE(Await([&] { return !LogLines(services_.rider, "tls_peer_refused").empty(); }));
  EXPECT_EQ(LogLines(services_.rider, "tls_peer_refused").back().value("uris", ""), "spiffe://hail/driver-service");
  EXPECT_EQ(Metric(services_.rider, link), "0");
  services_.rider.Kill();
  services_.rider.Set("tls.peers", "driver-service");
  ASSERT_TRUE(services_.rider.Start());
  EXPECT_TRUE(Await([&] { return Metric(services_.rider, link) == "1"; }));
}

class TlsSettings : public ::testing::Test {
 protected:
  // The exit code and standard error of rider-service with changed settings; it must end by itself.
  Ran StartWith(const std::map<std::string, std::string>& changes) {
    std::map<std::string, std::string> settings = folder_.Settings("rider-service", "driver-service");
    for (const auto& [key, value] : changes) settings[key] = value;
    settings["data_dir"] = dir_.path();
    std::vector<std::string> args;
    for (const auto& [key, value] : settings) {
      args.insert(args.end(), {"--set", absl::StrCat(key, "=", value)});
    }
    return RunProgram("rider-service", args);
  }

  TlsFolder folder_;
  TempDir dir_;
};

TEST_F(TlsSettings, BadFilesEndTheStartAndAllAreListed) {
  folder_.Renew("other");
  const Ran ran = StartWith({{"tls.key", folder_.files("other").key}});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, HasSubstr("other.key: is not the key of"));
  const Ran missing = StartWith({{"tls.key", "/none/key"}, {"tls.ca", "/none/ca"}});
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_THAT(missing.err, AllOf(HasSubstr("/none/key: cannot be read"), HasSubstr("/none/ca: cannot be read")));
}

TEST_F(TlsSettings, HalfASetOfKeysEndsTheStart) {
  EXPECT_THAT(StartWith({{"tls.key", ""}}).err, HasSubstr("tls.key is missing"));
  EXPECT_THAT(StartWith({{"tls.peers", ""}}).err, HasSubstr("tls.peers is missing"));
  EXPECT_THAT(StartWith({{"tls.edges", "*.hail"}}).err, HasSubstr("wildcard"));
  EXPECT_THAT(StartWith({{"tls.edges", ""}, {"listen", "0.0.0.0:0"}}).err, HasSubstr("tls.edges is missing"));
  EXPECT_THAT(StartWith({{"tls.operators", "spiffe://hail/driver-service"}}).err, HasSubstr("both have"));
  EXPECT_THAT(StartWith({{"health_listen", "0.0.0.0:50071"}}).err, HasSubstr("must be an address of this machine"));
  EXPECT_THAT(StartWith({{"tls.certificate", ""}, {"tls.key", ""}, {"tls.ca", ""}}).err,
              AllOf(HasSubstr("tls.edges needs"), HasSubstr("tls.peers needs"), HasSubstr("tls.operators needs")));
}

}  // namespace
}  // namespace hail::testing
