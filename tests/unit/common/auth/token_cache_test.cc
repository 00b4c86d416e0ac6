#include "common/auth/token_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace hail::auth {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

Identity IdentityOf(const std::string& subject) {
  return {.role = Role::kRider, .subject = subject, .rider = subject, .expires = kNow + absl::Seconds(60)};
}

TokenCache::Digest DigestOf(int i) { return TokenCache::DigestOf("token " + std::to_string(i)); }

TEST(TokenCacheTest, ADigestIsSha256) {
  const TokenCache::Digest digest = TokenCache::DigestOf("abc");
  EXPECT_EQ(digest[0], 0xba);
  EXPECT_EQ(digest[1], 0x78);
  EXPECT_EQ(digest[31], 0xad);
}

TEST(TokenCacheTest, ATokenIsFoundUntilItExpires) {
  TokenCache cache;
  cache.Put(DigestOf(1), 1, IdentityOf("ada"));
  ASSERT_TRUE(cache.Find(DigestOf(1), 1, kNow));
  EXPECT_EQ(cache.Find(DigestOf(1), 1, kNow)->subject, "ada");
  EXPECT_FALSE(cache.Find(DigestOf(2), 1, kNow));
  EXPECT_TRUE(cache.Find(DigestOf(1), 1, kNow + absl::Seconds(59)));
  EXPECT_FALSE(cache.Find(DigestOf(1), 1, kNow + absl::Seconds(60)));
}

TEST(TokenCacheTest, ATokenIsOfItsKeySetOnly) {
  TokenCache cache;
  cache.Put(DigestOf(1), 1, IdentityOf("ada"));
  EXPECT_FALSE(cache.Find(DigestOf(1), 2, kNow));
  cache.Put(DigestOf(1), 2, IdentityOf("bob"));
  EXPECT_EQ(cache.Find(DigestOf(1), 2, kNow)->subject, "bob");
  EXPECT_FALSE(cache.Find(DigestOf(1), 1, kNow));
}

TEST(TokenCacheTest, WhatIsUsedStaysAndTheRestIsBounded) {
  constexpr int kMax = 1600;
  TokenCache cache(kMax);
  cache.Put(DigestOf(0), 1, IdentityOf("used"));
  for (int i = 1; i < 20 * kMax; ++i) {
    cache.Put(DigestOf(i), 1, IdentityOf("t"));
    ASSERT_TRUE(cache.Find(DigestOf(0), 1, kNow)) << i;
  }
  int found = 0;
  for (int i = 0; i < 20 * kMax; ++i) found += cache.Find(DigestOf(i), 1, kNow) ? 1 : 0;
  EXPECT_LE(found, kMax);
  EXPECT_GE(found, kMax / 4);
}

TEST(TokenCacheTest, ManyThreadsShareIt) {
  TokenCache cache(256);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&cache, t] {
      for (int i = 0; i < 4'000; ++i) {
        const int token = (i * 7 + t) % 500;
        const std::string subject = std::to_string(token);
        if (const auto identity = cache.Find(DigestOf(token), 1, kNow)) {
          EXPECT_EQ(identity->subject, subject);
        } else {
          cache.Put(DigestOf(token), 1, IdentityOf(subject));
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace hail::auth
