#include "common/tls/identity_reload.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/common/tls/certificates.h"

namespace hail::tls {
namespace {

using hail::testing::TestAuthority;
using ::testing::HasSubstr;

const IdentityFiles kFiles = {.certificate = "tls.crt", .key = "tls.key", .ca = "ca.crt"};
constexpr char kRider[] = "URI:spiffe://hail/rider-service";

class IdentityReloadTest : public ::testing::Test {
 protected:
  ReloadStep Look(const absl::StatusOr<IdentityPem>& found) { return reload_.Look(found, now_ += absl::Seconds(1)); }

  const TestAuthority authority_;
  const IdentityPem first_ = authority_.Identity(kRider);
  const IdentityPem second_ = authority_.Identity(kRider);
  IdentityReload reload_{kFiles, first_};
  absl::Time now_ = absl::Now();
};

TEST_F(IdentityReloadTest, NothingNewIsNothing) {
  for (int i = 0; i < 3; ++i) {
    const ReloadStep step = Look(first_);
    EXPECT_FALSE(step.publish);
    EXPECT_FALSE(step.bad);
  }
}

TEST_F(IdentityReloadTest, ANewSetIsPublishedOnce) {
  const ReloadStep step = Look(second_);
  ASSERT_TRUE(step.publish);
  EXPECT_EQ(*step.publish, second_);
  EXPECT_THAT(step.info.names, ::testing::ElementsAre("spiffe://hail/rider-service"));
  reload_.Published();
  EXPECT_FALSE(Look(second_).publish);
}

TEST_F(IdentityReloadTest, ASetThatCouldNotBePublishedIsTriedAgain) {
  ASSERT_TRUE(Look(second_).publish);
  EXPECT_TRUE(reload_.NotPublished("disk full", now_));
  ASSERT_TRUE(Look(second_).publish);
  EXPECT_FALSE(reload_.NotPublished("disk full", now_));
  EXPECT_TRUE(reload_.NotPublished("disk full", now_ + kRepeatFault));
}

TEST_F(IdentityReloadTest, ThreeFilesMayBeReplacedOneAfterTheOther) {
  IdentityPem half = first_;
  half.key = second_.key;
  const ReloadStep step = Look(half);
  EXPECT_FALSE(step.publish);
  EXPECT_FALSE(step.bad);
  EXPECT_EQ(step.complain, "");
  EXPECT_TRUE(Look(second_).publish);
}

TEST_F(IdentityReloadTest, AFaultThatStaysIsSaidOnceAndAgainLater) {
  IdentityPem mixed = first_;
  mixed.key = second_.key;
  Look(mixed);
  EXPECT_THAT(Look(mixed).complain, HasSubstr("tls.key: is not the key of tls.crt"));
  for (int i = 0; i < 5; ++i) {
    const ReloadStep step = Look(mixed);
    EXPECT_TRUE(step.bad);
    EXPECT_EQ(step.complain, "");
  }
  // Another fault is news.
  IdentityPem garbage = first_;
  garbage.ca = "nonsense";
  EXPECT_THAT(Look(garbage).complain, HasSubstr("ca.crt: holds no certificate"));
  now_ += kRepeatFault;
  EXPECT_THAT(Look(garbage).complain, HasSubstr("ca.crt"));
}

TEST_F(IdentityReloadTest, AMendedSetIsGoodAndTheSameFaultLaterIsNews) {
  Look(absl::InvalidArgumentError("tls.key: cannot be read"));
  EXPECT_TRUE(Look(absl::InvalidArgumentError("tls.key: cannot be read")).bad);
  EXPECT_FALSE(Look(first_).bad);
  Look(absl::InvalidArgumentError("tls.key: cannot be read"));
  EXPECT_NE(Look(absl::InvalidArgumentError("tls.key: cannot be read")).complain, "");
}

TEST_F(IdentityReloadTest, TheSetInUseMayExpire) {
  now_ += absl::Hours(24 * 365);
  EXPECT_FALSE(Look(first_).bad);
  EXPECT_FALSE(Look(first_).bad);
  Look(second_);
  EXPECT_THAT(Look(second_).complain, HasSubstr("expired"));
}

}  // namespace
}  // namespace hail::tls
