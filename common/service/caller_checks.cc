#include "common/service/caller_checks.h"

#include <string_view>
#include <utility>
#include <vector>

#include "common/auth/authenticator.h"
#include "common/auth/key_origin.h"
#include "common/auth/key_source.h"
#include "common/ids/uuid.h"
#include "common/logging/log.h"

namespace hail {
namespace {

class NoChecks final : public CallerChecks {
 public:
  absl::StatusOr<auth::Caller> Authenticate(const grpc::ServerContextBase& call, absl::Time wall) const override {
    return rpc::ChecksNobody().Authenticate(call, wall);
  }
};

class TokenChecks final : public CallerChecks {
 public:
  // `random` returns 64 random bits.
  TokenChecks(const config::AuthSettings& settings, std::unique_ptr<auth::KeyOrigin> origin, const Clock* clock,
              RandomBits random, metrics::Registry* registry)
      : anonymous_(settings.anonymous),
        keys_(
            std::move(origin), auth::IsKeyUrl(settings.keys) ? auth::KeptKeys::ForUrl() : auth::KeptKeys::ForFile(),
            clock, [random = std::move(random)] { return static_cast<double>(random() >> 11) * 0x1p-53; }, registry),
        tokens_({.issuer = settings.issuer, .audience = settings.audience}, &keys_, registry) {}

  absl::StatusOr<auth::Caller> Authenticate(const grpc::ServerContextBase& call, absl::Time wall) const override {
    // More than one is refused: this service and a proxy before it could each believe another.
    std::vector<std::string_view> shown;
    const auto [begin, end] = call.client_metadata().equal_range("authorization");
    for (auto each = begin; each != end; ++each) shown.emplace_back(each->second.data(), each->second.size());
    if (shown.empty() && anonymous_) return auth::Caller();
    return tokens_.Check(shown, wall);
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
                                                               const Clock* clock, metrics::Registry* registry) {
  if (settings.auth.mode == config::AuthMode::kTokens) {
    auto origin = auth::KeyOriginOf(settings.auth.keys, settings.auth.keys_ca);
    if (!origin.ok()) return origin.status();
    return std::make_unique<TokenChecks>(settings.auth, *std::move(origin), clock, SystemRandom(), registry);
  }
  Log(settings.auth.mode == config::AuthMode::kInsecure ? LogLevel::kWarn : LogLevel::kInfo, "callers_not_checked",
      {{"listen", settings.listen}});
  return std::make_unique<NoChecks>();
}

}  // namespace hail
