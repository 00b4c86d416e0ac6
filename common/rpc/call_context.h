// The properties of a call besides its request, over any transport.
#pragma once

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "common/auth/caller.h"
#include "common/limits/network.h"
#include "common/rpc/call_recorder.h"

namespace hail::rpc {

struct CallContext {
  virtual ~CallContext() = default;

  // Wall time; InfiniteFuture if the caller set none.
  absl::Time deadline = absl::InfiniteFuture();
  // W3C trace context, to be forwarded with calls made for this one. Empty: none, or malformed.
  std::string traceparent;
  // Metadata x-request-id, for logs; at most 128 printable bytes. Empty: none, or malformed.
  std::string request_id;
  // The caller's address ("ipv4:127.0.0.1:41234").
  std::string peer;
  // The network of the caller (limits/network.h), if it is known and the caller's own.
  std::optional<limits::Network> network;
  // Where the call is recorded that is to be; null: nowhere. Outlives the call.
  CallRecorder* recorder = nullptr;
  // Who calls; nobody if the transport does not say.
  auth::Caller caller;

  // Whether the client has stopped waiting for the answer. Must not be called after the answer.
  virtual bool cancelled() const { return false; }
};

}  // namespace hail::rpc
