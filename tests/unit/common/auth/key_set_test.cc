#include "common/auth/key_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/matchers.h"
#include "tests/unit/common/auth/issuer.h"

namespace hail::auth {
namespace {

using testing::Ec;
using testing::Ed;
using ::testing::HasSubstr;
using testing::IssuerKey;
using testing::Json;
using testing::Jwks;
using testing::Rsa;

Json With(Json jwk, const Json& changes) {
  jwk.update(changes);
  return jwk;
}

// Why `jwk` is left out, beside a key that is not.
std::string LeftOut(const Json& jwk) {
  const auto set = KeySet::Parse(Jwks({jwk, IssuerKey::Ec("beside").Jwk()}));
  if (!set.ok()) return set.status().ToString();
  EXPECT_EQ((*set)->size() + (*set)->left_out().size(), 2u);
  return (*set)->left_out().empty() ? "" : (*set)->left_out()[0].why;
}

TEST(KeySetTest, EachKindOfKeyVerifiesItsSignaturesOnly) {
  const auto set = KeySet::Parse(Jwks({Rsa().Jwk(), Ec().Jwk(), Ed().Jwk()}));
  ASSERT_THAT(set, IsOk());
  EXPECT_EQ((*set)->size(), 3u);
  EXPECT_TRUE((*set)->left_out().empty());
  for (const IssuerKey* signer : {&Rsa(), &Ec(), &Ed()}) {
    const PublicKey* const key = (*set)->Find(signer->id());
    ASSERT_NE(key, nullptr);
    EXPECT_EQ(AlgorithmName(key->algorithm()), signer->algorithm());
    // Often enough that numbers begin with zero bytes, or have their top bit set.
    for (int i = 0; i < (signer == &Rsa() ? 3 : 300); ++i) {
      const std::string text = "text " + std::to_string(i);
      std::string signature = signer->Signature(text);
      ASSERT_TRUE(key->Verifies(text, signature)) << signer->id() << i;
      EXPECT_FALSE(key->Verifies(text + " ", signature));
      EXPECT_FALSE(key->Verifies(text, signature + '\0'));
      EXPECT_FALSE(key->Verifies(text, signature.substr(1)));
      signature[static_cast<std::size_t>(i) % signature.size()] ^= 1;
      EXPECT_FALSE(key->Verifies(text, signature)) << signer->id() << i;
    }
    EXPECT_FALSE(key->Verifies("text", ""));
    for (const IssuerKey* other : {&Rsa(), &Ec(), &Ed()}) {
      EXPECT_EQ(key->Verifies("text", other->Signature("text")), other == signer);
    }
  }
  EXPECT_EQ((*set)->Find("unknown"), nullptr);
  EXPECT_EQ((*set)->Find(""), nullptr);
}

TEST(KeySetTest, TheAlgorithmNeedNotBeSaid) {
  for (const IssuerKey* signer : {&Rsa(), &Ec(), &Ed()}) {
    Json jwk = signer->Jwk();
    jwk.erase("alg");
    jwk.erase("use");
    EXPECT_EQ(LeftOut(jwk), "");
    EXPECT_EQ(LeftOut(With(jwk, {{"key_ops", {"verify"}}, {"x5c", {"MII"}}, {"new", {{"a", 1}}}})), "");
  }
}

TEST(KeySetTest, AWeakRsaKeyIsLeftOut) {
  EXPECT_THAT(LeftOut(IssuerKey::Rsa("k", 1024).Jwk()), HasSubstr("1024 bits"));
  EXPECT_THAT(LeftOut(IssuerKey::Rsa("k", 2048, 3).Jwk()), HasSubstr("exponent"));
  EXPECT_THAT(LeftOut(With(Rsa().Jwk(), {{"e", ToBase64Url("\x01")}})), HasSubstr("exponent"));
  EXPECT_THAT(LeftOut(With(Rsa().Jwk(), {{"e", ToBase64Url(std::string("\x01\x00\x02", 3))}})), HasSubstr("exponent"));
  EXPECT_THAT(LeftOut(With(Rsa().Jwk(), {{"e", ToBase64Url(std::string(9, '\x01'))}})), HasSubstr("too large"));
  EXPECT_THAT(LeftOut(With(Rsa().Jwk(), {{"n", ToBase64Url(std::string(1025, '\x01'))}})), HasSubstr("too large"));
  // 2048 bits that are 3 to the power of 1292, and an even number.
  EXPECT_THAT(LeftOut(With(Rsa().Jwk(), {{"n", ToBase64Url(std::string(256, '\xff'))}})), HasSubstr("modulus"));
  EXPECT_THAT(LeftOut(With(Rsa().Jwk(), {{"n", ToBase64Url(std::string(256, '\xfe'))}})), HasSubstr("modulus"));
}

TEST(KeySetTest, APointMustBeOnTheCurve) {
  const Json other = IssuerKey::Ec("other").Jwk();
  EXPECT_THAT(LeftOut(With(Ec().Jwk(), {{"y", other["y"]}})), HasSubstr("not on the curve"));
  const std::string zero = ToBase64Url(std::string(32, '\0'));
  EXPECT_THAT(LeftOut(With(Ec().Jwk(), {{"x", zero}, {"y", zero}})), HasSubstr("not on the curve"));
  EXPECT_THAT(LeftOut(With(Ec().Jwk(), {{"x", ToBase64Url(std::string(31, 'x'))}})), HasSubstr("32 bytes"));
  EXPECT_THAT(LeftOut(With(Ed().Jwk(), {{"x", ToBase64Url(std::string(33, 'x'))}})), HasSubstr("32 bytes"));
}

TEST(KeySetTest, AKeyThatIsForSomethingElseIsLeftOut) {
  EXPECT_THAT(LeftOut(With(Ec().Jwk(), {{"use", "enc"}})), HasSubstr("use"));
  EXPECT_THAT(LeftOut(With(Ec().Jwk(), {{"use", nullptr}})), HasSubstr("use"));
  EXPECT_THAT(LeftOut(With(Ec().Jwk(), {{"key_ops", {"sign"}}})), HasSubstr("key_ops"));
  EXPECT_THAT(LeftOut(With(Ec().Jwk(), {{"key_ops", "verify"}})), HasSubstr("key_ops"));
  EXPECT_THAT(LeftOut(With(Ec().Jwk(), {{"alg", "ES384"}})), HasSubstr("alg"));
  EXPECT_THAT(LeftOut(With(Ec().Jwk(), {{"alg", nullptr}})), HasSubstr("alg"));
  EXPECT_THAT(LeftOut(With(Rsa().Jwk(), {{"alg", "PS256"}})), HasSubstr("alg"));
  EXPECT_THAT(LeftOut(With(Rsa().Jwk(), {{"alg", "ES256"}})), HasSubstr("alg"));
  EXPECT_THAT(LeftOut(With(Ec().Jwk(), {{"crv", "P-384"}})), HasSubstr("not RSA, P-256 or Ed25519"));
  EXPECT_THAT(LeftOut(With(Ed().Jwk(), {{"crv", "X25519"}})), HasSubstr("not RSA, P-256 or Ed25519"));
  EXPECT_THAT(LeftOut(With(Ec().Jwk(), {{"kty", "ec"}})), HasSubstr("not RSA, P-256 or Ed25519"));
  // With a symmetric key anybody who checks tokens could make them.
  EXPECT_THAT(LeftOut({{"kty", "oct"}, {"kid", "s"}, {"alg", "HS256"}, {"k", "c2VjcmV0"}}), HasSubstr("private"));
  EXPECT_THAT(LeftOut({{"kty", "oct"}, {"kid", "s"}, {"alg", "HS256"}}), HasSubstr("not RSA"));
  EXPECT_THAT(LeftOut(With(Ec().Jwk(), {{"d", "c2VjcmV0"}})), HasSubstr("private"));
}

TEST(KeySetTest, AMalformedKeyIsLeftOut) {
  for (const Json& jwk : {Json(7), Json("key"), Json::array(), Json(nullptr)}) {
    EXPECT_THAT(LeftOut(jwk), HasSubstr("not a JSON object"));
  }
  for (const Json& id : {Json(""), Json(7), Json(nullptr), Json(std::string(257, 'k'))}) {
    EXPECT_THAT(LeftOut(With(Ec().Jwk(), {{"kid", id}})), HasSubstr("kid"));
  }
  for (const Json& x : {Json(7), Json(""), Json("*"), Json("AA=="), Json(nullptr)}) {
    EXPECT_THAT(LeftOut(With(Ec().Jwk(), {{"x", x}})), HasSubstr("x is missing"));
    EXPECT_THAT(LeftOut(With(Ed().Jwk(), {{"x", x}})), HasSubstr("x is missing"));
    EXPECT_THAT(LeftOut(With(Rsa().Jwk(), {{"n", x}})), HasSubstr("n is missing"));
  }
}

TEST(KeySetTest, ASetThatIsNoneIsRefused) {
  const std::string key = Ec().Jwk().dump();
  const std::vector<std::string> bad = {
      "",
      "null",
      "[]",
      "{}",
      R"({"keys":{}})",
      R"({"keys":[]})",
      R"({"keys":[{}]})",
      R"({"keys":[)" + key + "]",
      R"({"keys":[)" + key + "]} x",
      R"({"keys":[)" + key + std::string("]}\0", 3),
      R"({"keys":[)" + key + R"(],"keys":[]})",
      R"({"keys":[)" + key + "," + key + "]}",
      R"({"keys":[)" + key + R"(],"x":[[[[[[]]]]]]})",
      R"({"keys":[)" + key + R"(],"x":")" + std::string(KeySet::kMaxBytes, 'x') + R"("})"};
  for (const std::string& text : bad) {
    EXPECT_EQ(KeySet::Parse(text).status().code(), absl::StatusCode::kInvalidArgument) << text.substr(0, 200);
  }
  EXPECT_THAT(KeySet::Parse(R"({"keys":[)" + key + "]}"), IsOk());
}

TEST(KeySetTest, ASetHasAtMost64Keys) {
  std::vector<Json> keys;
  for (int i = 0; i < 64; ++i) keys.push_back(With(Ec().Jwk(), {{"kid", std::to_string(i)}}));
  const auto set = KeySet::Parse(Jwks(keys));
  ASSERT_THAT(set, IsOk());
  EXPECT_EQ((*set)->size(), 64u);
  keys.push_back(Ec().Jwk());
  EXPECT_EQ(KeySet::Parse(Jwks(keys)).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(KeySetTest, EachSetHasAGenerationOfItsOwn) {
  const std::string text = Jwks({Ec().Jwk()});
  EXPECT_NE((*KeySet::Parse(text))->generation(), (*KeySet::Parse(text))->generation());
}

}  // namespace
}  // namespace hail::auth
