#include "common/auth/key_set.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/auth/strict_json.h"
#include "common/errors/status_macros.h"
#include "common/text/base64url.h"
#include "nlohmann/json.hpp"

namespace hail::auth {
namespace {

using Json = nlohmann::json;

// Of a key: the set, the list of keys, the key, its `x5c` or `key_ops`; and one more for what others add.
constexpr int kMaxDepth = 5;
// 64 members of each key, and a few of the set.
constexpr std::size_t kMaxMembers = 65 * KeySet::kMaxKeys;

std::uint64_t NextGeneration() {
  static std::atomic<std::uint64_t> last = 0;
  return ++last;
}

absl::Status Invalid(absl::string_view what) { return absl::InvalidArgumentError(what); }

// The text of the member `name`; nullopt if it is absent or no text.
std::optional<std::string> Text(const Json& key, const char* name) {
  const auto found = key.find(name);
  if (found == key.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

absl::StatusOr<std::string> BytesOf(const Json& key, const char* name) {
  const std::optional<std::string> text = Text(key, name);
  std::string bytes;
  if (!text || !FromBase64Url(*text, &bytes) || bytes.empty()) {
    return Invalid(absl::StrCat("its ", name, " is missing or is not base64url"));
  }
  return bytes;
}

absl::StatusOr<PublicKey> OfNumbers(const Json& key) {
  const std::string kind = Text(key, "kty").value_or("");
  const std::string curve = Text(key, "crv").value_or("");
  if (kind == "RSA") {
    HAIL_ASSIGN_OR_RETURN(const std::string n, BytesOf(key, "n"));
    HAIL_ASSIGN_OR_RETURN(const std::string e, BytesOf(key, "e"));
    return PublicKey::Rsa(n, e);
  }
  if (kind == "EC" && curve == "P-256") {
    HAIL_ASSIGN_OR_RETURN(const std::string x, BytesOf(key, "x"));
    HAIL_ASSIGN_OR_RETURN(const std::string y, BytesOf(key, "y"));
    return PublicKey::P256(x, y);
  }
  if (kind == "OKP" && curve == "Ed25519") {
    HAIL_ASSIGN_OR_RETURN(const std::string x, BytesOf(key, "x"));
    return PublicKey::Ed25519(x);
  }
  // Among them `oct`: who can check tokens with such a key can make them.
  return Invalid("it is not RSA, P-256 or Ed25519");
}

// `key` as one that verifies tokens, or why it does not.
absl::StatusOr<PublicKey> Usable(const Json& key) {
  if (!key.is_object()) return Invalid("it is not a JSON object");
  const std::optional<std::string> id = Text(key, "kid");
  if (!id || id->empty() || id->size() > KeySet::kMaxKeyIdBytes) return Invalid("it has no kid of 1 to 256 bytes");
  // Readers of the set could make tokens with it.
  if (key.contains("d") || key.contains("k")) return Invalid("it is a private key");
  if (key.contains("use") && Text(key, "use") != "sig") return Invalid("its use is not sig");
  if (const auto uses = key.find("key_ops"); uses != key.end()) {
    if (!uses->is_array() || std::find(uses->begin(), uses->end(), Json("verify")) == uses->end()) {
      return Invalid("its key_ops do not have verify");
    }
  }
  HAIL_ASSIGN_OR_RETURN(PublicKey made, OfNumbers(key));
  if (key.contains("alg") && Text(key, "alg") != AlgorithmName(made.algorithm())) {
    return Invalid(
        absl::StrCat("its alg is not ", std::string(AlgorithmName(made.algorithm())), ", as its kind needs"));
  }
  return made;
}

}  // namespace

KeySet::KeySet() : generation_(NextGeneration()) {}

absl::StatusOr<std::shared_ptr<const KeySet>> KeySet::Parse(std::string_view jwks) {
  if (jwks.size() > kMaxBytes) return Invalid("the key set has more than 256 KiB");
  std::string why;
  const std::optional<Json> json = ParseStrictObject(jwks, {.depth = kMaxDepth, .members = kMaxMembers}, &why);
  if (!json) return Invalid(absl::StrCat("the key set is ", why));
  const auto keys = json->find("keys");
  if (keys == json->end() || !keys->is_array()) return Invalid("the key set has no list of keys");
  if (keys->size() > kMaxKeys) return Invalid("the key set has more than 64 keys");
  const std::shared_ptr<KeySet> set(new KeySet);
  for (const Json& key : *keys) {
    std::string id = key.is_object() ? Text(key, "kid").value_or("") : "";
    absl::StatusOr<PublicKey> usable = Usable(key);
    if (!usable.ok()) {
      set->left_out_.push_back({id.substr(0, kMaxKeyIdBytes), std::string(usable.status().message())});
    } else if (!set->keys_.emplace(std::move(id), *std::move(usable)).second) {
      return Invalid("the key set names a kid twice");
    }
  }
  if (set->keys_.empty()) return Invalid("the key set has no key that verifies tokens");
  return set;
}

const PublicKey* KeySet::Find(std::string_view key_id) const {
  const auto found = keys_.find(key_id);
  return found == keys_.end() ? nullptr : &found->second;
}

}  // namespace hail::auth
