// What a call's token costs: verified for the first time, and known.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/auth/authenticator.h"
#include "common/errors/check.h"
#include "tests/unit/common/auth/issuer.h"

namespace hail::auth {
namespace {

using testing::IssuerKey;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);
const TokenSettings kSettings = {.issuer = "https://id.hail.example", .audience = "hail-rider"};

class OneKey final : public KeySource {
 public:
  explicit OneKey(const IssuerKey& key) : keys_(*KeySet::Parse(testing::Jwks({key.Jwk()}))) {}
  std::shared_ptr<const KeySet> Keys() const override { return keys_; }
  bool OnUnknownKey() override { return false; }

 private:
  const std::shared_ptr<const KeySet> keys_;
};

void Cold(benchmark::State& state, const IssuerKey& key) {
  const OneKey keys(key);
  const TokenVerifier verifier(kSettings);
  const std::string token = key.Token(testing::RiderClaims(kNow));
  for (auto _ : state) HAIL_CHECK(verifier.Verify(token, *keys.Keys(), kNow).ok());
}

void Rs256(benchmark::State& state) { Cold(state, IssuerKey::Rsa("k")); }
void Es256(benchmark::State& state) { Cold(state, IssuerKey::Ec("k")); }
void EdDsa(benchmark::State& state) { Cold(state, IssuerKey::Ed("k")); }
BENCHMARK(Rs256);
BENCHMARK(Es256);
BENCHMARK(EdDsa);

// Known tokens of as many riders as the argument says, in turn.
void Cached(benchmark::State& state) {
  const IssuerKey key = IssuerKey::Ec("k");
  OneKey keys(key);
  metrics::Registry registry("bench");
  Authenticator authenticator(kSettings, &keys, &registry);
  std::vector<std::string> bearers;
  for (int i = 0; i < state.range(0); ++i) {
    testing::Json claims = testing::RiderClaims(kNow);
    claims["sub"] = "0193a1b2-7c3d-7e4f-8a5b-" + std::to_string(100'000'000'000 + i);
    bearers.push_back("Bearer " + key.Token(claims));
  }
  for (const std::string& bearer : bearers) {
    const std::string_view value = bearer;
    HAIL_CHECK(authenticator.Check({&value, 1}, kNow).ok());
  }
  std::size_t next = 0;
  for (auto _ : state) {
    const std::string_view value = bearers[next++ % bearers.size()];
    HAIL_CHECK(authenticator.Check({&value, 1}, kNow).ok());
  }
}
BENCHMARK(Cached)->Arg(1)->Arg(1'000)->Arg(10'000);

// What a stranger's forgery costs: before and after the signature is looked at.
void Forged(benchmark::State& state) {
  const IssuerKey key = IssuerKey::Ec("k");
  const OneKey keys(key);
  const TokenVerifier verifier(kSettings);
  const std::string token = IssuerKey::Ec(state.range(0) == 0 ? "other" : "k").Token(testing::RiderClaims(kNow));
  for (auto _ : state) HAIL_CHECK(!verifier.Verify(token, *keys.Keys(), kNow).ok());
}
BENCHMARK(Forged)->Arg(0)->Arg(1);

}  // namespace
}  // namespace hail::auth

BENCHMARK_MAIN();
