// Tokens at a service whose machine's wall clock is set while it runs.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "tests/authorization/token_issuer.h"
#include "tests/integration/process.h"
#include "tests/integration/rider_fixture.h"

namespace hail::authorization {
namespace {

using hail::testing::ErrorOf;
using hail::testing::PatientContext;
using hail::testing::RiderClient;
using hail::testing::ServiceProcess;
using hail::testing::Watch;
using ::testing::HasSubstr;
using ::testing::Not;

class TokenClocks : public ::testing::Test {
 protected:
  TokenClocks() {
    Set(absl::ZeroDuration());
    service_.SetEnv("LD_PRELOAD", HAIL_CLOCKSET_LIBRARY);
    service_.SetEnv("CLOCKSET", file());
  }
  void SetUp() override {
    // No process listens on the discard port: nobody drives here.
    service_.Set("driver_service", "127.0.0.1:9");
    ASSERT_TRUE(service_.Start());
    rides_ = hail::rider::v1::RiderService::NewStub(ChannelWith(service_.public_address(), token_));
  }

  // Sets the service's wall clock, that much before or after the true time.
  void Set(absl::Duration difference) {
    const std::int64_t nanos = absl::ToInt64Nanoseconds(difference);
    const int out = open(file().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ASSERT_EQ(pwrite(out, &nanos, sizeof nanos, 0), static_cast<ssize_t>(sizeof nanos));
    close(out);
  }

  grpc::Status Get(const std::string& ride_id) {
    hail::rider::v1::GetRideRequest request;
    request.set_rider_id("ann");
    request.set_ride_id(ride_id);
    hail::rider::v1::GetRideResponse response;
    return rides_->GetRide(PatientContext().get(), request, &response);
  }
  std::string RequestRide() {
    hail::rider::v1::RequestRideResponse requested;
    EXPECT_TRUE(
        rides_->RequestRide(PatientContext().get(), RiderClient::RideRequest("ann", "request-1"), &requested).ok());
    return requested.ride().ride_id();
  }
  std::string TokenUntil(absl::Time expires) const {
    return issuer_.TokenUntil(expires, "hail-rider", {{"role", "rider"}, {"sub", "ann"}});
  }

  const TokenIssuer issuer_;
  testing::TempDir folder_;
  ServiceProcess service_{"rider-service", issuer_.Settings()};
  const std::shared_ptr<HeldToken> token_ = std::make_shared<HeldToken>(TokenUntil(absl::Now() + absl::Minutes(59)));
  std::unique_ptr<hail::rider::v1::RiderService::Stub> rides_;

 private:
  std::string file() const { return folder_.path() + "/clock"; }
};

TEST_F(TokenClocks, AClockThatIsWrongRefusesTokensOnlyUntilItIsSetRight) {
  const std::string ride_id = RequestRide();
  Watch watch(*rides_, "ann", ride_id);
  ASSERT_TRUE(watch.Next()->has_snapshot());
  // A minute is tolerated, in both directions.
  for (const absl::Duration wrong : {absl::Minutes(59) + absl::Seconds(30), -absl::Minutes(9)}) {
    Set(wrong);
    EXPECT_TRUE(Get(ride_id).ok()) << wrong;
  }

  Set(absl::Hours(3));
  const grpc::Status expired = Get(ride_id);
  EXPECT_EQ(ErrorOf(expired).reason, "TOKEN_EXPIRED");
  // The operator can read the reason in the log, the caller gets none.
  EXPECT_THAT(expired.error_message(), Not(HasSubstr("2h")));

  Set(-absl::Hours(3));
  EXPECT_EQ(ErrorOf(Get(ride_id)).reason, "TOKEN_INVALID");

  // Not hours later, when the process's own time agrees with it.
  Set(absl::ZeroDuration());
  EXPECT_TRUE(Get(ride_id).ok());
  // The stream has had none of this.
  hail::rider::v1::CancelRideRequest cancel;
  cancel.set_rider_id("ann");
  cancel.set_ride_id(ride_id);
  cancel.set_reason(hail::type::v1::CANCEL_REASON_CHANGED_PLANS);
  hail::rider::v1::CancelRideResponse canceled;
  EXPECT_TRUE(rides_->CancelRide(PatientContext().get(), cancel, &canceled).ok());
  EXPECT_EQ(watch.Next()->event().type(), hail::type::v1::RIDE_EVENT_TYPE_CANCELED);
  // By its end the service has written all lines.
  EXPECT_EQ(service_.Terminate(), 0);
  EXPECT_THAT(service_.Log(), HasSubstr("it expired 2h"));
}

TEST_F(TokenClocks, AStreamEndsWithItsTokenByTheClockThatWasSet) {
  const std::string ride_id = RequestRide();
  Set(absl::Hours(2));
  // It has a few seconds, and the tolerance of a minute has passed.
  token_->Set(TokenUntil(absl::FromUnixSeconds(absl::ToUnixSeconds(absl::Now())) + absl::Hours(2) - absl::Seconds(55)));
  Watch watch(*rides_, "ann", ride_id);
  ASSERT_TRUE(watch.Next()->has_snapshot());
  while (watch.Next()) {
  }
  EXPECT_EQ(ErrorOf(watch.Finish()).reason, "TOKEN_EXPIRED");
}

TEST_F(TokenClocks, LoadedKeysAreInTheAuditLog) {
  // By its end the service has written what waited.
  EXPECT_EQ(service_.Terminate(), 0);
  EXPECT_THAT(service_.Log(), HasSubstr("keys_loaded"));
}

}  // namespace
}  // namespace hail::authorization
