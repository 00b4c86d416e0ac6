#include "common/service/caller_checks.h"

#include "common/errors/error.h"
#include "common/logging/log.h"

namespace hail {
namespace {

class NoChecks final : public CallerChecks {
 public:
  absl::StatusOr<auth::Caller> Authenticate(const grpc::ServerContextBase& call, absl::Time wall) const override {
    return rpc::ChecksNobody().Authenticate(call, wall);
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<CallerChecks>> MakeCallerChecks(const config::ServiceSettings& settings, const Clock*,
                                                               metrics::Registry*) {
  if (settings.auth.mode == config::AuthMode::kTokens) return Internal("this version cannot check tokens");
  Log(settings.auth.mode == config::AuthMode::kInsecure ? LogLevel::kWarn : LogLevel::kInfo, "callers_not_checked",
      {{"listen", settings.listen}});
  return std::make_unique<NoChecks>();
}

}  // namespace hail
