// Who makes a call, by the token that it carries.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/auth/caller.h"
#include "common/auth/key_source.h"
#include "common/auth/token_cache.h"
#include "common/auth/token_verifier.h"
#include "common/metrics/metrics.h"

namespace hail::auth {

// Thread-safe. Never blocks: keys come from the source's own thread.
//
// Logs token_refused with the reason and the detail, at most once a second. Series: auth_tokens_total{outcome}, where
// `outcome` is verified, cached, missing, expired, invalid or no_keys.
class Authenticator {
 public:
  // Both must outlive it.
  Authenticator(TokenSettings settings, KeySource* source, metrics::Registry* registry);

  // The caller of a call with these `authorization` values in its metadata, at the wall time `now`. TOKEN_MISSING,
  // TOKEN_EXPIRED, TOKEN_INVALID (also for two values); PEER_UNAVAILABLE with RetryInfo while there are no keys, and
  // while keys are fetched because of a token like this one. `detail`, unless null, becomes why a token was refused:
  // for the audit, never for the caller.
  absl::StatusOr<Caller> Check(absl::Span<const std::string_view> authorization, absl::Time now,
                               std::string* detail = nullptr);

  // Whether there are keys.
  bool ready() const { return source_->ready(); }

 private:
  absl::StatusOr<Identity> Verified(std::string_view token, absl::Time now, TokenFault* fault);
  void Count(const absl::Status& status);
  void LogRefused(const absl::Status& status, const std::string& detail, absl::Time now);

  const TokenVerifier verifier_;
  KeySource* const source_;
  TokenCache cache_;
  const metrics::Counter verified_;
  const metrics::Counter cached_;
  const metrics::Counter missing_;
  const metrics::Counter expired_;
  const metrics::Counter invalid_;
  const metrics::Counter no_keys_;
  std::atomic<std::int64_t> last_line_us_ = 0;
};

}  // namespace hail::auth
