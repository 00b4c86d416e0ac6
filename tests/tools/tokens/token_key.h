// Tokens for development: as an identity provider would issue them, for the edge (docs/edge.md).
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace hail {

// A private key of elliptic curve P-256, which signs tokens (RFC 7519) with ES256 (RFC 7518, section 3.4). Thread-safe.
class TokenKey {
 public:
  // Reads a PEM file, such as build/edge/token.key. INVALID_ARGUMENT if there is no such key in it.
  static absl::StatusOr<TokenKey> Read(const std::string& path);

  // A token for the rider or driver `subject`. `audience` is "hail-rider" or "hail-driver".
  std::string Token(const std::string& audience, const std::string& subject, absl::Time now,
                    absl::Duration valid_for) const;

 private:
  // An EVP_PKEY.
  explicit TokenKey(std::shared_ptr<void> key) : key_(std::move(key)) {}

  std::shared_ptr<void> key_;
};

}  // namespace hail
