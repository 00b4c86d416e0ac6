// Who calls, and for whom they may speak: the one check that every method makes, in both services.
//
// Kept per call, not per connection: a proxy sends many people's calls over one connection.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace hail::rpc {

struct Caller {
  // The authenticated rider or driver id. Empty: nobody authenticated the call (there is no token check yet), and the
  // id named in the request is trusted.
  std::string subject;
};

// OK if `caller` may speak for `id` (a rider_id or driver_id, named in `field`); INVALID_FIELD where `id` is not a
// valid id at all; IDENTITY_MISMATCH (PERMISSION_DENIED) otherwise.
absl::Status CheckSpeaksFor(const Caller& caller, const std::string& id, const std::string& field);

}  // namespace hail::rpc
