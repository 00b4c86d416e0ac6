#include "common/service/caller_checks.h"

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/auth/authenticator.h"
#include "common/auth/key_origin.h"
#include "common/auth/key_set.h"
#include "common/auth/key_source.h"
#include "common/ids/uuid.h"
#include "common/logging/log.h"
#include "common/rpc/client_network.h"

namespace hail {
namespace {

// Differences that do not matter for the end of a token.
constexpr absl::Duration kClocksAgree = absl::Seconds(1);

class NoChecks final : public CallerChecks {
 public:
  absl::StatusOr<auth::Caller> Authenticate(const grpc::ServerContextBase& call, absl::Time wall) const override {
    return rpc::ChecksNobody().Authenticate(call, wall);
  }
};

// For KeptKeys.
auth::KeptKeys::OnChange RecordKeys(audit::AuditLog* audit, const Clock* clock) {
  return [audit, clock](const absl::StatusOr<std::shared_ptr<const auth::KeySet>>& keys) {
    const absl::Time wall = clock->Read().wall;
    if (!keys.ok()) {
      return audit->Record({.wall = wall, .event = "keys_not_loaded", .details = {{"why", keys.status().ToString()}}});
    }
    audit->Record(
        {.wall = wall,
         .event = "keys_loaded",
         .details = {{"keys", absl::StrCat((*keys)->size())}, {"left_out", absl::StrCat((*keys)->left_out().size())}}});
  };
}

class TokenChecks final : public CallerChecks {
 public:
  // `random` returns 64 random bits.
  TokenChecks(const config::AuthSettings& settings, std::unique_ptr<auth::KeyOrigin> origin, const Clock* clock,
              RandomBits random, audit::AuditLog* audit, metrics::Registry* registry)
      : anonymous_(settings.anonymous),
        keys_(
            std::move(origin), auth::IsKeyUrl(settings.keys) ? auth::KeptKeys::ForUrl() : auth::KeptKeys::ForFile(),
            clock, [random = std::move(random)] { return static_cast<double>(random() >> 11) * 0x1p-53; }, registry,
            RecordKeys(audit, clock)),
        tokens_({.issuer = settings.issuer, .audience = settings.audience}, &keys_, registry) {}

  absl::StatusOr<auth::Caller> Authenticate(const grpc::ServerContextBase& call, absl::Time wall) const override {
    // More than one is refused: this service and a proxy before it could each believe another.
    std::vector<std::string_view> shown;
    const auto [begin, end] = call.client_metadata().equal_range("authorization");
    for (auto each = begin; each != end; ++each) shown.emplace_back(each->second.data(), each->second.size());
    if (shown.empty() && anonymous_) return auth::Caller();
    // By the machine's clock: after it was set, `wall` takes hours to agree with it and with the issuer's clock.
    const absl::Time machine = absl::Now();
    absl::StatusOr<auth::Caller> caller = tokens_.Check(shown, machine);
    if (caller.ok() && absl::AbsDuration(wall - machine) > kClocksAgree) {
      auth::Identity identity = *caller->identity();
      identity.expires = wall + (identity.expires - machine);
      return auth::Caller(std::move(identity));
    }
    return caller;
  }
  std::optional<limits::Network> NetworkOf(const grpc::ServerContextBase& call) const override {
    return rpc::NetworkOf(call);
  }
  bool ready() const override { return tokens_.ready(); }

 private:
  const bool anonymous_;
  auth::KeptKeys keys_;
  // Thread-safe.
  mutable auth::Authenticator tokens_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<CallerChecks>> MakeCallerChecks(const config::ServiceSettings& settings,
                                                               const Clock* clock, audit::AuditLog* audit,
                                                               metrics::Registry* registry) {
  if (settings.auth.mode == config::AuthMode::kTokens) {
    auto origin = auth::KeyOriginOf(settings.auth.keys, settings.auth.keys_ca);
    if (!origin.ok()) return origin.status();
    return std::make_unique<TokenChecks>(settings.auth, *std::move(origin), clock, SystemRandom(), audit, registry);
  }
  Log(settings.auth.mode == config::AuthMode::kInsecure ? LogLevel::kWarn : LogLevel::kInfo, "callers_not_checked",
      {{"listen", settings.listen}});
  return std::make_unique<NoChecks>();
}

}  // namespace hail
