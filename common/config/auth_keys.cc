#include "common/config/auth_keys.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace hail::config {
namespace {

constexpr char kHttps[] = "https://";

std::string CheckKeys(const Value& value) {
  const std::string& keys = std::get<std::string>(value);
  return absl::StrContains(keys, "://") && !absl::StartsWith(keys, kHttps) ? "must be a file or an https URL" : "";
}

AuthMode ModeOf(const std::string& name) {
  if (name == "tokens") return AuthMode::kTokens;
  return name == "insecure" ? AuthMode::kInsecure : AuthMode::kOff;
}

std::vector<std::string> CheckTokens(const Values& values) {
  const bool tokens = ModeOf(values.String("auth.mode")) == AuthMode::kTokens;
  std::vector<std::string> problems;
  if (tokens) {
    for (const char* key : {"auth.keys", "auth.issuer", "auth.audience"}) {
      if (values.String(key).empty()) problems.push_back(absl::StrCat(key, ": auth.mode=tokens needs it"));
    }
  } else if (!values.String("auth.keys").empty()) {
    // An operator who names keys believes that tokens are checked.
    problems.emplace_back("auth.keys: has no effect unless auth.mode=tokens");
  }
  if (!values.String("auth.keys_ca").empty() && !absl::StartsWith(values.String("auth.keys"), kHttps)) {
    problems.emplace_back("auth.keys_ca: is for an https auth.keys only");
  }
  return problems;
}

}  // namespace

void AddAuthKeys(const std::string& audience, Schema* schema) {
  schema
      ->String("auth.mode", "off",
               "Who may call listen: off, everybody, where listen is an address of this machine; insecure, everybody, "
               "wherever it is; tokens, callers with a token.",
               OneOf({"off", "insecure", "tokens"}))
      .String("auth.keys", "", "Public keys of those who sign tokens: a JWKS file, or the https URL of one.", CheckKeys)
      .String("auth.keys_ca", "", "PEM file with the CA certificates for that URL; empty: the system's.")
      .String("auth.issuer", "", "Who signs tokens: their claim iss.")
      .String("auth.audience", audience, "For whom tokens must be meant: their claim aud.")
      .Bool("auth.anonymous", true,
            "Whether callers without a token may list products and the cars nearby, as an app does before its rider "
            "signs in.")
      .CheckAll(CheckTokens);
}

AuthSettings ReadAuthSettings(const Values& values) {
  return {.mode = ModeOf(values.String("auth.mode")),
          .keys = values.String("auth.keys"),
          .keys_ca = values.String("auth.keys_ca"),
          .issuer = values.String("auth.issuer"),
          .audience = values.String("auth.audience"),
          .anonymous = values.Bool("auth.anonymous")};
}

}  // namespace hail::config
