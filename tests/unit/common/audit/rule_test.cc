#include "common/audit/rule.h"

#include <gtest/gtest.h>

#include "common/audit/denial_sampler.h"
#include "common/errors/error.h"

namespace hail::audit {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'800'000'000);

auth::Caller With(auth::Role role) { return auth::Caller({.role = role, .subject = "someone"}); }

TEST(AuditRuleTest, DeniedIsWhoMayNotNotWhatCannotBe) {
  EXPECT_TRUE(IsDenied(MakeError(absl::StatusCode::kUnauthenticated, "", {.reason = Reason::kTokenExpired})));
  EXPECT_TRUE(IsDenied(MakeError(absl::StatusCode::kPermissionDenied, "", {.reason = Reason::kIdentityMismatch})));
  EXPECT_TRUE(IsDenied(MakeError(absl::StatusCode::kResourceExhausted, "", {.reason = Reason::kRateLimited})));
  EXPECT_FALSE(IsDenied(Overloaded("", absl::Seconds(1))));
  EXPECT_FALSE(IsDenied(NotFound(Reason::kRideNotFound, "")));
  EXPECT_FALSE(IsDenied(InvalidField("seats", "")));
  EXPECT_FALSE(IsDenied(absl::OkStatus()));
}

TEST(AuditRuleTest, StaffIsAuditedWhereItReachesOthersData) {
  for (const auth::Role role : {auth::Role::kServer, auth::Role::kOperator}) {
    EXPECT_TRUE(IsAudited(Audited::kStaff, With(role)));
    EXPECT_FALSE(IsAudited(Audited::kDenied, With(role)));
  }
  for (const auth::Role role : {auth::Role::kRider, auth::Role::kDriver, auth::Role::kViewer, auth::Role::kRiderService,
                                auth::Role::kDriverService}) {
    EXPECT_FALSE(IsAudited(Audited::kStaff, With(role)));
  }
  EXPECT_FALSE(IsAudited(Audited::kStaff, auth::Caller()));
  EXPECT_FALSE(IsAudited(Audited::kStaff, auth::Caller::Unchecked()));
  EXPECT_TRUE(IsAudited(Audited::kAlways, With(auth::Role::kDriver)));
  EXPECT_TRUE(IsAudited(Audited::kAlways, auth::Caller::Unchecked()));
}

TEST(DenialSamplerTest, TheFirstOfASecondThenOneInAThousand) {
  DenialSampler sampler;
  std::uint64_t written = 0;
  std::uint64_t skipped = 0;
  for (int i = 0; i < 10'000; ++i) {
    if (const auto before = sampler.Sample({1, 1}, kStart)) {
      ++written;
      skipped += *before;
    }
  }
  // 0 to 9, then 1000, 2000, … 9000.
  EXPECT_EQ(written, 10u + 9u);
  // The line of 1000 stands for 10 to 999, that of 2000 for 1001 to 1999, and so on.
  EXPECT_EQ(skipped, 990u + 8u * 999u);
  // The next second says the rest.
  EXPECT_EQ(sampler.Sample({1, 1}, kStart + absl::Seconds(1)), 999u);
  EXPECT_EQ(sampler.Sample({1, 1}, kStart + absl::Seconds(1)), 0u);
}

TEST(DenialSamplerTest, OneCallersFloodHidesNobodyElses) {
  DenialSampler sampler;
  for (int i = 0; i < 20'000; ++i) sampler.Sample({1, 1}, kStart);
  EXPECT_EQ(sampler.Sample({2, 1}, kStart), 0u);
}

TEST(DenialSamplerTest, ManyCallersTogetherDoNotFillTheLog) {
  DenialSampler sampler;
  int written = 0;
  for (std::uint64_t i = 1; i <= 20'000; ++i) written += sampler.Sample({i, 1}, kStart).has_value() ? 1 : 0;
  EXPECT_LE(written, DenialSampler::kAll + 20'000 / DenialSampler::kOneIn);
  EXPECT_GE(written, DenialSampler::kAll);
}

}  // namespace
}  // namespace hail::audit
