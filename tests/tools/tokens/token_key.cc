#include "tests/tools/tokens/token_key.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/status/status.h"
#include "common/errors/check.h"
#include "common/text/base64url.h"

namespace hail {
namespace {

// As deploy/edge/files.py and deploy/edge/envoy.yaml have them.
constexpr char kIssuer[] = "https://id.hail.example";
constexpr char kKeyId[] = "development";
// Bytes of each of the two numbers of a P-256 signature.
constexpr int kNumberBytes = 32;

// The signature as JWS has it: two numbers of a fixed size, not DER.
std::string Plain(const std::string& der) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  const std::unique_ptr<ECDSA_SIG, void (*)(ECDSA_SIG*)> signature(
      d2i_ECDSA_SIG(nullptr, &bytes, static_cast<long>(der.size())), ECDSA_SIG_free);
  HAIL_CHECK(signature != nullptr);
  std::string plain(2 * kNumberBytes, '\0');
  auto* const out = reinterpret_cast<unsigned char*>(plain.data());
  HAIL_CHECK(BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), out, kNumberBytes) == kNumberBytes);
  HAIL_CHECK(BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), out + kNumberBytes, kNumberBytes) == kNumberBytes);
  return plain;
}

std::string Signature(EVP_PKEY* key, const std::string& text) {
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  const auto* const bytes = reinterpret_cast<const unsigned char*>(text.data());
  std::size_t size = 0;
  HAIL_CHECK(EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1);
  HAIL_CHECK(EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size()) == 1);
  std::string der(size, '\0');
  HAIL_CHECK(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(der.data()), &size, bytes, text.size()) ==
             1);
  der.resize(size);
  return Plain(der);
}

}  // namespace

absl::StatusOr<TokenKey> TokenKey::Read(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
  if (file == nullptr) return absl::NotFoundError(path + ": cannot be read");
  std::shared_ptr<void> key(PEM_read_PrivateKey(file.get(), nullptr, nullptr, nullptr),
                            [](void* read) { EVP_PKEY_free(static_cast<EVP_PKEY*>(read)); });
  auto* const read = static_cast<EVP_PKEY*>(key.get());
  if (read == nullptr || EVP_PKEY_get_base_id(read) != EVP_PKEY_EC || EVP_PKEY_get_bits(read) != 8 * kNumberBytes) {
    return absl::InvalidArgumentError(path + ": no private key of curve P-256");
  }
  return TokenKey(std::move(key));
}

std::string TokenKey::Token(const std::string& audience, const std::string& subject, absl::Time now,
                            absl::Duration valid_for) const {
  const nlohmann::json header = {{"alg", "ES256"}, {"kid", kKeyId}, {"typ", "JWT"}};
  const nlohmann::json claims = {{"iss", kIssuer},
                                 {"aud", audience},
                                 {"sub", subject},
                                 {"iat", absl::ToUnixSeconds(now)},
                                 {"exp", absl::ToUnixSeconds(now + valid_for)}};
  const std::string text = ToBase64Url(header.dump()) + "." + ToBase64Url(claims.dump());
  return text + "." + ToBase64Url(Signature(static_cast<EVP_PKEY*>(key_.get()), text));
}

}  // namespace hail
