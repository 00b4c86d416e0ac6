// Development tokens, as the services check them.
#include "tests/tools/tokens/token_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "common/auth/token_verifier.h"
#include "tests/conformance/temp_folder.h"
#include "tests/matchers.h"
#include "tests/tools/tokens/token_source.h"

namespace hail {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

std::string Text(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class TokenKeyTest : public ::testing::Test {
 protected:
  TokenKeyTest() {
    EXPECT_THAT(TokenKey::Make(keys()), IsOk());
    keys_ = *auth::KeySet::Parse(Text(keys() + "/jwks.json"));
  }
  std::string keys() const { return folder_.path("keys"); }

  absl::StatusOr<auth::Identity> Verify(const std::string& token, const std::string& audience = "hail-rider",
                                        absl::Time now = kNow) const {
    return auth::TokenVerifier({.issuer = "https://id.hail.example", .audience = audience}).Verify(token, *keys_, now);
  }

  TempFolder folder_;
  std::shared_ptr<const auth::KeySet> keys_;
};

TEST_F(TokenKeyTest, AServiceTakesItsTokens) {
  const auto key = TokenKey::Read(keys());
  ASSERT_THAT(key, IsOk());
  // Often enough that a number of the signature begins with a zero byte.
  for (int i = 0; i < 600; ++i) {
    const absl::Time now = kNow + absl::Seconds(i);
    const auto rider =
        Verify(key->Token({.role = "rider", .subject = "ada"}, now, absl::Seconds(60)), "hail-rider", now);
    ASSERT_THAT(rider, IsOk());
    EXPECT_EQ(rider->rider, "ada");
    EXPECT_EQ(rider->expires, now + absl::Seconds(120));
  }
  const std::string driver = key->Token({.role = "driver", .subject = "grace"}, kNow, absl::Hours(1));
  ASSERT_THAT(Verify(driver, "hail-driver"), IsOk());
  EXPECT_EQ(Verify(driver, "hail-driver")->driver, "grace");
  EXPECT_THAT(Verify(driver), HasReason(Reason::kTokenInvalid));
  const std::string viewer =
      key->Token({.role = "viewer", .subject = "v", .rider_id = "ada", .ride_id = "r1"}, kNow, absl::Hours(1));
  EXPECT_EQ(Verify(viewer)->ride, "r1");
  EXPECT_EQ(Verify(viewer)->rider, "ada");
  for (const char* audience : {"hail-rider", "hail-driver"}) {
    const auto server = Verify(key->Token(ServerToken("backend"), kNow, absl::Hours(1)), audience);
    ASSERT_THAT(server, IsOk());
    EXPECT_EQ(server->role, auth::Role::kServer);
    EXPECT_EQ(server->driver, "*");
  }
}

TEST_F(TokenKeyTest, AKeyIsMadeOnceForItsOwnerAlone) {
  const auto permissions = [&](const std::string& name) {
    return std::filesystem::status(keys() + name).permissions() & std::filesystem::perms::all;
  };
  EXPECT_EQ(permissions(""), std::filesystem::perms::owner_all);
  EXPECT_EQ(permissions("/token.key"), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  const std::string before = Text(keys() + "/token.key");
  EXPECT_THAT(before, StartsWith("-----BEGIN PRIVATE KEY-----"));
  const std::string set = Text(keys() + "/jwks.json");
  std::filesystem::remove(keys() + "/jwks.json");
  EXPECT_THAT(TokenKey::Make(keys()), IsOk());
  EXPECT_EQ(Text(keys() + "/token.key"), before);
  EXPECT_EQ(Text(keys() + "/jwks.json"), set);
  // Nothing is left behind.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(keys()), {}), 2);
  EXPECT_THAT(TokenKey::Make(folder_.path("none/keys")), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(TokenKeyTest, AnotherKindOfKeyIsRefused) {
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(EVP_EC_gen("P-384"), EVP_PKEY_free);
  std::FILE* const file = std::fopen(folder_.path("p384.key").c_str(), "w");
  ASSERT_EQ(PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr), 1);
  std::fclose(file);
  EXPECT_EQ(TokenKey::Read(folder_.path("p384.key")).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(TokenKey::Read(folder_.path("none")).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(TokenKeyTest, ATokenIsUsedForTheFirstHalfOfItsLife) {
  const auto source = TokenSource::Make({.key = keys(), .valid_for = absl::Minutes(10)});
  ASSERT_THAT(source, IsOk());
  const TokenFor ada = {.role = "rider", .subject = "ada"};
  const std::string first = (*source)->Authorization(ada, kNow);
  EXPECT_THAT(Verify(first.substr(7)), IsOk());
  EXPECT_THAT(first, StartsWith("Bearer "));
  EXPECT_EQ((*source)->Authorization(ada, kNow + absl::Seconds(299)), first);
  const std::string second = (*source)->Authorization(ada, kNow + absl::Seconds(300));
  EXPECT_NE(second, first);
  EXPECT_EQ(Verify(second.substr(7))->expires, kNow + absl::Seconds(960));
  EXPECT_NE((*source)->Authorization({.role = "rider", .subject = "bob"}, kNow), first);
  EXPECT_NE((*source)->Authorization({.role = "driver", .subject = "ada"}, kNow), first);
}

TEST_F(TokenKeyTest, AKeyIsReadAgainWhenItIsReplaced) {
  const auto source = TokenSource::Make({.key = keys()});
  ASSERT_THAT(source, IsOk());
  const auto sent = [&] { return (*source)->Authorization({.role = "rider", .subject = "ada"}, kNow).substr(7); };
  const std::string first = sent();
  // As a rotation does: the set has both keys, then the new one signs.
  const std::string next = folder_.path("next");
  EXPECT_THAT(TokenKey::Make(next), IsOk());
  auto both = nlohmann::json::parse(Text(keys() + "/jwks.json"));
  both["keys"].push_back(nlohmann::json::parse(Text(next + "/jwks.json"))["keys"][0]);
  both["keys"][1]["kid"] = "next";
  std::ofstream(keys() + "/jwks.json", std::ios::trunc) << both;
  EXPECT_EQ(sent(), first);
  std::filesystem::rename(next + "/token.key", keys() + "/token.key");
  const std::string second = sent();
  EXPECT_NE(second, first);
  keys_ = *auth::KeySet::Parse(both.dump());
  EXPECT_THAT(Verify(first), IsOk());
  EXPECT_THAT(Verify(second), IsOk());
  both["keys"].erase(0);
  keys_ = *auth::KeySet::Parse(both.dump());
  EXPECT_THAT(Verify(first), HasReason(Reason::kTokenInvalid));
  EXPECT_THAT(Verify(second), IsOk());
  // A key that is gone, or no key, changes nothing.
  std::ofstream(keys() + "/token.key", std::ios::trunc) << "no key";
  EXPECT_EQ(sent(), second);
  std::filesystem::remove(keys() + "/token.key");
  EXPECT_EQ(sent(), second);
}

TEST_F(TokenKeyTest, AFileIsReadAgainWhenItChanges) {
  const std::string path = folder_.path("token");
  const auto write = [&](const std::string& text) { std::ofstream(path, std::ios::trunc) << text; };
  write("one\n");
  const auto source = TokenSource::Make({.file = path});
  ASSERT_THAT(source, IsOk());
  const auto sent = [&] { return (*source)->Authorization({.role = "rider", .subject = "ada"}, kNow); };
  EXPECT_EQ(sent(), "Bearer one");
  write("second");
  EXPECT_EQ(sent(), "Bearer second");
  write("");
  EXPECT_EQ(sent(), "Bearer second");
  std::filesystem::remove(path);
  EXPECT_EQ(sent(), "Bearer second");
  write("third\n");
  EXPECT_EQ(sent(), "Bearer third");
}

TEST_F(TokenKeyTest, WhatCannotGiveTokensIsRefused) {
  const auto why = [](const TokenSource::Options& options) {
    return std::string(TokenSource::Make(options).status().message());
  };
  EXPECT_EQ((*TokenSource::Make({}))->Authorization({.role = "rider", .subject = "ada"}, kNow), "");
  EXPECT_THAT(why({.file = folder_.path("none")}), HasSubstr("cannot be read"));
  EXPECT_THAT(why({.key = folder_.path("none")}), HasSubstr("cannot be read"));
  EXPECT_THAT(why({.file = "a", .key = "b"}), HasSubstr("not both"));
}

}  // namespace
}  // namespace hail
