#include "tests/matchers.h"

#include <gtest/gtest.h>

#include <string>

#include "common/errors/status_macros.h"

namespace hail {
namespace {

using testing::Not;

const absl::StatusOr<int> kSeven = 7;
const absl::StatusOr<int> kNoRide = NotFound(Reason::kRideNotFound, "no such ride");

TEST(Matchers, TakeStatusesAndResults) {
  EXPECT_THAT(absl::OkStatus(), IsOk());
  EXPECT_THAT(kSeven, IsOk());
  EXPECT_THAT(kNoRide, Not(IsOk()));
  EXPECT_THAT(kNoRide.status(), Not(IsOk()));

  EXPECT_THAT(kSeven, IsOkAndHolds(7));
  EXPECT_THAT(kSeven, IsOkAndHolds(testing::Gt(6)));
  EXPECT_THAT(kSeven, Not(IsOkAndHolds(8)));
  EXPECT_THAT(kNoRide, Not(IsOkAndHolds(testing::_)));

  EXPECT_THAT(kNoRide, StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(kNoRide.status(), Not(StatusIs(absl::StatusCode::kInternal)));
  EXPECT_THAT(kSeven, Not(StatusIs(absl::StatusCode::kNotFound)));

  EXPECT_THAT(kNoRide, HasReason(Reason::kRideNotFound));
  EXPECT_THAT(kNoRide.status(), Not(HasReason(Reason::kDriverNotFound)));
  EXPECT_THAT(kSeven, Not(HasReason(Reason::kInternal)));
}

TEST(Matchers, SayWhatTheStatusIsWhenTheyFail) {
  testing::StringMatchResultListener said;
  EXPECT_FALSE(testing::ExplainMatchResult(HasReason(Reason::kDriverNotFound), kNoRide, &said));
  EXPECT_THAT(said.str(), testing::HasSubstr("no such ride"));
}

// Counts how often it is evaluated.
struct Source {
  absl::StatusOr<std::string> value;
  int asked = 0;
  absl::StatusOr<std::string> Ask() {
    ++asked;
    return value;
  }
};

absl::StatusOr<std::size_t> LengthOf(Source& source) {
  HAIL_RETURN_IF_ERROR(absl::OkStatus());
  HAIL_ASSIGN_OR_RETURN(std::string text, source.Ask());
  HAIL_ASSIGN_OR_RETURN(text, source.Ask());
  return text.size();
}

absl::Status Check(Source& source) {
  HAIL_RETURN_IF_ERROR(source.Ask().status());
  return absl::OkStatus();
}

TEST(StatusMacros, PassOnTheFirstErrorWhole) {
  Source fails{kNoRide.status()};
  EXPECT_THAT(LengthOf(fails), HasReason(Reason::kRideNotFound));
  EXPECT_THAT(Check(fails), HasReason(Reason::kRideNotFound));
  EXPECT_EQ(fails.asked, 2);
}

TEST(StatusMacros, GoOnWithWhatIsThereEvaluatedOnce) {
  Source source{"ride-1"};
  EXPECT_THAT(LengthOf(source), IsOkAndHolds(6U));
  EXPECT_THAT(Check(source), IsOk());
  EXPECT_EQ(source.asked, 3);
}

TEST(StatusMacros, LeaveTheElseToItsIf) {
  const auto check = [](bool ask) -> absl::Status {
    if (ask)
      HAIL_RETURN_IF_ERROR(absl::OkStatus());
    else
      return kNoRide.status();
    return absl::OkStatus();
  };
  EXPECT_THAT(check(true), IsOk());
  EXPECT_THAT(check(false), HasReason(Reason::kRideNotFound));
}

}  // namespace
}  // namespace hail
