#include "common/auth/caller.h"

namespace hail::auth {

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kRider:
      return "rider";
    case Role::kDriver:
      return "driver";
    case Role::kViewer:
      return "viewer";
    case Role::kServer:
      return "server";
    case Role::kOperator:
      return "operator";
    case Role::kRiderService:
      return "rider-service";
    case Role::kDriverService:
      return "driver-service";
  }
  return "unknown";
}

std::optional<Role> TokenRole(std::string_view name) {
  for (const Role role : {Role::kRider, Role::kDriver, Role::kViewer, Role::kServer, Role::kOperator}) {
    if (name == RoleName(role)) return role;
  }
  return std::nullopt;
}

}  // namespace hail::auth
