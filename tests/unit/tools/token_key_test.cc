// Development tokens, checked with OpenSSL's own verification.
#include "tests/tools/tokens/token_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "common/text/base64url.h"
#include "tests/conformance/temp_folder.h"
#include "tests/matchers.h"

namespace hail {
namespace {

using Key = std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)>;

Key NewKey(const char* curve) { return {EVP_EC_gen(curve), EVP_PKEY_free}; }

std::string Written(EVP_PKEY* key, const std::string& path) {
  std::FILE* const file = std::fopen(path.c_str(), "w");
  EXPECT_EQ(PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr), 1);
  std::fclose(file);
  return path;
}

std::string Decoded(const std::string& text) {
  std::string bytes;
  EXPECT_TRUE(FromBase64Url(text, &bytes)) << text;
  return bytes;
}

// Whether the 64 bytes of `signature` sign `text`.
bool Verifies(EVP_PKEY* key, const std::string& text, const std::string& signature) {
  const auto* const bytes = reinterpret_cast<const unsigned char*>(signature.data());
  const std::unique_ptr<ECDSA_SIG, void (*)(ECDSA_SIG*)> numbers(ECDSA_SIG_new(), ECDSA_SIG_free);
  ECDSA_SIG_set0(numbers.get(), BN_bin2bn(bytes, 32, nullptr), BN_bin2bn(bytes + 32, 32, nullptr));
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(numbers.get(), &der);
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key);
  const int verified = EVP_DigestVerify(context.get(), der, static_cast<std::size_t>(size),
                                        reinterpret_cast<const unsigned char*>(text.data()), text.size());
  OPENSSL_free(der);
  return verified == 1;
}

TEST(TokenKeyTest, ATokenNamesItsSubjectAndIsSigned) {
  const TempFolder folder;
  const Key key = NewKey("P-256");
  const auto signer = TokenKey::Read(Written(key.get(), folder.path("token.key")));
  ASSERT_THAT(signer, IsOk());
  // Often enough that a number of the signature begins with a zero byte.
  for (int i = 0; i < 600; ++i) {
    const std::string token = signer->Token("hail-rider", "ada", absl::FromUnixSeconds(1'000 + i), absl::Seconds(60));
    const std::vector<std::string> parts = absl::StrSplit(token, '.');
    ASSERT_EQ(parts.size(), 3u);
    const std::string signature = Decoded(parts[2]);
    ASSERT_EQ(signature.size(), 64u);
    ASSERT_TRUE(Verifies(key.get(), parts[0] + "." + parts[1], signature)) << token;
    const auto header = nlohmann::json::parse(Decoded(parts[0]));
    EXPECT_EQ(header["alg"], "ES256");
    EXPECT_EQ(header["kid"], "development");
    const auto claims = nlohmann::json::parse(Decoded(parts[1]));
    EXPECT_EQ(claims["aud"], "hail-rider");
    EXPECT_EQ(claims["sub"], "ada");
    EXPECT_EQ(claims["exp"], 1'060 + i);
  }
}

TEST(TokenKeyTest, AnotherKindOfKeyIsRefused) {
  const TempFolder folder;
  EXPECT_THAT(TokenKey::Read(Written(NewKey("P-384").get(), folder.path("p384.key"))).status().code(),
              absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(TokenKey::Read(folder.path("none")).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace hail
