// A public key that verifies the signatures of tokens, by OpenSSL.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace hail::auth {

// The signature algorithms of JWS (RFC 7518 section 3, RFC 8037 section 3.1) that Hail accepts.
enum class Algorithm {
  // RSASSA-PKCS1-v1_5 with SHA-256.
  kRs256,
  // ECDSA on P-256 with SHA-256.
  kEs256,
  // Ed25519.
  kEdDsa,
};

// "RS256", "ES256", "EdDSA".
std::string_view AlgorithmName(Algorithm algorithm);

// Immutable and thread-safe; copies share the key.
//
// A key has one algorithm, by its kind. What a token says of its algorithm therefore cannot choose how it is verified.
class PublicKey {
 public:
  static constexpr int kMinRsaBits = 2048;
  // A verification of 8192 bits takes 0.2 ms.
  static constexpr int kMaxRsaBits = 8192;

  // From the numbers of a JWK (RFC 7518 section 6), big-endian bytes. INVALID_ARGUMENT says what is wrong: a modulus
  // that is too small or too large, an exponent below 65537 or even, a point that is not on the curve, a wrong size.
  static absl::StatusOr<PublicKey> Rsa(std::string_view modulus, std::string_view exponent);
  static absl::StatusOr<PublicKey> P256(std::string_view x, std::string_view y);
  static absl::StatusOr<PublicKey> Ed25519(std::string_view x);

  Algorithm algorithm() const { return algorithm_; }

  // Whether `signature`, in JWS's form, is this key's for `text`. ES256's form is r and s with 32 bytes each.
  bool Verifies(std::string_view text, std::string_view signature) const;

 private:
  // `key` is an EVP_PKEY.
  PublicKey(Algorithm algorithm, std::size_t signature_bytes, std::shared_ptr<void> key)
      : algorithm_(algorithm), signature_bytes_(signature_bytes), key_(std::move(key)) {}

  Algorithm algorithm_;
  std::size_t signature_bytes_;
  std::shared_ptr<void> key_;
};

}  // namespace hail::auth
