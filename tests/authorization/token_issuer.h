// An issuer of tokens for tests: one key, its JWKS, and whatever claims a test likes.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/time/time.h"
#include "grpcpp/channel.h"
#include "tests/integration/process.h"
#include "tests/unit/common/auth/issuer.h"

namespace hail::authorization {

class TokenIssuer {
 public:
  static constexpr char kName[] = "https://issuer.example";

  TokenIssuer();

  // The configuration of a service that trusts this issuer.
  std::map<std::string, std::string> Settings() const;

  // A token of an hour with `claims` besides iss, aud, iat and exp; they may replace those.
  std::string Token(const std::string& audience, const nlohmann::json& claims) const;
  // The same with `exp` at `expires`.
  std::string TokenUntil(absl::Time expires, const std::string& audience, const nlohmann::json& claims) const;

 private:
  testing::TempDir dir_;
  const auth::testing::IssuerKey key_ = auth::testing::IssuerKey::Ec("key-1");
};

// The token that an app holds at present. Thread-safe.
class HeldToken {
 public:
  explicit HeldToken(std::string token) : token_(std::move(token)) {}
  void Set(std::string token) {
    const std::lock_guard lock(mutex_);
    token_ = std::move(token);
  }
  std::string Get() const {
    const std::lock_guard lock(mutex_);
    return token_;
  }

 private:
  mutable std::mutex mutex_;
  std::string token_;
};

// A channel whose calls each carry the token held when they begin.
std::shared_ptr<grpc::Channel> ChannelWith(const std::string& address, std::shared_ptr<HeldToken> token);

}  // namespace hail::authorization
