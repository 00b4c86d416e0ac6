#include "common/auth/authenticator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/errors/error.h"
#include "tests/matchers.h"
#include "tests/unit/common/auth/issuer.h"

namespace hail::auth {
namespace {

using ::testing::HasSubstr;
using testing::IssuerKey;
using testing::Json;
using testing::Jwks;
using testing::RiderClaims;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

class FixedKeys final : public KeySource {
 public:
  std::shared_ptr<const KeySet> Keys() const override {
    const absl::MutexLock lock(&mutex_);
    return keys_;
  }
  bool OnUnknownKey() override {
    ++unknown;
    return fetching;
  }
  void Set(const std::string& jwks) {
    const absl::MutexLock lock(&mutex_);
    keys_ = *KeySet::Parse(jwks);
  }

  std::atomic<int> unknown = 0;
  bool fetching = false;

 private:
  mutable absl::Mutex mutex_;
  std::shared_ptr<const KeySet> keys_;
};

class AuthenticatorTest : public ::testing::Test {
 protected:
  AuthenticatorTest() { keys_.Set(Jwks({key_.Jwk()})); }

  absl::StatusOr<Caller> Check(const std::vector<std::string_view>& values, absl::Time now = kNow) {
    detail_.clear();
    return authenticator_.Check(values, now, &detail_);
  }
  std::string Bearer() const { return "Bearer " + key_.Token(RiderClaims(kNow)); }
  double Count(const char* outcome) {
    return registry_.Counters("auth_tokens_total", "").Of({{"outcome", outcome}}).Value();
  }

  const IssuerKey key_ = IssuerKey::Ec("k");
  FixedKeys keys_;
  metrics::Registry registry_{"test"};
  Authenticator authenticator_{{.issuer = "https://id.hail.example", .audience = "hail-rider"}, &keys_, &registry_};
  std::string detail_;
};

TEST_F(AuthenticatorTest, ATokenIsVerifiedOnceAndThenKnown) {
  const std::string bearer = Bearer();
  for (int i = 0; i < 3; ++i) {
    const auto caller = Check({bearer});
    ASSERT_THAT(caller, IsOk());
    ASSERT_NE(caller->identity(), nullptr);
    EXPECT_EQ(caller->identity()->rider, "ada");
    EXPECT_FALSE(caller->unchecked());
  }
  EXPECT_EQ(Count("verified"), 1);
  EXPECT_EQ(Count("cached"), 2);
  // The cache keeps nothing longer than the token.
  EXPECT_THAT(Check({bearer}, kNow + absl::Seconds(659)), IsOk());
  EXPECT_THAT(Check({bearer}, kNow + absl::Seconds(660)), HasReason(Reason::kTokenExpired));
  EXPECT_THAT(detail_, HasSubstr("ago"));
  EXPECT_EQ(Count("expired"), 1);
}

TEST_F(AuthenticatorTest, ThereIsExactlyOneBearerToken) {
  const std::string bearer = Bearer();
  const std::string token = bearer.substr(7);
  EXPECT_THAT(Check({}), HasReason(Reason::kTokenMissing));
  EXPECT_THAT(Check({bearer, bearer}), HasReason(Reason::kTokenInvalid));
  EXPECT_THAT(Check({bearer, ""}), HasReason(Reason::kTokenInvalid));
  EXPECT_THAT(Check({"bearer " + token}), IsOk());
  for (const std::string& bad :
       {std::string(), token, std::string("Bearer"), std::string("Bearer "), "Bearer  " + token, "Bearer\t" + token,
        "Basic " + token, bearer + " ", bearer + "," + bearer, "Bearer, " + bearer}) {
    EXPECT_THAT(Check({bad}), HasReason(Reason::kTokenInvalid)) << bad;
    EXPECT_THAT(Check({bad}), StatusIs(absl::StatusCode::kUnauthenticated));
  }
  EXPECT_EQ(Count("missing"), 1);
  EXPECT_THAT(Check({"Bearer " + std::string(65'536, 'a')}), HasReason(Reason::kTokenInvalid));
}

TEST_F(AuthenticatorTest, ARemovedKeyFailsAtOnce) {
  const std::string bearer = Bearer();
  ASSERT_THAT(Check({bearer}), IsOk());
  const IssuerKey next = IssuerKey::Ec("next");
  keys_.Set(Jwks({key_.Jwk(), next.Jwk()}));
  ASSERT_THAT(Check({bearer}), IsOk());
  keys_.Set(Jwks({next.Jwk()}));
  EXPECT_THAT(Check({bearer}), HasReason(Reason::kTokenInvalid));
  EXPECT_THAT(Check({"Bearer " + next.Token(RiderClaims(kNow))}), IsOk());
  // Another key by the same name.
  keys_.Set(Jwks({IssuerKey::Ec("next").Jwk()}));
  EXPECT_THAT(Check({"Bearer " + next.Token(RiderClaims(kNow))}), HasReason(Reason::kTokenInvalid));
}

TEST_F(AuthenticatorTest, WithoutKeysACallerMayRetry) {
  FixedKeys none;
  Authenticator authenticator({.issuer = "i", .audience = "a"}, &none, &registry_);
  EXPECT_FALSE(authenticator.ready());
  const std::string bearer = Bearer();
  const std::vector<std::string_view> values = {bearer};
  const auto caller = authenticator.Check(values, kNow);
  EXPECT_THAT(caller, HasReason(Reason::kPeerUnavailable));
  EXPECT_THAT(caller, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_TRUE(DetailsOf(caller.status())->retry_after.has_value());
  EXPECT_THAT(authenticator.Check({}, kNow), HasReason(Reason::kTokenMissing));
  none.Set(Jwks({key_.Jwk()}));
  EXPECT_TRUE(authenticator.ready());
  EXPECT_EQ(Count("no_keys"), 1);
}

TEST_F(AuthenticatorTest, AnUnknownKeyAsksForNewOnes) {
  const std::string bearer = "Bearer " + IssuerKey::Ec("new").Token(RiderClaims(kNow));
  EXPECT_THAT(Check({bearer}), HasReason(Reason::kTokenInvalid));
  EXPECT_EQ(keys_.unknown, 1);
  keys_.fetching = true;
  EXPECT_THAT(Check({bearer}), HasReason(Reason::kPeerUnavailable));
  EXPECT_EQ(keys_.unknown, 2);
  // No other fault does.
  std::string damaged = Bearer();
  damaged[damaged.size() - 5] = damaged[damaged.size() - 5] == 'A' ? 'B' : 'A';
  EXPECT_THAT(Check({damaged}), HasReason(Reason::kTokenInvalid));
  EXPECT_THAT(Check({"Bearer e30.e30.e30"}), HasReason(Reason::kTokenInvalid));
  EXPECT_EQ(keys_.unknown, 2);
}

TEST_F(AuthenticatorTest, ManyThreadsCheckWhileKeysChange) {
  const std::string good = Bearer();
  const std::string with = Jwks({key_.Jwk()});
  const std::string without = Jwks({IssuerKey::Ec("other").Jwk()});
  std::atomic<bool> done = false;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      const std::vector<std::string_view> values = {good};
      while (!done) {
        const auto caller = authenticator_.Check(values, kNow);
        EXPECT_TRUE(caller.ok() || HasReason(caller.status(), Reason::kTokenInvalid));
      }
    });
  }
  for (int i = 0; i < 100; ++i) keys_.Set(i % 2 == 0 ? without : with);
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(Check({good}), IsOk());
}

}  // namespace
}  // namespace hail::auth
