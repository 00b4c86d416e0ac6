// Tokens: JSON Web Tokens (RFC 7519) in JWS's compact form (RFC 7515), by the rules of RFC 8725.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/auth/caller.h"
#include "common/auth/key_set.h"

namespace hail::auth {

struct TokenSettings {
  // What the claim `iss` must be.
  std::string issuer;
  // What the claim `aud` must be, or have among others: a token for another service is refused.
  std::string audience;
  // The longest time from `iat` to `exp`.
  absl::Duration max_lifetime = absl::Hours(1);
  // By how much the clocks of issuer and service may differ.
  absl::Duration skew = absl::Seconds(60);
  // How far ahead `iat` may be.
  absl::Duration max_ahead = absl::Minutes(10);
};

// Why a token was refused; for the log and the audit only.
struct TokenFault {
  // In plain words; has times and names of claims, and nothing else of the token.
  std::string detail;
  // The set has no key with the token's `kid`: the issuer may have a new one.
  bool unknown_key = false;
};

// Pure and thread-safe.
//
// The claims beside `iss`, `aud`, `sub`, `iat`, `exp` and `nbf`:
//   role           rider, driver, viewer, server or operator
//   authorization  optional, an object of rider_id, driver_id and ride_id: for whom the caller may act. Each is an id;
//                  for servers and operators also "*", which is all.
// Without `authorization`, a rider's or driver's own id is `sub`. A token whose claims contradict its role is refused:
// a rider's with a driver_id, a viewer's without a ride_id.
class TokenVerifier {
 public:
  static constexpr std::size_t kMaxTokenBytes = 4096;
  static constexpr std::size_t kMaxClaims = 64;

  explicit TokenVerifier(TokenSettings settings) : settings_(std::move(settings)) {}

  // The identity that `token` proves at `now`, the machine's wall time. TOKEN_EXPIRED for a token that only came too
  // late, else TOKEN_INVALID; then `fault`, unless null, says why. Identity::expires is `exp` and the skew.
  absl::StatusOr<Identity> Verify(std::string_view token, const KeySet& keys, absl::Time now,
                                  TokenFault* fault = nullptr) const;

 private:
  const TokenSettings settings_;
};

}  // namespace hail::auth
