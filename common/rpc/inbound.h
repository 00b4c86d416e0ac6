// What streams with an inbound half do with a message.
#pragma once

#include <cstddef>
#include <string>

#include "common/errors/error.h"
#include "common/rpc/gate.h"
#include "common/rpc/outbox.h"
#include "common/rpc/stream_call.h"
#include "common/rpc/stream_session.h"

namespace hail::rpc::detail {

// Hands what a read brought to the session; whether to read on.
template <typename Request>
bool TakeIn(StreamCall& call, OutboxBase& outbox, bool ok, const Request& message, std::size_t max_bytes) {
  if (!ok) {
    call.WithSession([](StreamSession& session) { static_cast<InboundSession<Request>&>(session).OnHalfClose(); });
    return false;
  }
  call.Heard();
  if (message.ByteSizeLong() > max_bytes) {
    outbox.Abort(InvalidField("", "the message is larger than " + std::to_string(max_bytes) + " bytes"));
    return false;
  }
  call.WithSession(
      [&message](StreamSession& session) { static_cast<InboundSession<Request>&>(session).OnMessage(message); });
  return outbox.open();
}

}  // namespace hail::rpc::detail
