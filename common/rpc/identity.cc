#include "common/rpc/identity.h"

#include "absl/strings/str_cat.h"
#include "common/errors/error.h"
#include "common/errors/reason.h"
#include "common/ids/uuid.h"

namespace hail::rpc {
namespace {

constexpr char kAll[] = "*";

bool Covers(const std::string& claim, const std::string& id) {
  return claim == kAll || (!claim.empty() && claim == id);
}

absl::Status TokenMissing() {
  return MakeError(absl::StatusCode::kUnauthenticated, "the call carries no token", {.reason = Reason::kTokenMissing});
}

// Whether `identity` is good for one ride at most.
bool IsForOneRide(const auth::Identity& identity) {
  return identity.role == auth::Role::kViewer || (!identity.ride.empty() && identity.ride != kAll);
}

bool SpeaksFor(const auth::Identity& identity, const Person& person, const std::string* ride) {
  if (IsForOneRide(identity) && (ride == nullptr || !Covers(identity.ride, *ride))) return false;
  if (identity.role == auth::Role::kViewer) return true;
  return Covers(person.kind == Person::Kind::kRider ? identity.rider : identity.driver, person.id);
}

}  // namespace

absl::Status CheckRole(const auth::Caller& caller, const Roles& roles) {
  if (caller.unchecked()) return absl::OkStatus();
  const auth::Identity* const identity = caller.identity();
  if (identity == nullptr) return roles.HasNobody() ? absl::OkStatus() : TokenMissing();
  if (roles.Has(identity->role)) return absl::OkStatus();
  return MakeError(absl::StatusCode::kPermissionDenied, "callers with this role may not call the method",
                   {.reason = Reason::kRoleNotAllowed});
}

absl::Status CheckSpeaksFor(const auth::Caller& caller, const Person& person, const std::string* ride) {
  const auth::Identity* const identity = caller.identity();
  if (identity == nullptr && !caller.unchecked()) return TokenMissing();
  if (absl::Status status = CheckId(person.id, person.field); !status.ok()) return status;
  if (identity == nullptr || SpeaksFor(*identity, person, ride)) return absl::OkStatus();
  return MakeError(absl::StatusCode::kPermissionDenied,
                   absl::StrCat("the caller may not act for the ", person.field, " named"),
                   {.reason = Reason::kIdentityMismatch});
}

absl::Time ExpiryOf(const auth::Caller& caller) {
  return caller.identity() == nullptr ? absl::InfiniteFuture() : caller.identity()->expires;
}

}  // namespace hail::rpc
