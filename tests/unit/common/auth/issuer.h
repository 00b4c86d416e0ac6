// An issuer of tokens for tests: keys of each kind, made by OpenSSL, and tokens with any header and claims.
#pragma once

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/errors/check.h"
#include "common/text/base64url.h"
#include "nlohmann/json.hpp"

namespace hail::auth::testing {

using Json = nlohmann::ordered_json;

inline const unsigned char* Bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

// `a.b`, the part of a token that is signed.
inline std::string Joined(const std::string& header, const std::string& claims) {
  return ToBase64Url(header) + "." + ToBase64Url(claims);
}

// A private key, its public half as a JWK, and signatures in JWS's form.
class IssuerKey {
 public:
  static IssuerKey Rsa(std::string id, unsigned bits = 2048, unsigned long exponent = 65537) {
    std::unique_ptr<EVP_PKEY_CTX, void (*)(EVP_PKEY_CTX*)> context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr),
                                                                   EVP_PKEY_CTX_free);
    std::unique_ptr<BIGNUM, void (*)(BIGNUM*)> e(BN_new(), BN_free);
    EVP_PKEY* key = nullptr;
    BN_set_word(e.get(), exponent);
    HAIL_CHECK(EVP_PKEY_keygen_init(context.get()) == 1);
    HAIL_CHECK(EVP_PKEY_CTX_set_rsa_keygen_bits(context.get(), static_cast<int>(bits)) == 1);
    HAIL_CHECK(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(context.get(), e.get()) == 1);
    HAIL_CHECK(EVP_PKEY_generate(context.get(), &key) == 1);
    return IssuerKey(std::move(id), "RS256", key);
  }
  static IssuerKey Ec(std::string id, const char* curve = "P-256") {
    return IssuerKey(std::move(id), "ES256", EVP_EC_gen(curve));
  }
  static IssuerKey Ed(std::string id) {
    return IssuerKey(std::move(id), "EdDSA", EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  }

  const std::string& id() const { return id_; }
  const std::string& algorithm() const { return algorithm_; }

  Json Jwk() const {
    Json jwk = {{"kid", id_}, {"use", "sig"}, {"alg", algorithm_}};
    if (algorithm_ == "RS256") {
      jwk.update({{"kty", "RSA"},
                  {"n", ToBase64Url(Number(OSSL_PKEY_PARAM_RSA_N))},
                  {"e", ToBase64Url(Number(OSSL_PKEY_PARAM_RSA_E))}});
    } else if (algorithm_ == "ES256") {
      jwk.update({{"kty", "EC"},
                  {"crv", "P-256"},
                  {"x", ToBase64Url(Number(OSSL_PKEY_PARAM_EC_PUB_X, 32))},
                  {"y", ToBase64Url(Number(OSSL_PKEY_PARAM_EC_PUB_Y, 32))}});
    } else {
      std::string raw(32, '\0');
      std::size_t size = raw.size();
      HAIL_CHECK(EVP_PKEY_get_raw_public_key(key_.get(), reinterpret_cast<unsigned char*>(raw.data()), &size) == 1);
      jwk.update({{"kty", "OKP"}, {"crv", "Ed25519"}, {"x", ToBase64Url(raw)}});
    }
    return jwk;
  }

  std::string Signature(const std::string& text) const {
    const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    std::size_t size = 0;
    const EVP_MD* digest = algorithm_ == "EdDSA" ? nullptr : EVP_sha256();
    HAIL_CHECK(EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key_.get()) == 1);
    HAIL_CHECK(EVP_DigestSign(context.get(), nullptr, &size, Bytes(text), text.size()) == 1);
    std::string signature(size, '\0');
    HAIL_CHECK(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, Bytes(text),
                              text.size()) == 1);
    signature.resize(size);
    return algorithm_ == "ES256" ? Plain(signature) : signature;
  }

  // With the header and claims as they are, whatever they say.
  std::string Signed(const std::string& header, const std::string& claims) const {
    const std::string text = Joined(header, claims);
    return text + "." + ToBase64Url(Signature(text));
  }

  std::string Token(const Json& claims) const {
    return Signed(Json{{"alg", algorithm_}, {"typ", "JWT"}, {"kid", id_}}.dump(), claims.dump());
  }

 private:
  IssuerKey(std::string id, std::string algorithm, EVP_PKEY* key)
      : id_(std::move(id)), algorithm_(std::move(algorithm)), key_(key, EVP_PKEY_free) {
    HAIL_CHECK(key != nullptr);
  }

  // Big-endian, of `size` bytes; 0: as few as it needs.
  std::string Number(const char* name, int size = 0) const {
    BIGNUM* number = nullptr;
    HAIL_CHECK(EVP_PKEY_get_bn_param(key_.get(), name, &number) == 1);
    std::string bytes(static_cast<std::size_t>(size == 0 ? BN_num_bytes(number) : size), '\0');
    BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
    BN_free(number);
    return bytes;
  }

  static std::string Plain(const std::string& der) {
    const unsigned char* bytes = Bytes(der);
    const std::unique_ptr<ECDSA_SIG, void (*)(ECDSA_SIG*)> signature(
        d2i_ECDSA_SIG(nullptr, &bytes, static_cast<long>(der.size())), ECDSA_SIG_free);
    std::string plain(64, '\0');
    auto* const out = reinterpret_cast<unsigned char*>(plain.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), out, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), out + 32, 32);
    return plain;
  }

  std::string id_;
  std::string algorithm_;
  std::shared_ptr<EVP_PKEY> key_;
};

// A key of each kind, the same for a whole process: an RSA key takes a while to make.
inline const IssuerKey& Rsa() {
  static const IssuerKey key = IssuerKey::Rsa("rsa");
  return key;
}
inline const IssuerKey& Ec() {
  static const IssuerKey key = IssuerKey::Ec("ec");
  return key;
}
inline const IssuerKey& Ed() {
  static const IssuerKey key = IssuerKey::Ed("ed");
  return key;
}

// A JWKS of these keys.
inline std::string Jwks(const std::vector<Json>& keys) { return Json{{"keys", keys}}.dump(); }

// Claims of a rider's good token, from `now` for ten minutes.
inline Json RiderClaims(absl::Time now) {
  return {
      {"iss", "https://id.hail.example"},      {"aud", "hail-rider"}, {"sub", "ada"}, {"iat", absl::ToUnixSeconds(now)},
      {"exp", absl::ToUnixSeconds(now) + 600}, {"role", "rider"}};
}

}  // namespace hail::auth::testing
