// Tokens for development and tests: as an identity provider would issue them (docs/security.md#tokens).
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace hail {

// Whom a token is for.
struct TokenFor {
  // "rider", "driver", "viewer", "server" or "operator". A server's and an operator's token is for both services.
  std::string role;
  // The claim `sub`.
  std::string subject;
  // The claim `authorization`; empty ids are left out.
  std::string rider_id;
  std::string driver_id;
  std::string ride_id;
};

// A backend that acts for everybody.
TokenFor ServerToken(std::string subject);

// A private key of elliptic curve P-256, which signs tokens (RFC 7519) with ES256 (RFC 7518, section 3.4). Thread-safe.
class TokenKey {
 public:
  // Makes a key in `folder`, unless there is one: token.key, for its owner alone, and its public half for the services
  // and the edge, jwks.json. Makes the folder, not its parents. Two processes may do so at once.
  static absl::Status Make(const std::string& folder);
  // Reads a PEM file, such as build/edge/token.key, or the token.key in a folder. NOT_FOUND if it cannot be read,
  // INVALID_ARGUMENT if there is no such key in it.
  // The key set beside the file says what the key is called.
  static absl::StatusOr<TokenKey> Read(const std::string& path);
  // The file that Read reads.
  static std::string FileOf(const std::string& path);

  std::string Token(const TokenFor& bearer, absl::Time now, absl::Duration valid_for) const;

 private:
  TokenKey(std::shared_ptr<void> key, std::string id) : key_(std::move(key)), id_(std::move(id)) {}

  // An EVP_PKEY.
  std::shared_ptr<void> key_;
  std::string id_;
};

}  // namespace hail
