#include "tests/authorization/token_issuer.h"

#include <fstream>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/support/client_interceptor.h"

namespace hail::authorization {
namespace {

class AddsToken final : public grpc::experimental::Interceptor {
 public:
  explicit AddsToken(std::string token) : token_(std::move(token)) {}
  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(grpc::experimental::InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      methods->GetSendInitialMetadata()->emplace("authorization", absl::StrCat("Bearer ", token_));
    }
    methods->Proceed();
  }

 private:
  const std::string token_;
};

class AddsTokens final : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit AddsTokens(std::shared_ptr<HeldToken> token) : token_(std::move(token)) {}
  grpc::experimental::Interceptor* CreateClientInterceptor(grpc::experimental::ClientRpcInfo*) override {
    return new AddsToken(token_->Get());
  }

 private:
  const std::shared_ptr<HeldToken> token_;
};

}  // namespace

TokenIssuer::TokenIssuer() { std::ofstream(dir_.path() + "/keys.json") << auth::testing::Jwks({key_.Jwk()}); }

std::map<std::string, std::string> TokenIssuer::Settings() const {
  return {{"auth.mode", "tokens"}, {"auth.keys", dir_.path() + "/keys.json"}, {"auth.issuer", kName}};
}

std::string TokenIssuer::Token(const std::string& audience, const nlohmann::json& claims) const {
  return TokenUntil(absl::Now() + absl::Minutes(59), audience, claims);
}

std::string TokenIssuer::TokenUntil(absl::Time expires, const std::string& audience,
                                    const nlohmann::json& claims) const {
  nlohmann::json all = {{"iss", kName},
                        {"aud", audience},
                        {"iat", absl::ToUnixSeconds(expires - absl::Hours(1))},
                        {"exp", absl::ToUnixSeconds(expires)}};
  all.update(claims);
  return key_.Token(all);
}

std::shared_ptr<grpc::Channel> ChannelWith(const std::string& address, std::shared_ptr<HeldToken> token) {
  grpc::ChannelArguments arguments;
  // A connection of its own.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(std::make_unique<AddsTokens>(std::move(token)));
  return grpc::experimental::CreateCustomChannelWithInterceptors(address, grpc::InsecureChannelCredentials(), arguments,
                                                                 std::move(interceptors));
}

}  // namespace hail::authorization
