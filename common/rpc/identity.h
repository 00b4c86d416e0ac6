// Who may call a method, and for whom: the rules of authorization. Tables of methods (methods.h) say what holds for
// each method.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/audit/rule.h"
#include "common/auth/caller.h"
#include "common/limits/call_rates.h"

namespace hail::rpc {

// A set of callers.
class Roles {
 public:
  // No caller with an identity.
  constexpr Roles() = default;
  constexpr Roles(std::initializer_list<auth::Role> roles) {
    for (const auth::Role role : roles) bits_ |= Bit(role);
  }
  // Every role, and callers without an identity.
  static constexpr Roles Everybody() {
    Roles all;
    all.bits_ = ~0U;
    return all;
  }

  friend constexpr Roles operator|(Roles a, Roles b) {
    a.bits_ |= b.bits_;
    return a;
  }

  constexpr bool Has(auth::Role role) const { return (bits_ & Bit(role)) != 0; }
  constexpr bool HasNobody() const { return (bits_ & kNobody) != 0; }
  constexpr bool empty() const { return bits_ == 0; }

 private:
  static constexpr std::uint32_t kNobody = 1U << 31;
  static constexpr std::uint32_t Bit(auth::Role role) { return 1U << static_cast<unsigned>(role); }

  std::uint32_t bits_ = 0;
};

// The person that a request names, and the field with the id.
struct Person {
  enum class Kind { kRider, kDriver };

  const std::string& id;
  const char* field;
  Kind kind;
};

// OK if callers with the role of `caller` may call a method that is for `roles`. Otherwise ROLE_NOT_ALLOWED
// (PERMISSION_DENIED), or TOKEN_MISSING (UNAUTHENTICATED) for a caller without an identity. A caller that is not
// checked has every role.
absl::Status CheckRole(const auth::Caller& caller, const Roles& roles);

// OK if `caller` may act for `person`; INVALID_FIELD if its id is not valid; IDENTITY_MISMATCH (PERMISSION_DENIED)
// otherwise, whether the person exists or not. TOKEN_MISSING (UNAUTHENTICATED) for a caller without an identity. A
// caller that is not checked acts for everybody.
//
// `ride`: the ride that the request reads, if it does nothing else; null: it does something else. A viewer, and a
// caller whose identity names one ride, may read that ride only. A viewer need not be its rider, but must name that
// rider.
absl::Status CheckSpeaksFor(const auth::Caller& caller, const Person& person, const std::string* ride = nullptr);

// Wall time from which the identity no longer holds; InfiniteFuture if there is none.
absl::Time ExpiryOf(const auth::Caller& caller);

// What a table says about the callers of a method that takes `Request`.
template <typename Request>
struct Access {
  // Those who may call it.
  Roles roles;
  // The person for whom the caller must be allowed to act. Null, or without a result: the request concerns no person.
  std::optional<Person> (*person)(const Request&) = nullptr;
  // See CheckSpeaksFor. Without `person` only for the audit log.
  const std::string& (*ride)(const Request&) = nullptr;
  // For the audit log: the person that the request is about, where the caller need not act for that person. Null:
  // `person` says it, or it is about nobody.
  const std::string& (*about)(const Request&) = nullptr;
  // How often a caller may call it, or open it.
  limits::Class limit = limits::Class::kRead;
  // Which calls are written into the audit log.
  audit::Audited audit = audit::Audited::kStaff;

  // OK if `caller` may make this request, of a method that is for `allowed`.
  absl::Status Check(const auth::Caller& caller, const Request& request, const Roles& allowed) const {
    absl::Status status = CheckRole(caller, allowed);
    return status.ok() ? CheckNamed(caller, request) : status;
  }
  // The same for a caller whose role has been checked.
  absl::Status CheckNamed(const auth::Caller& caller, const Request& request) const {
    if (person == nullptr) return absl::OkStatus();
    const std::optional<Person> named = person(request);
    if (!named) return absl::OkStatus();
    return CheckSpeaksFor(caller, *named, ride == nullptr ? nullptr : &ride(request));
  }
};

}  // namespace hail::rpc
