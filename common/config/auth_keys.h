// The configuration keys of who may call.
#pragma once

#include <string>

#include "common/config/schema.h"

namespace hail::config {

enum class AuthMode {
  // Callers are not checked; only for a listener on loopback.
  kOff,
  // Callers are not checked, wherever the listener is.
  kInsecure,
  // Callers show tokens.
  kTokens,
};

struct AuthSettings {
  AuthMode mode = AuthMode::kOff;
  // A JWKS file, or an https URL of one.
  std::string keys;
  // CA certificates for the URL; empty: the system's.
  std::string keys_ca;
  // What the claims `iss` and `aud` of tokens must be.
  std::string issuer;
  std::string audience;
  // Whether callers without a token may call what is for everybody.
  bool anonymous = true;
};

// Declares auth.mode, auth.keys, auth.keys_ca, auth.issuer, auth.audience (default: `audience`) and auth.anonymous.
void AddAuthKeys(const std::string& audience, Schema* schema);

// `values` must come from a schema that AddAuthKeys filled.
AuthSettings ReadAuthSettings(const Values& values);

}  // namespace hail::config
