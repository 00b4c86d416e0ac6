#include "common/auth/public_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/errors/check.h"

namespace hail::auth {
namespace {

// Bytes of a coordinate, and of each of the two numbers of a signature.
constexpr std::size_t kP256Bytes = 32;
constexpr std::size_t kEd25519Bytes = 32;
constexpr std::size_t kEd25519SignatureBytes = 64;
// OpenSSL's own limit for large moduli. Common exponents have 17 bits.
constexpr int kMaxExponentBits = 64;

template <typename T, void (*kFree)(T*)>
struct Free {
  void operator()(T* object) const { kFree(object); }
};
template <typename T, void (*kFree)(T*)>
using Owned = std::unique_ptr<T, Free<T, kFree>>;
using Number = Owned<BIGNUM, BN_free>;
using ParamBuilder = Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>;
using Params = Owned<OSSL_PARAM, OSSL_PARAM_free>;
using KeyContext = Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using DigestContext = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;
using Signature = Owned<ECDSA_SIG, ECDSA_SIG_free>;

const unsigned char* Bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

Number NumberOf(std::string_view bytes) {
  Number number(BN_bin2bn(Bytes(bytes), static_cast<int>(bytes.size()), nullptr));
  HAIL_CHECK(number != nullptr);
  return number;
}

absl::Status Invalid(absl::string_view what) { return absl::InvalidArgumentError(what); }

// The key with these parameters, checked as far as a public key can be; null if it is none.
std::shared_ptr<void> Made(const char* type, OSSL_PARAM_BLD* builder) {
  const Params params(OSSL_PARAM_BLD_to_param(builder));
  const KeyContext making(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  HAIL_CHECK(params != nullptr && making != nullptr && EVP_PKEY_fromdata_init(making.get()) == 1);
  EVP_PKEY* made = nullptr;
  if (EVP_PKEY_fromdata(making.get(), &made, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    ERR_clear_error();
    return nullptr;
  }
  std::shared_ptr<void> key(made, [](void* owned) { EVP_PKEY_free(static_cast<EVP_PKEY*>(owned)); });
  const KeyContext checking(EVP_PKEY_CTX_new_from_pkey(nullptr, made, nullptr));
  HAIL_CHECK(checking != nullptr);
  if (EVP_PKEY_public_check(checking.get()) != 1) {
    ERR_clear_error();
    return nullptr;
  }
  return key;
}

// ECDSA's signature as OpenSSL takes it; empty if it is none. Whether r and s are in their range, OpenSSL checks.
std::string Der(std::string_view plain) {
  const Signature signature(ECDSA_SIG_new());
  HAIL_CHECK(signature != nullptr);
  Number r = NumberOf(plain.substr(0, kP256Bytes));
  Number s = NumberOf(plain.substr(kP256Bytes));
  HAIL_CHECK(ECDSA_SIG_set0(signature.get(), r.release(), s.release()) == 1);
  const int size = i2d_ECDSA_SIG(signature.get(), nullptr);
  if (size <= 0) return "";
  std::string der(static_cast<std::size_t>(size), '\0');
  auto* out = reinterpret_cast<unsigned char*>(der.data());
  i2d_ECDSA_SIG(signature.get(), &out);
  return der;
}

// Found once: OpenSSL otherwise looks it up by name for each signature.
const EVP_MD* Sha256() {
  static const EVP_MD* const digest = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  HAIL_CHECK(digest != nullptr);
  return digest;
}

}  // namespace

std::string_view AlgorithmName(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::kRs256:
      return "RS256";
    case Algorithm::kEs256:
      return "ES256";
    case Algorithm::kEdDsa:
      return "EdDSA";
  }
  return "unknown";
}

absl::StatusOr<PublicKey> PublicKey::Rsa(std::string_view modulus, std::string_view exponent) {
  // Before OpenSSL computes with them.
  if (modulus.size() > kMaxRsaBits / 8 || exponent.size() > kMaxExponentBits / 8)
    return Invalid("its numbers are too large");
  const Number n = NumberOf(modulus);
  const Number e = NumberOf(exponent);
  if (const int bits = BN_num_bits(n.get()); bits < kMinRsaBits) {
    return Invalid(absl::StrCat("its modulus has ", bits, " bits, fewer than ", kMinRsaBits));
  }
  if (BN_is_odd(e.get()) == 0 || BN_get_word(e.get()) < RSA_F4) return Invalid("its exponent is even or below 65537");
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  HAIL_CHECK(OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) == 1 &&
             OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) == 1);
  std::shared_ptr<void> key = Made("RSA", builder.get());
  if (key == nullptr) return Invalid("its modulus is not that of an RSA key");
  const auto bytes = static_cast<std::size_t>(BN_num_bytes(n.get()));
  return PublicKey(Algorithm::kRs256, bytes, std::move(key));
}

absl::StatusOr<PublicKey> PublicKey::P256(std::string_view x, std::string_view y) {
  if (x.size() != kP256Bytes || y.size() != kP256Bytes) return Invalid("a coordinate does not have 32 bytes");
  // An uncompressed point (SEC 1, section 2.3.3).
  const std::string point = "\x04" + std::string(x) + std::string(y);
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  HAIL_CHECK(OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1 &&
             OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) == 1);
  std::shared_ptr<void> key = Made("EC", builder.get());
  if (key == nullptr) return Invalid("its point is not on the curve");
  return PublicKey(Algorithm::kEs256, 2 * kP256Bytes, std::move(key));
}

absl::StatusOr<PublicKey> PublicKey::Ed25519(std::string_view x) {
  if (x.size() != kEd25519Bytes) return Invalid("its x does not have 32 bytes");
  std::shared_ptr<void> key(EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr, Bytes(x), x.size()),
                            [](void* owned) { EVP_PKEY_free(static_cast<EVP_PKEY*>(owned)); });
  if (key == nullptr) {
    ERR_clear_error();
    return Invalid("its x is not a point");
  }
  return PublicKey(Algorithm::kEdDsa, kEd25519SignatureBytes, std::move(key));
}

bool PublicKey::Verifies(std::string_view text, std::string_view signature) const {
  if (signature.size() != signature_bytes_) return false;
  std::string der;
  if (algorithm_ == Algorithm::kEs256) {
    der = Der(signature);
    signature = der;
  }
  // Ed25519 has its own digest.
  const EVP_MD* const digest = algorithm_ == Algorithm::kEdDsa ? nullptr : Sha256();
  const DigestContext context(EVP_MD_CTX_new());
  HAIL_CHECK(context != nullptr);
  const bool verified =
      EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, static_cast<EVP_PKEY*>(key_.get())) == 1 &&
      EVP_DigestVerify(context.get(), Bytes(signature), signature.size(), Bytes(text), text.size()) == 1;
  // A refused signature leaves its errors in the thread's queue, where other users of OpenSSL would find them.
  if (!verified) ERR_clear_error();
  return verified;
}

}  // namespace hail::auth
