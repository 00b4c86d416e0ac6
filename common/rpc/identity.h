// The caller's identity, and the one authorization check that every method of both services makes.
//
// The identity belongs to the call, not to the connection: a proxy sends many people's calls over one connection.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace hail::rpc {

struct Caller {
  // The authenticated rider or driver id. Empty: the call is not authenticated (there is no token check yet), and the
  // id named in the request is trusted.
  std::string subject;
};

// OK if `caller` may act for `id` (a rider_id or driver_id, named in `field`); INVALID_FIELD if `id` is not a valid id;
// IDENTITY_MISMATCH (PERMISSION_DENIED) otherwise.
absl::Status CheckSpeaksFor(const Caller& caller, const std::string& id, const std::string& field);

}  // namespace hail::rpc
