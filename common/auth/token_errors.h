// What a caller learns about its token: that it is missing, has expired, or is no good. Why, only the log says: a
// stranger who tries forgeries must not learn how far they get.
#pragma once

#include "absl/status/status.h"

namespace hail::auth {

// UNAUTHENTICATED with TOKEN_MISSING, TOKEN_EXPIRED, TOKEN_INVALID. Cheap: made once. Thread-safe.
const absl::Status& TokenMissing();
const absl::Status& TokenExpired();
const absl::Status& TokenInvalid();

}  // namespace hail::auth
