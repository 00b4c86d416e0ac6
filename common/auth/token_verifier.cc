#include "common/auth/token_verifier.h"

#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/auth/strict_json.h"
#include "common/auth/token_errors.h"
#include "common/errors/status_macros.h"
#include "common/ids/uuid.h"
#include "common/text/base64url.h"
#include "nlohmann/json.hpp"

namespace hail::auth {
namespace {

using Json = nlohmann::json;

constexpr char kAll[] = "*";
// What issuers add besides, such as the roles of a client in a realm, has up to four levels.
constexpr int kMaxClaimDepth = 4;
// The end of the year 9999: no clock shows it, and no sum with it overflows.
constexpr double kLastSecond = 253402300799;

// For the log: the caller gets another status.
absl::Status Fault(absl::string_view what) { return absl::InvalidArgumentError(what); }

struct Parts {
  std::string header;
  std::string claims;
  std::string signature;
  // The part of the token that is signed.
  std::string_view signed_text;
};

absl::StatusOr<Parts> PartsOf(std::string_view token) {
  if (token.size() > TokenVerifier::kMaxTokenBytes) return Fault("it has more than 4096 bytes");
  const std::size_t first = token.find('.');
  const std::size_t last = token.rfind('.');
  if (first == last) return Fault("it does not have three parts");
  // A fourth part has a dot in it, which is no character of base64url.
  Parts parts;
  parts.signed_text = token.substr(0, last);
  if (!FromBase64Url(token.substr(0, first), &parts.header) ||
      !FromBase64Url(token.substr(first + 1, last - first - 1), &parts.claims) ||
      !FromBase64Url(token.substr(last + 1), &parts.signature)) {
    return Fault("it is not three parts of base64url");
  }
  return parts;
}

absl::StatusOr<Json> Object(std::string_view text, const JsonLimits& limits, absl::string_view part) {
  std::string why;
  std::optional<Json> object = ParseStrictObject(text, limits, &why);
  if (!object) return Fault(absl::StrCat("its ", part, " is ", why));
  return *std::move(object);
}

// The text of the member `name`; null if it is absent or no text.
const std::string* Text(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? nullptr : found->get_ptr<const std::string*>();
}

// The key that the header names, if the header is one that Hail accepts.
absl::StatusOr<const PublicKey*> KeyOf(const Json& header, const KeySet& keys, bool* unknown_key) {
  // A reader that does not understand what is critical must refuse (RFC 7515 section 4.1.11); Hail understands none.
  if (header.contains("crit")) return Fault("its header has crit");
  // Keys come from the operator, never from the token.
  for (const char* own_key : {"jku", "jwk", "x5u", "x5c"}) {
    if (header.contains(own_key)) return Fault(absl::StrCat("its header has ", own_key));
  }
  if (header.contains("typ")) {
    const std::string* type = Text(header, "typ");
    // RFC 9068's tokens are for calls, too. Other types are not, such as a logout's.
    if (type == nullptr || (!absl::EqualsIgnoreCase(*type, "JWT") && !absl::EqualsIgnoreCase(*type, "at+jwt"))) {
      return Fault("its typ is not JWT");
    }
  }
  const std::string* key_id = Text(header, "kid");
  if (key_id == nullptr || key_id->empty()) return Fault("its header has no kid");
  const PublicKey* const key = keys.Find(*key_id);
  if (key == nullptr) {
    *unknown_key = true;
    return Fault("no key has its kid");
  }
  const std::string* algorithm = Text(header, "alg");
  if (algorithm == nullptr || *algorithm != AlgorithmName(key->algorithm())) return Fault("its alg is not its key's");
  return key;
}

// A NumericDate (RFC 7519 section 2).
absl::StatusOr<absl::Time> TimeOf(const Json& claims, const char* name) {
  const auto found = claims.find(name);
  if (found == claims.end() || !found->is_number())
    return Fault(absl::StrCat("its ", name, " is missing or no number"));
  const double seconds = found->get<double>();
  if (!(seconds >= 0 && seconds <= kLastSecond)) return Fault(absl::StrCat("its ", name, " is no time"));
  return absl::UnixEpoch() + absl::Seconds(seconds);
}

bool IsFor(const Json& claims, const std::string& audience) {
  const auto found = claims.find("aud");
  if (found == claims.end()) return false;
  if (!found->is_array()) return *found == audience;
  bool named = false;
  for (const Json& each : *found) {
    if (!each.is_string()) return false;
    named = named || each == audience;
  }
  return named;
}

std::string Shown(absl::Duration length) { return absl::FormatDuration(absl::Trunc(length, absl::Seconds(1))); }

// Last of all checks, so that TOKEN_EXPIRED is what the bearer of a good token gets.
absl::Status CheckTimes(const Json& claims, const TokenSettings& settings, absl::Time now, bool* expired,
                        absl::Time* expires) {
  HAIL_ASSIGN_OR_RETURN(const absl::Time issued, TimeOf(claims, "iat"));
  HAIL_ASSIGN_OR_RETURN(const absl::Time end, TimeOf(claims, "exp"));
  if (end <= issued) return Fault("its exp is not after its iat");
  if (end - issued > settings.max_lifetime) return Fault(absl::StrCat("it lives for ", Shown(end - issued)));
  if (issued - now > settings.max_ahead) {
    return Fault(absl::StrCat("its iat is ", Shown(issued - now), " ahead of this machine's clock"));
  }
  if (claims.contains("nbf")) {
    HAIL_ASSIGN_OR_RETURN(const absl::Time begin, TimeOf(claims, "nbf"));
    if (begin - now > settings.skew) {
      return Fault(absl::StrCat("its nbf is ", Shown(begin - now), " ahead of this machine's clock"));
    }
  }
  *expires = end + settings.skew;
  if (now >= *expires) {
    *expired = true;
    return Fault(absl::StrCat("it expired ", Shown(now - end), " ago by this machine's clock; a skew of ",
                              Shown(settings.skew), " is tolerated"));
  }
  return absl::OkStatus();
}

bool MayActForAll(Role role) { return role == Role::kServer || role == Role::kOperator; }

// Reads the claim `authorization` into `identity`.
absl::Status ReadPersons(const Json& persons, Identity* identity) {
  if (!persons.is_object()) return Fault("its authorization is no object");
  const std::array<std::pair<std::string_view, std::string*>, 3> fields = {
      {{"rider_id", &identity->rider}, {"driver_id", &identity->driver}, {"ride_id", &identity->ride}}};
  for (const auto& [name, value] : persons.items()) {
    std::string* field = nullptr;
    for (const auto& [known, target] : fields) {
      if (name == known) field = target;
    }
    // A misspelled name must not widen what a token is for.
    if (field == nullptr) return Fault("its authorization has a member that Hail does not know");
    if (!value.is_string()) return Fault("an id in its authorization is no text");
    *field = value.get<std::string>();
    if (*field == kAll ? !MayActForAll(identity->role) : !CheckId(*field, name).ok()) {
      return Fault("an id in its authorization is not valid");
    }
  }
  return absl::OkStatus();
}

// Fills in whom the caller is and acts for.
absl::Status ReadIdentity(const Json& claims, Identity* identity) {
  const std::string* subject = Text(claims, "sub");
  // "*" would be everybody where `sub` names the rider.
  if (subject == nullptr || *subject == kAll || !CheckId(*subject, "sub").ok()) return Fault("its sub is not an id");
  identity->subject = *subject;
  const std::string* name = Text(claims, "role");
  const std::optional<Role> role = name == nullptr ? std::nullopt : TokenRole(*name);
  if (!role) return Fault("its role is missing or unknown");
  identity->role = *role;
  if (const auto persons = claims.find("authorization"); persons != claims.end()) {
    if (absl::Status status = ReadPersons(*persons, identity); !status.ok()) return status;
  }
  switch (*role) {
    case Role::kRider:
      if (!identity->driver.empty()) return Fault("it is a rider's and has a driver_id");
      if (identity->rider.empty()) identity->rider = *subject;
      return absl::OkStatus();
    case Role::kDriver:
      if (!identity->rider.empty()) return Fault("it is a driver's and has a rider_id");
      if (identity->driver.empty()) identity->driver = *subject;
      return absl::OkStatus();
    case Role::kViewer:
      if (!identity->driver.empty()) return Fault("it is a viewer's and has a driver_id");
      if (identity->ride.empty()) return Fault("it is a viewer's and has no ride_id");
      return absl::OkStatus();
    case Role::kServer:
    case Role::kOperator:
      return absl::OkStatus();
    case Role::kRiderService:
    case Role::kDriverService:
      break;
  }
  return Fault("its role has no tokens");
}

absl::StatusOr<Identity> Checked(std::string_view token, const KeySet& keys, const TokenSettings& settings,
                                 absl::Time now, bool* unknown_key, bool* expired) {
  HAIL_ASSIGN_OR_RETURN(const Parts parts, PartsOf(token));
  HAIL_ASSIGN_OR_RETURN(const Json header, Object(parts.header, {}, "header"));
  HAIL_ASSIGN_OR_RETURN(const PublicKey* const key, KeyOf(header, keys, unknown_key));
  // Nobody's claims are read but the issuer's.
  if (!key->Verifies(parts.signed_text, parts.signature)) return Fault("its signature is not its key's");
  HAIL_ASSIGN_OR_RETURN(
      const Json claims,
      Object(parts.claims, {.depth = kMaxClaimDepth, .members = TokenVerifier::kMaxClaims}, "list of claims"));
  const std::string* issuer = Text(claims, "iss");
  if (issuer == nullptr || *issuer != settings.issuer) return Fault("its iss is not the issuer");
  if (!IsFor(claims, settings.audience)) return Fault("its aud is not this service");
  Identity identity;
  identity.key_id = *Text(header, "kid");
  if (absl::Status status = ReadIdentity(claims, &identity); !status.ok()) return status;
  if (absl::Status status = CheckTimes(claims, settings, now, expired, &identity.expires); !status.ok()) return status;
  return identity;
}

}  // namespace

absl::StatusOr<Identity> TokenVerifier::Verify(std::string_view token, const KeySet& keys, absl::Time now,
                                               TokenFault* fault) const {
  bool unknown_key = false;
  bool expired = false;
  absl::StatusOr<Identity> identity = Checked(token, keys, settings_, now, &unknown_key, &expired);
  if (identity.ok()) return identity;
  if (fault != nullptr) {
    fault->detail = std::string(identity.status().message());
    fault->unknown_key = unknown_key;
  }
  return expired ? TokenExpired() : TokenInvalid();
}

}  // namespace hail::auth
