#include <set>
#include <string>

#include "common/errors/error.h"
#include "gtest/gtest.h"
#include "tests/matchers.h"

namespace hail {
namespace {

TEST(ReasonTest, NamesAreDistinctAndFoundAgain) {
  std::set<std::string> names;
  for (int value = 0; value <= static_cast<int>(Reason::kInternal); ++value) {
    const auto reason = static_cast<Reason>(value);
    const std::string name(ReasonName(reason));
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_EQ(name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_"), std::string::npos) << name;
    EXPECT_EQ(ReasonFromName(name), reason) << name;
  }
  EXPECT_EQ(ReasonName(Reason::kOutsideServiceArea), "OUTSIDE_SERVICE_AREA");
  EXPECT_EQ(ReasonName(Reason::kProtocolViolation), "PROTOCOL_VIOLATION");
  EXPECT_EQ(ReasonFromName("NO_SUCH_REASON"), std::nullopt);
  EXPECT_EQ(ReasonFromName(""), std::nullopt);
}

TEST(ErrorTest, CarriesAllItsDetails) {
  const ErrorDetails given{
      .reason = Reason::kRiderBusy,
      .field = "pickup.position",
      .metadata = {{"ride_id", "r:1"}, {"empty", ""}, {"odd", std::string("3:a\0b\n", 6)}},
      .retry_after = absl::Milliseconds(1500),
  };
  const absl::Status error = MakeError(absl::StatusCode::kFailedPrecondition, "busy", given);
  EXPECT_EQ(error.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(std::string(error.message()), "busy");

  const absl::Status copy = error;
  const auto details = DetailsOf(copy);
  ASSERT_TRUE(details.has_value());
  EXPECT_EQ(details->reason, given.reason);
  EXPECT_EQ(details->field, given.field);
  EXPECT_EQ(details->metadata, given.metadata);
  EXPECT_EQ(details->retry_after, given.retry_after);
}

TEST(ErrorTest, NoRetryIsNotARetryAtOnce) {
  const auto without = DetailsOf(MakeError(absl::StatusCode::kUnavailable, "", {.reason = Reason::kDraining}));
  ASSERT_TRUE(without.has_value());
  EXPECT_EQ(without->retry_after, std::nullopt);
  const auto at_once = DetailsOf(Overloaded("full", absl::ZeroDuration()));
  ASSERT_TRUE(at_once.has_value());
  EXPECT_EQ(at_once->retry_after, absl::ZeroDuration());
}

TEST(ErrorTest, OtherStatusesHaveNoDetails) {
  EXPECT_EQ(DetailsOf(absl::OkStatus()), std::nullopt);
  EXPECT_EQ(DetailsOf(absl::InternalError("from elsewhere")), std::nullopt);
  EXPECT_THAT(absl::InternalError("from elsewhere"), testing::Not(HasReason(Reason::kInternal)));
}

TEST(ErrorTest, AnErrorIsNeverOk) {
  const absl::Status error = MakeError(absl::StatusCode::kOk, "who knows", {.reason = Reason::kQuoteUsed});
  EXPECT_EQ(error.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(error, HasReason(Reason::kInternal));
}

TEST(ErrorTest, ShortFormsSetCodeAndReason) {
  const absl::Status field = InvalidField("seats", "too many");
  EXPECT_EQ(field.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(field, HasReason(Reason::kInvalidField));
  EXPECT_EQ(DetailsOf(field)->field, "seats");

  const absl::Status missing = NotFound(Reason::kRideNotFound, "no ride");
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(missing, HasReason(Reason::kRideNotFound));
  EXPECT_THAT(missing, testing::Not(HasReason(Reason::kDriverNotFound)));

  const absl::Status late = FailedPrecondition(Reason::kOfferRevoked, "gone", {{"revoke_reason", "taken"}});
  EXPECT_EQ(late.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(DetailsOf(late)->metadata.at("revoke_reason"), "taken");

  const absl::Status full = Overloaded("full", absl::Seconds(2));
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(full, HasReason(Reason::kOverloaded));
  EXPECT_EQ(DetailsOf(full)->retry_after, absl::Seconds(2));

  EXPECT_EQ(Unavailable(Reason::kStoreUnavailable, "").code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Unavailable(Reason::kStoreUnavailable, ""), HasReason(Reason::kStoreUnavailable));
  EXPECT_EQ(Internal("bug").code(), absl::StatusCode::kInternal);
  EXPECT_THAT(Internal("bug"), HasReason(Reason::kInternal));
}

}  // namespace
}  // namespace hail
