#include "common/auth/token_errors.h"

#include <string_view>

#include "common/errors/error.h"

namespace hail::auth {
namespace {

const absl::Status* Made(Reason reason, std::string_view message) {
  return new absl::Status(MakeError(absl::StatusCode::kUnauthenticated, message, {.reason = reason}));
}

}  // namespace

const absl::Status& TokenMissing() {
  static const absl::Status* const status = Made(Reason::kTokenMissing, "the call carries no token");
  return *status;
}

const absl::Status& TokenExpired() {
  static const absl::Status* const status = Made(Reason::kTokenExpired, "the token has expired");
  return *status;
}

const absl::Status& TokenInvalid() {
  static const absl::Status* const status = Made(Reason::kTokenInvalid, "the token is not valid here");
  return *status;
}

}  // namespace hail::auth
