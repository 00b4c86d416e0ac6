// Tokens of callers, and the key sets that verify them: damaged, forged, and with claims that nobody checked.
#include <openssl/evp.h>

#include <memory>
#include <string>

#include "common/auth/key_origin.h"
#include "common/auth/key_set.h"
#include "common/auth/token_verifier.h"
#include "common/errors/error.h"
#include "common/text/base64url.h"
#include "nlohmann/json.hpp"
#include "tests/fuzz/fuzz_target.h"

namespace hail::fuzz {
namespace {

using auth::Identity;
using auth::KeySet;
using auth::Role;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

// Ed25519 with a fixed secret: its signatures are always the same.
class Issuer {
 public:
  static const Issuer& Get() {
    static const auto* const issuer = new Issuer;
    return *issuer;
  }

  const KeySet& keys() const { return *keys_; }

  std::string Signed(const std::string& header, const std::string& claims) const {
    const std::string text = ToBase64Url(header) + "." + ToBase64Url(claims);
    unsigned char signature[64];
    std::size_t size = sizeof signature;
    const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_);
    EVP_DigestSign(context.get(), signature, &size, reinterpret_cast<const unsigned char*>(text.data()), text.size());
    return text + "." + ToBase64Url({reinterpret_cast<const char*>(signature), size});
  }

 private:
  Issuer() {
    const std::string secret(32, 'k');
    key_ = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr,
                                        reinterpret_cast<const unsigned char*>(secret.data()), secret.size());
    std::string raw(32, '\0');
    std::size_t size = raw.size();
    EVP_PKEY_get_raw_public_key(key_, reinterpret_cast<unsigned char*>(raw.data()), &size);
    const nlohmann::json jwk = {{"kid", "k"}, {"kty", "OKP"}, {"crv", "Ed25519"}, {"x", ToBase64Url(raw)}};
    keys_ = *KeySet::Parse(nlohmann::json{{"keys", {jwk}}}.dump());
  }

  EVP_PKEY* key_ = nullptr;
  std::shared_ptr<const KeySet> keys_;
};

absl::StatusOr<Identity> Verify(const std::string& token) {
  static const auto* const verifier = new auth::TokenVerifier({.issuer = "i", .audience = "a"});
  auth::TokenFault fault;
  auto identity = verifier->Verify(token, Issuer::Get().keys(), kNow, &fault);
  const bool refused =
      HasReason(identity.status(), Reason::kTokenInvalid) || HasReason(identity.status(), Reason::kTokenExpired);
  Require(identity.ok() ? fault.detail.empty() : refused && !fault.detail.empty(),
          "a refusal has a reason and a detail");
  return identity;
}

void Forged(Input& input) { Require(!Verify(input.Rest()).ok(), "nobody else can sign a token"); }

void ForgedParts(Input& input) {
  const std::string header = input.Text();
  const std::string signature = input.Text();
  const std::string token = ToBase64Url(header) + "." + ToBase64Url(input.Rest()) + "." + ToBase64Url(signature);
  Require(!Verify(token).ok(), "nobody else can sign a token");
}

// An issuer that puts anything into a token.
void Signed(Input& input) {
  const bool usual = input.Coin();
  const std::string header = usual ? R"({"alg":"EdDSA","kid":"k"})" : input.Text();
  const auto identity = Verify(Issuer::Get().Signed(header, input.Rest()));
  if (!identity.ok()) return;
  Require(!identity->subject.empty() && identity->subject != "*", "a bearer has a name");
  Require(identity->key_id == "k" && identity->expires > kNow && identity->expires <= kNow + absl::Minutes(71),
          "a token ends");
  const bool all = identity->rider == "*" || identity->driver == "*" || identity->ride == "*";
  Require(!all || identity->role == Role::kServer || identity->role == Role::kOperator, "only a server acts for all");
  if (identity->role == Role::kRider) Require(!identity->rider.empty() && identity->driver.empty(), "a rider is one");
  if (identity->role == Role::kDriver) Require(!identity->driver.empty() && identity->rider.empty(), "a driver is one");
  if (identity->role == Role::kViewer)
    Require(!identity->ride.empty() && identity->driver.empty(), "a viewer has a ride");
}

void Keys(Input& input) {
  const auto set = KeySet::Parse(input.Rest());
  if (!set.ok()) return;
  Require((*set)->size() > 0 && (*set)->size() + (*set)->left_out().size() <= KeySet::kMaxKeys, "a set has some keys");
  for (const KeySet::LeftOut& key : (*set)->left_out()) Require(!key.why.empty(), "a key is left out for a reason");
}

void Header(Input& input) {
  const auto good_for = auth::GoodFor(input.Rest());
  Require(!good_for || (*good_for >= absl::ZeroDuration() && *good_for < absl::InfiniteDuration()),
          "keys are good for some time");
}

}  // namespace
}  // namespace hail::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  hail::fuzz::Input input(data, size);
  switch (input.Below(5)) {
    case 0:
      hail::fuzz::Forged(input);
      break;
    case 1:
      hail::fuzz::ForgedParts(input);
      break;
    case 2:
      hail::fuzz::Signed(input);
      break;
    case 3:
      hail::fuzz::Keys(input);
      break;
    default:
      hail::fuzz::Header(input);
      break;
  }
  return 0;
}
