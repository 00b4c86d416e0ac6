// Who makes a call, as the transport has established it: by a token, by a client certificate, or not at all.
//
// The identity belongs to the call, not to the connection: a proxy sends many people's calls over one connection.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/time/time.h"

namespace hail::auth {

enum class Role {
  // A rider's app. Acts for Identity::rider.
  kRider,
  // A driver's app. Acts for Identity::driver.
  kDriver,
  // Someone with whom a ride is shared. Reads Identity::ride, and changes nothing.
  kViewer,
  // The operator's backend. Acts for the riders and drivers of its claims, usually "*".
  kServer,
  // A person of the operator, or a program that acts for one.
  kOperator,
  // The two services, on each other's internal listener.
  kRiderService,
  kDriverService,
};

// "rider", "driver", "viewer", "server", "operator", "rider-service", "driver-service".
std::string_view RoleName(Role role);
// Of a token's `role` claim: the two services have no tokens, and a name that is none of the others is nullopt.
std::optional<Role> TokenRole(std::string_view name);

struct Identity {
  Role role = Role::kViewer;
  // For logs and limits: the token's `sub`, or the name in the certificate.
  std::string subject;
  // The rider, driver and ride for which the caller may act. Empty: none. "*": all.
  std::string rider;
  std::string driver;
  // For a rider: if not empty, only this ride.
  std::string ride;
  // Wall time of the process from which the identity no longer holds.
  absl::Time expires = absl::InfiniteFuture();
  // The key that signed the token; empty for a certificate.
  std::string key_id;
};

// Nobody, until the transport says otherwise: a call whose transport forgets to do so is refused.
class Caller {
 public:
  Caller() = default;
  explicit Caller(Identity identity) : kind_(Kind::kKnown), identity_(std::move(identity)) {}
  // The listener checks nobody (auth.mode=off and insecure): every id in a request is trusted.
  static Caller Unchecked() {
    Caller caller;
    caller.kind_ = Kind::kUnchecked;
    return caller;
  }

  bool unchecked() const { return kind_ == Kind::kUnchecked; }
  // Null for nobody and for a caller that is not checked.
  const Identity* identity() const { return kind_ == Kind::kKnown ? &identity_ : nullptr; }

 private:
  enum class Kind { kNobody, kUnchecked, kKnown };
  Kind kind_ = Kind::kNobody;
  Identity identity_;
};

}  // namespace hail::auth
