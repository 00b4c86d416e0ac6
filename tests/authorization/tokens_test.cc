// Both services as they run, with tokens: who may do what, and what happens when a token ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "driver-service/api/driver_service.h"
#include "rider-service/api/rider_service.h"
#include "tests/authorization/matrix.h"
#include "tests/authorization/token_issuer.h"
#include "tests/authorization/wire_call.h"
#include "tests/integration/driver_app.h"
#include "tests/integration/process.h"
#include "tests/integration/rider_fixture.h"
#include "tests/integration/trip_steps.h"

namespace hail::authorization {
namespace {

using hail::testing::Accept;
using hail::testing::Advance;
using hail::testing::BothServices;
using hail::testing::DriverApp;
using hail::testing::ErrorOf;
using hail::testing::PatientContext;
using hail::testing::RiderClient;
using hail::testing::ServiceProcess;
using hail::testing::Watch;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kRiders[] = "hail-rider";
constexpr char kDrivers[] = "hail-driver";

// The claims of a caller of that kind of the matrix, which can act for some person.
json ClaimsOf(const std::string& kind, Whose whose) {
  const std::string person = whose == Whose::kMine ? kPerson : "eve";
  const std::string ride = whose == Whose::kMine ? kRide : "ride-2";
  if (kind == "rider, one ride") {
    return {{"role", "rider"}, {"sub", kPerson}, {"authorization", {{"rider_id", kPerson}, {"ride_id", ride}}}};
  }
  if (kind == "viewer") return {{"role", kind}, {"sub", "a-friend"}, {"authorization", {{"ride_id", ride}}}};
  if (kind == "server" || kind == "operator") {
    const std::string all = whose == Whose::kMine ? "*" : person;
    return {{"role", kind}, {"sub", "somebody"}, {"authorization", {{"rider_id", all}, {"driver_id", all}}}};
  }
  return {{"role", kind}, {"sub", person}};
}

// "OK" for a call that has reached the service, whatever that answers.
std::string Passed(const absl::Status& status) {
  return absl::IsUnauthenticated(status) || absl::IsPermissionDenied(status) ? Outcome(status) : "OK";
}

class Tokens : public ::testing::Test {
 protected:
  explicit Tokens(const std::map<std::string, std::string>& more = {}) : services_(With(more), With(more)) {}
  void SetUp() override { ASSERT_TRUE(services_.rider.running() && services_.driver.running()); }

  // One person makes more calls here than the limits allow.
  std::map<std::string, std::string> With(std::map<std::string, std::string> more) const {
    for (const char* rate :
         {"read", "write", "request_ride", "quote_ride", "nearby_cars", "register_driver", "address"}) {
      more[absl::StrCat("limits.", rate)] = "off";
    }
    more.merge(std::map<std::string, std::string>(
        {{"limits.subject_share", "1"}, {"limits.address_share", "1"}, {"limits.streams_per_subject", "1000"}}));
    more.merge(issuer_.Settings());
    return more;
  }
  std::string RiderToken(const std::string& rider_id) const {
    return issuer_.Token(kRiders, {{"role", "rider"}, {"sub", rider_id}});
  }
  std::string DriverToken(const std::string& driver_id) const {
    return issuer_.Token(kDrivers, {{"role", "driver"}, {"sub", driver_id}});
  }
  std::shared_ptr<grpc::Channel> RiderChannel(std::shared_ptr<HeldToken> token) const {
    return ChannelWith(services_.rider.public_address(), std::move(token));
  }
  std::shared_ptr<grpc::Channel> DriverChannel(std::shared_ptr<HeldToken> token) const {
    return ChannelWith(services_.driver.public_address(), std::move(token));
  }
  // An app with `token`, of a driver whom the operator has registered.
  std::unique_ptr<DriverApp> NewDriver(const std::string& driver_id, std::shared_ptr<HeldToken> token) const {
    const json server = {{"role", "server"}, {"sub", "backend"}, {"authorization", {{"driver_id", "*"}}}};
    DriverApp operators(DriverChannel(std::make_shared<HeldToken>(issuer_.Token(kDrivers, server))), driver_id);
    const grpc::Status registered = operators.Register();
    EXPECT_TRUE(registered.ok()) << registered.error_message();
    return std::make_unique<DriverApp>(DriverChannel(std::move(token)), driver_id);
  }

  template <typename S>
  void ExpectTheMatrix(const ServiceProcess& service, const std::string& audience) {
    grpc::GenericStub stub(service.PublicChannel());
    const auto check = [&]<typename Row>(const Row& row) {
      typename Row::Request request;
      Name(&request);
      const auto outcome = [&](const std::vector<std::string>& authorization) {
        WireCall call(&stub, absl::StrCat("/", S::kName, "/", row.name), request.SerializeAsString(), authorization);
        return Passed(call.Await());
      };
      EXPECT_EQ(outcome({}), Expected(row, auth::Caller())) << row.name << " without a token";
      for (const std::string kind : {"rider", "rider, one ride", "viewer", "driver", "server", "operator"}) {
        for (const Whose whose : {Whose::kMine, Whose::kAnother}) {
          const std::string token = absl::StrCat("Bearer ", issuer_.Token(audience, ClaimsOf(kind, whose)));
          EXPECT_EQ(outcome({token}), Expected(row, CallerOf(kind, whose)))
              << row.name << " of " << kind << " " << static_cast<int>(whose);
        }
      }
      // Two headers: neither counts, on no method.
      const std::string good = absl::StrCat("Bearer ", issuer_.Token(audience, ClaimsOf("server", Whose::kMine)));
      EXPECT_EQ(outcome({good, good}), "TOKEN_INVALID") << row.name;
      const std::string other = audience == kRiders ? kDrivers : kRiders;
      EXPECT_EQ(outcome({absl::StrCat("Bearer ", issuer_.Token(other, ClaimsOf("server", Whose::kMine)))}),
                "TOKEN_INVALID")
          << row.name << " with the other service's token";
    };
    std::apply([&](const auto&... rows) { (check(rows), ...); }, S::Methods());
  }

  const TokenIssuer issuer_;
  BothServices services_;
};

TEST_F(Tokens, EachCallIsAnsweredAsTheTableSays) {
  ExpectTheMatrix<rider::RiderService>(services_.rider, kRiders);
  ExpectTheMatrix<driver::DriverService>(services_.driver, kDrivers);
}

TEST_F(Tokens, CallsOfManyPeopleOnOneConnectionAreAnsweredEachAsItsOwn) {
  const auto channel = services_.rider.PublicChannel();
  std::vector<std::thread> people;
  for (int person = 0; person < 8; ++person) {
    people.emplace_back([&, person] {
      const auto stub = hail::rider::v1::RiderService::NewStub(channel);
      const std::string me = absl::StrCat("rider-", person);
      const std::string token = absl::StrCat("Bearer ", RiderToken(me));
      for (int i = 0; i < 100; ++i) {
        const bool own = i % 3 != 0;
        hail::rider::v1::GetActiveRideRequest request;
        request.set_rider_id(own ? me : absl::StrCat("rider-", (person + 1 + i % 7) % 8));
        const auto context = PatientContext();
        context->AddMetadata("authorization", token);
        hail::rider::v1::GetActiveRideResponse response;
        const grpc::Status status = stub->GetActiveRide(context.get(), request, &response);
        EXPECT_EQ(own ? "" : "IDENTITY_MISMATCH", status.ok() ? "" : ErrorOf(status).reason);
      }
    });
  }
  for (std::thread& person : people) person.join();
}

TEST_F(Tokens, ACommandOfAStreamIsItsDrivers) {
  const auto token = std::make_shared<HeldToken>(DriverToken("d1"));
  const auto app = NewDriver("d1", token);
  app->GoAvailable(hail::testing::kNearFerryBuilding);
  DriverApp::Request command;
  command.mutable_set_availability()->set_driver_id("d2");
  command.mutable_set_availability()->set_availability(hail::driver::v1::AVAILABILITY_OFFLINE);
  EXPECT_EQ(app->Command(command).status().code(), static_cast<int>(grpc::StatusCode::PERMISSION_DENIED));

  // Not even one who may act for both.
  token->Set(
      issuer_.Token(kDrivers, {{"role", "server"}, {"sub", "backend"}, {"authorization", {{"driver_id", "*"}}}}));
  app->Open();
  EXPECT_EQ(app->Command(command).status().code(), static_cast<int>(grpc::StatusCode::PERMISSION_DENIED));

  DriverApp thief(DriverChannel(std::make_shared<HeldToken>(DriverToken("d2"))), "d1");
  thief.Open();
  EXPECT_EQ(ErrorOf(thief.AwaitEnd()).reason, "IDENTITY_MISMATCH");
}

// Both apps' tokens end while the ride is under way: it costs each a reconnect.
TEST_F(Tokens, ARideOutlivesTheTokensOfItsPeople) {
  // The streams are drained 30 s before.
  const absl::Time expires = absl::Now() + absl::Seconds(50);
  const auto rider_token =
      std::make_shared<HeldToken>(issuer_.TokenUntil(expires, kRiders, {{"role", "rider"}, {"sub", "ann"}}));
  const auto driver_token =
      std::make_shared<HeldToken>(issuer_.TokenUntil(expires, kDrivers, {{"role", "driver"}, {"sub", "d1"}}));
  const auto driver = NewDriver("d1", driver_token);
  driver->set_patience(absl::Seconds(60));
  driver->GoAvailable(hail::testing::kNearFerryBuilding);
  const auto stub = hail::rider::v1::RiderService::NewStub(RiderChannel(rider_token));
  hail::rider::v1::RequestRideResponse requested;
  ASSERT_TRUE(stub->RequestRide(PatientContext().get(), RiderClient::RideRequest("ann", "request-1"), &requested).ok());
  const std::string ride_id = requested.ride().ride_id();
  Watch watch(*stub, "ann", ride_id);
  const auto ride = Accept(*driver);

  // Each stream ends by itself, without an error.
  const auto farewell = driver->Next([](const auto& response) { return response.has_draining(); }, "draining");
  EXPECT_EQ(farewell.draining().cursor().ride_id(), ride_id);
  EXPECT_TRUE(driver->AwaitEnd().ok());
  std::int64_t sequence = 0;
  bool drained = false;
  for (auto update = watch.Next(); update; update = watch.Next()) {
    if (update->has_snapshot()) sequence = update->snapshot().sequence();
    if (update->has_event()) sequence = update->event().sequence();
    if (!update->has_draining()) continue;
    drained = true;
    EXPECT_EQ(update->draining().cursor().sequence(), sequence);
  }
  EXPECT_TRUE(watch.Finish().ok());
  EXPECT_TRUE(drained);
  EXPECT_LT(absl::Now(), expires);

  rider_token->Set(RiderToken("ann"));
  driver_token->Set(DriverToken("d1"));
  driver->Resume(ride_id, farewell.draining().cursor().sequence());
  Watch resumed(*stub, "ann", ride_id, sequence);
  for (const auto& step : {hail::testing::Seen, hail::testing::Arrive, hail::testing::Start, hail::testing::Complete}) {
    Advance(*driver, ride, step);
  }
  driver->NextEvent(hail::type::v1::RIDE_EVENT_TYPE_COMPLETED);
  std::vector<std::int64_t> seen;
  for (auto update = resumed.Next(); update; update = resumed.Next()) {
    if (update->has_event()) seen.push_back(update->event().sequence());
  }
  EXPECT_TRUE(resumed.Finish().ok());
  EXPECT_THAT(seen, ElementsAre(sequence + 1, sequence + 2, sequence + 3, sequence + 4));
}

// Domain time runs much faster than the wall time by which tokens end.
class FastTokens : public Tokens {
 protected:
  FastTokens()
      : Tokens({{"time_scale", "60"}, {"time_anchor", absl::StrCat(absl::ToUnixSeconds(absl::Now()), ":0")}}) {}
};

TEST_F(FastTokens, AStreamEndsAMinuteAfterItsTokenByWallTime) {
  const absl::Time expires = absl::FromUnixSeconds(absl::ToUnixSeconds(absl::Now())) - absl::Seconds(50);
  const auto token =
      std::make_shared<HeldToken>(issuer_.TokenUntil(expires, kDrivers, {{"role", "driver"}, {"sub", "d1"}}));
  const auto app = NewDriver("d1", token);
  app->Open();
  app->Next([](const auto& response) { return response.has_snapshot(); }, "snapshot");
  const grpc::Status ended = app->AwaitEnd();
  EXPECT_EQ(ended.error_code(), grpc::StatusCode::UNAUTHENTICATED) << ended.error_message();
  EXPECT_EQ(ErrorOf(ended).reason, "TOKEN_EXPIRED");
  EXPECT_GE(absl::Now(), expires + absl::Seconds(60));
  for (const auto& response : app->received()) {
    EXPECT_FALSE(response.has_draining()) << "it would open the next stream with the same token, and so on";
  }
  app->Open();
  EXPECT_EQ(ErrorOf(app->AwaitEnd()).reason, "TOKEN_EXPIRED");
}

class NoStrangers : public Tokens {
 protected:
  NoStrangers() : Tokens({{"auth.anonymous", "false"}}) {}
};

TEST_F(NoStrangers, WithoutATokenNothingIsAnswered) {
  const auto stub = hail::rider::v1::RiderService::NewStub(services_.rider.PublicChannel());
  hail::rider::v1::ListProductsResponse response;
  EXPECT_EQ(ErrorOf(stub->ListProducts(PatientContext().get(), {}, &response)).reason, "TOKEN_MISSING");
}

TEST(Modes, AServiceSaysThatItChecksNobody) {
  ServiceProcess rider("rider-service", {{"auth.mode", "insecure"}});
  ASSERT_TRUE(rider.Start());
  EXPECT_THAT(rider.Log(), HasSubstr("callers_not_checked"));
  EXPECT_EQ(rider.Terminate(), 0);
  const auto refused = hail::testing::RunProgram("rider-service", {"--set", "listen=0.0.0.0:0"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("auth.mode"));
}

}  // namespace
}  // namespace hail::authorization
