#include "common/auth/token_verifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
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
using testing::Joined;
using testing::Json;
using testing::Jwks;
using ::testing::Not;
using testing::RiderClaims;
using testing::Rsa;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

const KeySet& Keys() {
  static const std::shared_ptr<const KeySet> keys = *KeySet::Parse(Jwks({Rsa().Jwk(), Ec().Jwk(), Ed().Jwk()}));
  return *keys;
}

absl::StatusOr<Identity> Verify(const std::string& token, absl::Time now = kNow, TokenFault* fault = nullptr) {
  return TokenVerifier({.issuer = "https://id.hail.example", .audience = "hail-rider"})
      .Verify(token, Keys(), now, fault);
}

Json With(Json claims, const Json& changes) {
  claims.update(changes);
  return claims;
}
Json Without(Json claims, const char* name) {
  claims.erase(name);
  return claims;
}
Json Good() { return RiderClaims(kNow); }

// What the log says of the token; the caller must get TOKEN_INVALID and nothing of it.
std::string Invalid(const std::string& token, absl::Time now = kNow) {
  TokenFault fault;
  const absl::StatusOr<Identity> identity = Verify(token, now, &fault);
  EXPECT_THAT(identity, HasReason(Reason::kTokenInvalid)) << token;
  EXPECT_EQ(identity.status(), Verify("").status()) << "a caller learns no more";
  return fault.detail;
}
std::string Invalid(const Json& claims) { return Invalid(Ec().Token(claims)); }
std::string InvalidHeader(const Json& header) { return Invalid(Ec().Signed(header.dump(), Good().dump())); }

TEST(TokenVerifierTest, AGoodTokenOfEachAlgorithmNamesItsBearer) {
  for (const IssuerKey* key : {&Rsa(), &Ec(), &Ed()}) {
    const auto identity = Verify(key->Token(Good()));
    ASSERT_THAT(identity, IsOk());
    EXPECT_EQ(identity->role, Role::kRider);
    EXPECT_EQ(identity->subject, "ada");
    EXPECT_EQ(identity->rider, "ada");
    EXPECT_EQ(identity->driver, "");
    EXPECT_EQ(identity->ride, "");
    EXPECT_EQ(identity->key_id, key->id());
    EXPECT_EQ(identity->expires, kNow + absl::Seconds(660));
  }
}

TEST(TokenVerifierTest, ATokenIsThreePartsOfStrictBase64Url) {
  const std::string token = Ec().Token(Good());
  const std::string text = token.substr(0, token.rfind('.'));
  const std::string signature = token.substr(token.rfind('.'));
  ASSERT_THAT(Verify(token), IsOk());
  for (const std::string& bad : {std::string(),
                                 std::string("."),
                                 std::string(".."),
                                 std::string("..."),
                                 text,
                                 text + ".",
                                 token + ".",
                                 "." + token,
                                 token + "=",
                                 token + "==",
                                 token + " ",
                                 " " + token,
                                 token + "\n",
                                 token + std::string(1, '\0'),
                                 token + ".e30",
                                 token + "," + token,
                                 text + "=" + signature,
                                 text + "." + signature,
                                 std::string("e30.e30.e30"),
                                 std::string(TokenVerifier::kMaxTokenBytes + 1, 'a'),
                                 std::string(65'536, '.')}) {
    Invalid(bad);
  }
  for (const char* two : {"e30", "e30.e30"})
    EXPECT_THAT(Invalid(std::string(two)), HasSubstr("does not have three parts"));
  // The last character has bits that no byte needs: another spelling of the same bytes.
  std::string spelled = token;
  ASSERT_EQ((token.size() - token.rfind('.') - 1) % 4, 2u);
  spelled.back() = static_cast<char>(spelled.back() + 1);
  Invalid(spelled);
}

TEST(TokenVerifierTest, ATokenHasAtMostFourKilobytes) {
  const auto padded = [](std::size_t size) { return Ec().Token(With(Good(), {{"pad", std::string(size, 'x')}})); };
  std::size_t size = 2000;
  while (padded(size + 1).size() <= TokenVerifier::kMaxTokenBytes) ++size;
  EXPECT_THAT(Verify(padded(size)), IsOk());
  EXPECT_THAT(Invalid(padded(size + 3)), HasSubstr("4096 bytes"));
}

TEST(TokenVerifierTest, TheAlgorithmIsTheKeys) {
  for (const char* none : {"none", "None", "NONE", "nOnE", ""}) {
    const std::string text = Joined(Json{{"alg", none}, {"kid", "ec"}}.dump(), Good().dump());
    Invalid(text + ".");
    Invalid(text + "." + ToBase64Url(Ec().Signature(text)));
  }
  // The public key as the secret of an HMAC.
  for (const std::string& secret : {Rsa().Jwk().dump(), Rsa().Jwk()["n"].get<std::string>()}) {
    const std::string text = Joined(R"({"alg":"HS256","kid":"rsa"})", Good().dump());
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), testing::Bytes(text), text.size(), digest,
         &size);
    EXPECT_THAT(Invalid(text + "." + ToBase64Url({reinterpret_cast<const char*>(digest), size})), HasSubstr("alg"));
  }
  // Another key's algorithm, signed by either.
  for (const IssuerKey* named : {&Rsa(), &Ec(), &Ed()}) {
    for (const IssuerKey* signer : {&Rsa(), &Ec(), &Ed()}) {
      if (named == signer) continue;
      Invalid(signer->Signed(Json{{"alg", signer->algorithm()}, {"kid", named->id()}}.dump(), Good().dump()));
      EXPECT_THAT(
          Invalid(signer->Signed(Json{{"alg", named->algorithm()}, {"kid", named->id()}}.dump(), Good().dump())),
          HasSubstr("signature"));
    }
  }
  for (const Json& alg : {Json("ES384"), Json("PS256"), Json("es256"), Json(7), Json(nullptr), Json({"ES256"})}) {
    InvalidHeader({{"alg", alg}, {"kid", "ec"}});
  }
  InvalidHeader({{"kid", "ec"}});
}

TEST(TokenVerifierTest, ATokenNamesItsKey) {
  EXPECT_THAT(InvalidHeader({{"alg", "ES256"}}), HasSubstr("no kid"));
  for (const Json& id : {Json(""), Json(nullptr), Json(7)}) {
    EXPECT_THAT(InvalidHeader({{"alg", "ES256"}, {"kid", id}}), HasSubstr("no kid"));
  }
  for (const char* id : {"other", "EC", "ec ", "../../../dev/null", "/etc/passwd", "ec' OR '1'='1",
                         "'; DROP TABLE keys; --", "http://evil.example/jwks", "\u202e"}) {
    TokenFault fault;
    EXPECT_THAT(Verify(Ec().Signed(Json{{"alg", "ES256"}, {"kid", id}}.dump(), Good().dump()), kNow, &fault),
                HasReason(Reason::kTokenInvalid));
    EXPECT_TRUE(fault.unknown_key) << id;
    EXPECT_THAT(fault.detail, Not(HasSubstr(id)));
  }
  TokenFault fault;
  Verify(Ec().Token(With(Good(), {{"iss", "other"}})), kNow, &fault).IgnoreError();
  EXPECT_FALSE(fault.unknown_key);
}

TEST(TokenVerifierTest, ATokenBringsNoKey) {
  const Json header = {{"alg", "ES256"}, {"kid", "ec"}};
  for (const char* name : {"jku", "x5u"}) {
    EXPECT_THAT(InvalidHeader(With(header, {{name, "https://evil.example/jwks"}})), HasSubstr(name));
  }
  EXPECT_THAT(InvalidHeader(With(header, {{"jwk", Ec().Jwk()}})), HasSubstr("nested"));
  EXPECT_THAT(InvalidHeader(With(header, {{"jwk", "x"}})), HasSubstr("jwk"));
  EXPECT_THAT(InvalidHeader(With(header, {{"x5c", "x"}})), HasSubstr("x5c"));
}

TEST(TokenVerifierTest, AHeaderThatMeansMoreIsRefused) {
  const Json header = {{"alg", "ES256"}, {"kid", "ec"}};
  for (const Json& crit : {Json("b64"), Json(nullptr), Json(false)}) {
    EXPECT_THAT(InvalidHeader(With(header, {{"crit", crit}})), HasSubstr("crit"));
  }
  InvalidHeader(With(header, {{"crit", {"exp"}}}));
  InvalidHeader(With(header, {{"crit", Json::array()}}));
  for (const Json& type : {Json("logout+jwt"), Json("JWE"), Json(""), Json(7)}) {
    EXPECT_THAT(InvalidHeader(With(header, {{"typ", type}})), HasSubstr("typ"));
  }
  for (const char* type : {"JWT", "jwt", "at+jwt"}) {
    EXPECT_THAT(Verify(Ec().Signed(With(header, {{"typ", type}}).dump(), Good().dump())), IsOk());
  }
  EXPECT_THAT(Verify(Ec().Signed(header.dump(), Good().dump())), IsOk());
}

TEST(TokenVerifierTest, JsonHasOneReading) {
  const std::string header = R"({"alg":"ES256","kid":"ec"})";
  const std::string claims = Good().dump();
  const auto and_also = [](const std::string& object, const std::string& more) {
    return object.substr(0, object.size() - 1) + "," + more + "}";
  };
  ASSERT_THAT(Verify(Ec().Signed(header, claims)), IsOk());
  for (const std::string& twice : {and_also(header, R"("kid":"ec")"), and_also(header, R"("\u006bid":"other")"),
                                   and_also(header, R"("alg":"none")")}) {
    EXPECT_THAT(Invalid(Ec().Signed(twice, claims)), HasSubstr("twice"));
  }
  for (const std::string& twice : {and_also(claims, R"("sub":"bob")"), and_also(claims, R"("\u0073ub":"ada")"),
                                   and_also(claims, R"("authorization":{"rider_id":"ada","rider_id":"bob"})")}) {
    EXPECT_THAT(Invalid(Ec().Signed(header, twice)), HasSubstr("twice"));
  }
  for (const std::string& bad :
       {std::string(), std::string("{"), std::string("7"), "[" + claims + "]", claims + "x", claims + claims,
        claims + std::string(1, '\0'), claims + std::string("\0x", 2), std::string("\xff\xfe"),
        and_also(claims, "\"\xff\":1"), and_also(claims, R"("a":NaN)"), and_also(claims, R"("a":1e999)"),
        and_also(claims, R"("a":)" + std::string(500, '['))}) {
    Invalid(Ec().Signed(header, bad));
    Invalid(Ec().Signed(bad, claims));
  }
}

TEST(TokenVerifierTest, ClaimsAreFewAndShallow) {
  Json many = Good();
  for (std::size_t i = many.size(); i < TokenVerifier::kMaxClaims; ++i) many["claim" + std::to_string(i)] = 1;
  EXPECT_THAT(Verify(Ec().Token(many)), IsOk());
  many["one more"] = 1;
  EXPECT_THAT(Invalid(many), HasSubstr("more JSON members"));
  // As Keycloak has them.
  const Json realm = {{"account", {{"roles", {"view-profile"}}}}};
  EXPECT_THAT(Verify(Ec().Token(With(Good(), {{"resource_access", realm}}))), IsOk());
  EXPECT_THAT(Invalid(With(Good(), {{"resource_access", {{"deeper", realm}}}})), HasSubstr("nested"));
  EXPECT_THAT(Invalid(Ec().Signed(R"({"alg":"ES256","kid":"ec","x":{}})", Good().dump())), HasSubstr("nested"));
}

TEST(TokenVerifierTest, ASignatureHasOneSize) {
  const std::string text = Joined(R"({"alg":"ES256","kid":"ec"})", Good().dump());
  const std::string signature = Ec().Signature(text);
  const auto with = [&](const std::string& other) { return text + "." + ToBase64Url(other); };
  ASSERT_THAT(Verify(with(signature)), IsOk());
  for (const std::string& bad :
       {signature.substr(1), signature + "x", std::string(1, '\0') + signature, std::string(64, '\0'),
        std::string(64, '\xff'), std::string(32, '\0') + signature.substr(32),
        signature.substr(0, 32) + std::string(32, '\0'), std::string()}) {
    EXPECT_THAT(Invalid(with(bad)), HasSubstr("signature"));
  }
  // The other s of the same r is a good signature, too (RFC 7518 asks for no lower half), so nothing may rely on one
  // token having one text.
  std::unique_ptr<BIGNUM, void (*)(BIGNUM*)> s(BN_bin2bn(testing::Bytes(signature) + 32, 32, nullptr), BN_free);
  BIGNUM* order = nullptr;
  BN_hex2bn(&order, "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551");
  BN_sub(s.get(), order, s.get());
  BN_free(order);
  std::string other = signature;
  BN_bn2binpad(s.get(), reinterpret_cast<unsigned char*>(other.data()) + 32, 32);
  EXPECT_NE(other, signature);
  EXPECT_THAT(Verify(with(other)), IsOk());
}

TEST(TokenVerifierTest, NothingOfASignedTextCanChange) {
  for (const IssuerKey* key : {&Ec(), &Ed()}) {
    const std::string token = key->Token(Good());
    for (std::size_t i = 0; i < token.size(); ++i) {
      std::string damaged = token;
      damaged[i] = damaged[i] == 'A' ? 'B' : 'A';
      EXPECT_THAT(Verify(damaged), HasReason(Reason::kTokenInvalid)) << i;
    }
  }
}

TEST(TokenVerifierTest, ATokenIsOfTheIssuerForThisService) {
  for (const Json& issuer : {Json("https://id.hail.example/"), Json("https://evil.example"), Json(""), Json(7),
                             Json(nullptr), Json({"https://id.hail.example"})}) {
    EXPECT_THAT(Invalid(With(Good(), {{"iss", issuer}})), HasSubstr("iss"));
  }
  EXPECT_THAT(Invalid(Without(Good(), "iss")), HasSubstr("iss"));
  for (const Json& audience : {Json("hail-driver"), Json("HAIL-RIDER"), Json(""), Json(nullptr), Json(7), Json::array(),
                               Json({"hail-driver"}), Json({"hail-rider", 7}), Json({{"hail-rider", 1}})}) {
    EXPECT_THAT(Invalid(With(Good(), {{"aud", audience}})), HasSubstr("aud"));
  }
  EXPECT_THAT(Invalid(Without(Good(), "aud")), HasSubstr("aud"));
  EXPECT_THAT(Verify(Ec().Token(With(Good(), {{"aud", {"hail-driver", "hail-rider"}}}))), IsOk());
}

TEST(TokenVerifierTest, TimesAreCheckedToTheSecond) {
  const std::string token = Ec().Token(Good());
  const auto at = [&](int seconds) { return Verify(token, kNow + absl::Seconds(seconds)); };
  // It ends after 600 s, and clocks may differ by 60.
  EXPECT_THAT(at(659), IsOk());
  EXPECT_THAT(at(660), HasReason(Reason::kTokenExpired));
  EXPECT_THAT(at(100'000), HasReason(Reason::kTokenExpired));
  // iat may be ten minutes ahead.
  EXPECT_THAT(at(-600), IsOk());
  EXPECT_THAT(at(-601), HasReason(Reason::kTokenInvalid));

  const std::int64_t now = absl::ToUnixSeconds(kNow);
  EXPECT_THAT(Verify(Ec().Token(With(Good(), {{"nbf", now + 60}}))), IsOk());
  EXPECT_THAT(Invalid(With(Good(), {{"nbf", now + 61}})), HasSubstr("nbf"));
  EXPECT_THAT(Verify(Ec().Token(With(Good(), {{"exp", now + 3600}}))), IsOk());
  EXPECT_THAT(Invalid(With(Good(), {{"exp", now + 3601}})), HasSubstr("lives for 1h1s"));
  EXPECT_THAT(Invalid(With(Good(), {{"exp", now}})), HasSubstr("not after"));
  EXPECT_THAT(Invalid(With(Good(), {{"exp", now - 1}})), HasSubstr("not after"));
  // RFC 7519 allows fractions.
  EXPECT_THAT(Verify(Ec().Token(With(Good(), {{"exp", static_cast<double>(now) + 0.5}}))), IsOk());

  for (const char* name : {"exp", "iat", "nbf"}) {
    for (const Json& bad : {Json("1800000100"), Json(nullptr), Json(true), Json(-1), Json(1e18), Json(-1e300),
                            Json(9223372036854775807), Json(18446744073709551615u), Json({now})}) {
      EXPECT_THAT(Invalid(With(Good(), {{name, bad}})), HasSubstr(name));
    }
  }
  EXPECT_THAT(Invalid(Without(Good(), "exp")), HasSubstr("exp"));
  EXPECT_THAT(Invalid(Without(Good(), "iat")), HasSubstr("iat"));
}

TEST(TokenVerifierTest, TheLogLearnsByHowMuchAClockIsWrong) {
  TokenFault fault;
  const auto expired = Verify(Ec().Token(Good()), kNow + absl::Seconds(725), &fault);
  EXPECT_THAT(expired, HasReason(Reason::kTokenExpired));
  EXPECT_THAT(fault.detail, HasSubstr("expired 2m5s ago"));
  EXPECT_THAT(fault.detail, HasSubstr("skew of 1m is"));
  EXPECT_THAT(std::string(expired.status().message()), Not(HasSubstr("2m5s")));
  EXPECT_THAT(Invalid(Ec().Token(Good()), kNow - absl::Hours(2)), HasSubstr("2h ahead"));
}

TEST(TokenVerifierTest, OnlyAGoodTokenIsCalledExpired) {
  const absl::Time late = kNow + absl::Hours(3);
  std::string forged = Ec().Token(Good());
  forged[forged.size() - 5] = forged[forged.size() - 5] == 'A' ? 'B' : 'A';
  Invalid(forged, late);
  Invalid(Ec().Token(With(Good(), {{"iss", "other"}})), late);
  Invalid(Ec().Token(With(Good(), {{"aud", "other"}})), late);
  Invalid(Ec().Token(With(Good(), {{"role", "admin"}})), late);
}

TEST(TokenVerifierTest, ARoleActsForItsOwn) {
  struct Case {
    const char* role;
    Json authorization;
    std::string rider, driver, ride;
  };
  for (const Case& each : {Case{"rider", nullptr, "ada", "", ""},
                           {"rider", Json::object(), "ada", "", ""},
                           {"rider", {{"rider_id", "bob"}}, "bob", "", ""},
                           {"rider", {{"rider_id", "bob"}, {"ride_id", "r1"}}, "bob", "", "r1"},
                           {"rider", {{"ride_id", "r1"}}, "ada", "", "r1"},
                           {"driver", nullptr, "", "ada", ""},
                           {"driver", {{"driver_id", "dan"}}, "", "dan", ""},
                           {"viewer", {{"ride_id", "r1"}}, "", "", "r1"},
                           {"viewer", {{"ride_id", "r1"}, {"rider_id", "bob"}}, "bob", "", "r1"},
                           {"server", nullptr, "", "", ""},
                           {"server", {{"rider_id", "*"}, {"driver_id", "*"}, {"ride_id", "*"}}, "*", "*", "*"},
                           {"server", {{"rider_id", "bob"}}, "bob", "", ""},
                           {"operator", {{"driver_id", "*"}}, "", "*", ""}}) {
    Json claims = With(Good(), {{"role", each.role}});
    if (!each.authorization.is_null()) claims["authorization"] = each.authorization;
    const auto identity = Verify(Ec().Token(claims));
    ASSERT_THAT(identity, IsOk()) << claims;
    EXPECT_EQ(RoleName(identity->role), each.role);
    EXPECT_EQ(identity->subject, "ada");
    EXPECT_EQ(identity->rider, each.rider) << claims;
    EXPECT_EQ(identity->driver, each.driver) << claims;
    EXPECT_EQ(identity->ride, each.ride) << claims;
  }
}

TEST(TokenVerifierTest, ARoleActsForNobodyElse) {
  const auto with = [](const char* role, const Json& authorization) {
    return With(Good(), {{"role", role}, {"authorization", authorization}});
  };
  // All is for servers and operators, in their claims only.
  for (const char* role : {"rider", "driver", "viewer"}) {
    for (const char* name : {"rider_id", "driver_id", "ride_id"}) Invalid(with(role, {{name, "*"}}));
  }
  for (const char* role : {"rider", "driver", "server", "operator"}) {
    EXPECT_THAT(Invalid(With(Good(), {{"role", role}, {"sub", "*"}})), HasSubstr("sub"));
  }
  // Nothing is not all.
  for (const char* role : {"rider", "driver", "server", "operator"}) {
    for (const char* name : {"rider_id", "driver_id", "ride_id"}) {
      for (const Json& bad : {Json(""), Json(nullptr), Json(7), Json(true), Json({"*"}), Json({"ada"}), Json::object(),
                              Json(" "), Json("a b"), Json("ada\u200b"), Json("ada\n"), Json(std::string(129, 'x'))}) {
        Invalid(with(role, {{name, bad}}));
      }
    }
    for (const Json& bad : {Json("ada"), Json("*"), Json(nullptr), Json({"ada"}), Json(7)}) Invalid(with(role, bad));
    Invalid(with(role, {{"riderid", "ada"}}));
    Invalid(with(role, {{"Rider_id", "ada"}}));
  }
  EXPECT_THAT(Invalid(with("rider", {{"driver_id", "ada"}})), HasSubstr("has a driver_id"));
  EXPECT_THAT(Invalid(with("driver", {{"rider_id", "ada"}})), HasSubstr("has a rider_id"));
  EXPECT_THAT(Invalid(with("viewer", {{"driver_id", "ada"}, {"ride_id", "r1"}})), HasSubstr("has a driver_id"));
  EXPECT_THAT(Invalid(With(Good(), {{"role", "viewer"}})), HasSubstr("has no ride_id"));
  for (const Json& role : {Json(""), Json("Rider"), Json("admin"), Json("*"), Json("rider-service"),
                           Json("driver-service"), Json(nullptr), Json({"rider"}), Json(0)}) {
    EXPECT_THAT(Invalid(With(Good(), {{"role", role}})), HasSubstr("role"));
  }
  EXPECT_THAT(Invalid(Without(Good(), "role")), HasSubstr("role"));
  for (const Json& subject : {Json(""), Json(nullptr), Json(7), Json({"ada"}), Json("a b"), Json("a\u202e")}) {
    EXPECT_THAT(Invalid(With(Good(), {{"sub", subject}})), HasSubstr("sub"));
  }
  EXPECT_THAT(Invalid(Without(Good(), "sub")), HasSubstr("sub"));
}

}  // namespace
}  // namespace hail::auth
