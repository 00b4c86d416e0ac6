#include "tests/authorization/token_issuer.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>

#include <fstream>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/text/base64url.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/support/client_interceptor.h"

namespace hail::authorization {
namespace {

constexpr char kKeyId[] = "key-1";

std::string Coordinate(EVP_PKEY* key, const char* name) {
  BIGNUM* number = nullptr;
  EVP_PKEY_get_bn_param(key, name, &number);
  std::string bytes(32, '\0');
  BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()), 32);
  BN_free(number);
  return ToBase64Url(bytes);
}

// RFC 7518 section 3.4: r and s, 32 bytes each.
std::string Signed(EVP_PKEY* key, const std::string& text) {
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key);
  std::vector<unsigned char> der(128);
  std::size_t size = der.size();
  EVP_DigestSign(context.get(), der.data(), &size, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  const unsigned char* at = der.data();
  const std::unique_ptr<ECDSA_SIG, void (*)(ECDSA_SIG*)> numbers(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size)),
                                                                 ECDSA_SIG_free);
  std::string bytes(64, '\0');
  auto* const out = reinterpret_cast<unsigned char*>(bytes.data());
  BN_bn2binpad(ECDSA_SIG_get0_r(numbers.get()), out, 32);
  BN_bn2binpad(ECDSA_SIG_get0_s(numbers.get()), out + 32, 32);
  return bytes;
}

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

TokenIssuer::TokenIssuer() : key_(EVP_EC_gen("P-256"), [](void* key) { EVP_PKEY_free(static_cast<EVP_PKEY*>(key)); }) {
  auto* const key = static_cast<EVP_PKEY*>(key_.get());
  const nlohmann::json keys = {{"keys",
                                {{{"kty", "EC"},
                                  {"crv", "P-256"},
                                  {"alg", "ES256"},
                                  {"use", "sig"},
                                  {"kid", kKeyId},
                                  {"x", Coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X)},
                                  {"y", Coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y)}}}}};
  std::ofstream(dir_.path() + "/keys.json") << keys.dump();
}

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
  const nlohmann::json header = {{"alg", "ES256"}, {"kid", kKeyId}, {"typ", "JWT"}};
  const std::string text = absl::StrCat(ToBase64Url(header.dump()), ".", ToBase64Url(all.dump()));
  return absl::StrCat(text, ".", ToBase64Url(Signed(static_cast<EVP_PKEY*>(key_.get()), text)));
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
