#include "tests/tools/hailctl/outcome.h"

#include "common/errors/error.h"
#include "common/rpc/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hail::ctl {
namespace {

using testing::HasSubstr;

TEST(ExitCodeOf, FollowsTheCode) {
  const std::pair<grpc::StatusCode, ExitCode> expected[] = {
      {grpc::StatusCode::INVALID_ARGUMENT, kUsage},
      {grpc::StatusCode::OUT_OF_RANGE, kUsage},
      {grpc::StatusCode::NOT_FOUND, kNotFound},
      {grpc::StatusCode::FAILED_PRECONDITION, kRefused},
      {grpc::StatusCode::ALREADY_EXISTS, kRefused},
      {grpc::StatusCode::PERMISSION_DENIED, kRefused},
      {grpc::StatusCode::ABORTED, kRefused},
      {grpc::StatusCode::UNAVAILABLE, kUnavailable},
      {grpc::StatusCode::DEADLINE_EXCEEDED, kUnavailable},
      {grpc::StatusCode::RESOURCE_EXHAUSTED, kUnavailable},
      {grpc::StatusCode::INTERNAL, kInternalError},
      {grpc::StatusCode::UNIMPLEMENTED, kInternalError},
  };
  for (const auto& [code, exit_code] : expected) {
    EXPECT_EQ(ExitCodeOf({.code = code}), exit_code) << CodeName(code);
  }
}

// A proxy whose upstream dies ends a call with any code; the only remedy is to try again.
TEST(ExitCodeOf, TakesWhatIsNotHailsForTheNetworks) {
  for (int code = 1; code <= static_cast<int>(grpc::StatusCode::UNAUTHENTICATED); ++code) {
    const Failure failure = FailureOf(grpc::Status(static_cast<grpc::StatusCode>(code), "upstream"));
    EXPECT_EQ(ExitCodeOf(failure), kUnavailable) << CodeName(failure.code);
    EXPECT_NE(HintFor(failure), "") << CodeName(failure.code);
  }
}

TEST(FailureOf, KeepsAStatusWithoutDetails) {
  const Failure failure = FailureOf(grpc::Status(grpc::StatusCode::UNAVAILABLE, "connection refused"));
  EXPECT_EQ(failure.code, grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(failure.message, "connection refused");
  EXPECT_EQ(failure.reason, "");
  EXPECT_FALSE(failure.retry_after.has_value());
}

TEST(FailureOf, ReadsTheDetailsOfACall) {
  const Failure failure = FailureOf(rpc::ToGrpc(Overloaded("too many calls", absl::Milliseconds(250))));
  EXPECT_EQ(failure.code, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(failure.reason, "OVERLOADED");
  EXPECT_EQ(failure.retry_after, absl::Milliseconds(250));
}

TEST(FailureOf, ReadsTheDetailsOfACommand) {
  const Failure failure = FailureOf(rpc::ToProto(InvalidField("pickup.position", "is missing")));
  EXPECT_EQ(failure.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(failure.reason, "INVALID_FIELD");
  EXPECT_EQ(failure.field, "pickup.position");
  EXPECT_EQ(failure.message, "is missing");
}

TEST(FailureOf, KeepsAReasonItDoesNotKnow) {
  google::rpc::Status status = rpc::ToProto(FailedPrecondition(Reason::kRideEnded, "over"));
  ASSERT_EQ(status.details_size(), 1);
  std::string& info = *status.mutable_details(0)->mutable_value();
  const std::string::size_type at = info.find("RIDE_ENDED");
  ASSERT_NE(at, std::string::npos);
  info.replace(at, 10, "RIDE_BEGUN");
  EXPECT_EQ(FailureOf(status).reason, "RIDE_BEGUN");
}

TEST(HintFor, NamesTheRideThatIsInTheWay) {
  EXPECT_THAT(
      HintFor(
          {.code = grpc::StatusCode::FAILED_PRECONDITION, .reason = "RIDER_BUSY", .metadata = {{"ride_id", "r-1"}}}),
      HasSubstr("r-1"));
}

TEST(HintFor, SaysWhereItLookedForAService) {
  EXPECT_THAT(HintFor({.code = grpc::StatusCode::UNAVAILABLE, .foreign = true}), HasSubstr("--rider"));
}

TEST(HintFor, HasNothingToAddToAnUnknownReason) {
  EXPECT_EQ(HintFor({.code = grpc::StatusCode::FAILED_PRECONDITION, .reason = "FROM_THE_FUTURE"}), "");
}

}  // namespace
}  // namespace hail::ctl
