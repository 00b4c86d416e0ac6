// What a call says about itself beside its request, over any transport.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "common/rpc/identity.h"

namespace hail::rpc {

struct CallContext {
  virtual ~CallContext() = default;

  // Wall time; InfiniteFuture if the caller set none.
  absl::Time deadline = absl::InfiniteFuture();
  // W3C trace context, to be passed on in calls made for this one. Empty: none, or malformed.
  std::string traceparent;
  // Metadata x-request-id, for logs; at most 128 printable bytes. Empty: none, or malformed.
  std::string request_id;
  // Where the call came from ("ipv4:127.0.0.1:41234").
  std::string peer;
  // Who calls.
  Caller caller;

  // Whether nobody waits for the answer any more. Not after the answer was given.
  virtual bool cancelled() const { return false; }
};

}  // namespace hail::rpc
