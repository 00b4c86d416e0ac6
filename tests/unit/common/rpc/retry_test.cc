#include "common/rpc/retry.h"

#include <gtest/gtest.h>

#include "common/errors/error.h"
#include "common/rpc/status.h"

namespace hail::rpc {
namespace {

TEST(IsAnswerTest, WithoutHailsErrorInfoNoCodeIsAnAnswer) {
  for (int code = 1; code <= 16; ++code) {
    EXPECT_FALSE(IsAnswer(FromGrpc(grpc::Status(static_cast<grpc::StatusCode>(code), "upstream reset")))) << code;
  }
  EXPECT_TRUE(IsAnswer(absl::OkStatus()));
}

TEST(IsAnswerTest, HailAsksForAnotherTryWithFourCodes) {
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status =
        FromGrpc(ToGrpc(MakeError(static_cast<absl::StatusCode>(code), "m", {.reason = Reason::kStoreUnavailable})));
    const bool again = code == 1 || code == 4 || code == 8 || code == 14;
    EXPECT_EQ(IsAnswer(status), !again) << code;
  }
}

// A newer service's reason is Hail's too.
TEST(IsAnswerTest, AReasonThatIsNotKnownIsStillHails) {
  const absl::Status status =
      MakeError(absl::StatusCode::kFailedPrecondition, "m", {.metadata = {{"unknown_reason", "MOON_PHASE"}}});
  EXPECT_TRUE(IsAnswer(FromGrpc(ToGrpc(status))));
}

TEST(IsAnswerTest, AnExpiredTokenIsReplaced) {
  const auto refused = [](Reason reason) {
    return FromGrpc(ToGrpc(MakeError(absl::StatusCode::kUnauthenticated, "m", {.reason = reason})));
  };
  EXPECT_FALSE(IsAnswer(refused(Reason::kTokenExpired)));
  EXPECT_TRUE(IsAnswer(refused(Reason::kTokenInvalid)));
  EXPECT_TRUE(IsAnswer(refused(Reason::kTokenMissing)));
}

TEST(BackoffTest, DoublesFromATenthOfASecondToTwo) {
  Backoff backoff;
  for (const int ms : {100, 200, 400, 800, 1600, 2000, 2000}) EXPECT_EQ(backoff.Next(0), absl::Milliseconds(ms));
  backoff.Reset();
  EXPECT_EQ(backoff.Next(0), absl::Milliseconds(100));
}

TEST(BackoffTest, ShortensByUpToHalf) {
  Backoff backoff;
  EXPECT_EQ(backoff.Next(0.5), absl::Milliseconds(75));
  EXPECT_EQ(backoff.Next(1), absl::Milliseconds(100)) << "half of 200";
}

TEST(BackoffTest, WaitsNoLessThanIsAskedFor) {
  Backoff backoff;
  EXPECT_EQ(backoff.Next(1, absl::Seconds(1)), absl::Seconds(1));
  EXPECT_EQ(backoff.Next(0, absl::Milliseconds(1)), absl::Milliseconds(200)) << "nor less than its own wait";
  EXPECT_EQ(RetryAfter(Overloaded("m", absl::Seconds(3))), absl::Seconds(3));
  EXPECT_EQ(RetryAfter(absl::InternalError("m")), std::nullopt);
}

}  // namespace
}  // namespace hail::rpc
