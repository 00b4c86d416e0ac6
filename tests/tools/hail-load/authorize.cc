#include "tests/tools/hail-load/authorize.h"

#include <utility>

#include "absl/time/clock.h"

namespace hail::load {
namespace {

std::shared_ptr<TokenSource>& Tokens() {
  static auto* const tokens = new std::shared_ptr<TokenSource>;
  return *tokens;
}

void Authorize(grpc::ClientContext* context, const TokenFor& bearer) {
  if (Tokens() == nullptr) return;
  const std::string token = Tokens()->Authorization(bearer, absl::Now());
  if (!token.empty()) context->AddMetadata("authorization", token);
}

}  // namespace

void SetTokens(std::shared_ptr<TokenSource> tokens) { Tokens() = std::move(tokens); }

void AuthorizeRider(grpc::ClientContext* context, const std::string& rider_id) {
  Authorize(context, {.role = "rider", .subject = rider_id});
}

void AuthorizeDriver(grpc::ClientContext* context, const std::string& driver_id) {
  Authorize(context, {.role = "driver", .subject = driver_id});
}

void AuthorizeServer(grpc::ClientContext* context) { Authorize(context, ServerToken("hail-load")); }

}  // namespace hail::load
