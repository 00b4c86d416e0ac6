#include "common/auth/authenticator.h"

#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "common/auth/token_errors.h"
#include "common/errors/error.h"
#include "common/logging/log.h"

namespace hail::auth {
namespace {

metrics::CounterFamily Tokens(metrics::Registry* registry) {
  return registry->Counters("auth_tokens_total", "Calls by what came of their token.");
}

// The token in the value of `authorization` (RFC 6750 section 2.1); empty if there is none.
std::string_view TokenIn(std::string_view value) {
  constexpr absl::string_view kScheme = "Bearer ";
  if (!absl::StartsWithIgnoreCase(absl::string_view(value.data(), value.size()), kScheme)) return "";
  return value.substr(kScheme.size());
}

}  // namespace

Authenticator::Authenticator(TokenSettings settings, KeySource* source, metrics::Registry* registry)
    : verifier_(std::move(settings)),
      source_(source),
      verified_(Tokens(registry).Of({{"outcome", "verified"}})),
      cached_(Tokens(registry).Of({{"outcome", "cached"}})),
      missing_(Tokens(registry).Of({{"outcome", "missing"}})),
      expired_(Tokens(registry).Of({{"outcome", "expired"}})),
      invalid_(Tokens(registry).Of({{"outcome", "invalid"}})),
      no_keys_(Tokens(registry).Of({{"outcome", "no_keys"}})) {}

absl::StatusOr<Caller> Authenticator::Check(absl::Span<const std::string_view> authorization, absl::Time now,
                                            std::string* detail) {
  TokenFault fault;
  absl::StatusOr<Identity> identity = TokenInvalid();
  if (authorization.empty()) {
    fault.detail = "no authorization";
    identity = TokenMissing();
  } else if (authorization.size() > 1) {
    // Another reader could take the other one.
    fault.detail = "more than one authorization";
  } else if (const std::string_view token = TokenIn(authorization[0]); token.empty()) {
    fault.detail = "authorization is not Bearer and a token";
  } else {
    identity = Verified(token, now, &fault);
  }
  if (identity.ok()) return Caller(*std::move(identity));
  Count(identity.status());
  LogRefused(identity.status(), fault.detail, now);
  if (detail != nullptr) *detail = std::move(fault.detail);
  return identity.status();
}

absl::StatusOr<Identity> Authenticator::Verified(std::string_view token, absl::Time now, TokenFault* fault) {
  const std::shared_ptr<const KeySet> keys = source_->Keys();
  if (keys == nullptr) {
    fault->detail = "there are no keys";
    return Unavailable(Reason::kPeerUnavailable, "tokens cannot be checked now; retry");
  }
  // Before anything is computed with it.
  if (token.size() > TokenVerifier::kMaxTokenBytes) return verifier_.Verify(token, *keys, now, fault);
  const TokenCache::Digest digest = TokenCache::DigestOf(token);
  if (std::optional<Identity> known = cache_.Find(digest, keys->generation(), now)) {
    cached_.Add();
    return *std::move(known);
  }
  absl::StatusOr<Identity> identity = verifier_.Verify(token, *keys, now, fault);
  if (identity.ok()) {
    cache_.Put(digest, keys->generation(), *identity);
    verified_.Add();
  } else if (fault->unknown_key && source_->OnUnknownKey()) {
    // The issuer may have begun to use a new key. Its bearers must not sign in again for that.
    return Unavailable(Reason::kPeerUnavailable, "keys are being fetched; retry");
  }
  return identity;
}

void Authenticator::Count(const absl::Status& status) {
  if (HasReason(status, Reason::kTokenMissing)) {
    missing_.Add();
  } else if (HasReason(status, Reason::kTokenExpired)) {
    expired_.Add();
  } else if (HasReason(status, Reason::kTokenInvalid)) {
    invalid_.Add();
  } else {
    no_keys_.Add();
  }
}

void Authenticator::LogRefused(const absl::Status& status, const std::string& detail, absl::Time now) {
  // Strangers can cause thousands of lines a second.
  const std::int64_t now_us = absl::ToUnixMicros(now);
  std::int64_t last = last_line_us_.load(std::memory_order_relaxed);
  if (now_us - last < absl::ToInt64Microseconds(absl::Seconds(1)) && now_us >= last) return;
  if (!last_line_us_.compare_exchange_strong(last, now_us, std::memory_order_relaxed)) return;
  Log(LogLevel::kInfo, "token_refused", {{"status", status}, {"why", detail}});
}

}  // namespace hail::auth
