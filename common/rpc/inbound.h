// What streams with an inbound half do with a message.
#pragma once

#include <cstddef>
#include <string>

#include "common/errors/error.h"
#include "common/rpc/gate.h"
#include "common/rpc/joined.h"
#include "common/rpc/outbox.h"
#include "common/rpc/stream_call.h"
#include "common/rpc/stream_session.h"

namespace hail::rpc::detail {

// Hands what a read brought to the session, and reads on.
template <typename Request>
void TakeIn(StreamCall& call, OutboxBase& outbox, bool ok, const Request& message, std::size_t max_bytes) {
  if (!ok) {
    call.WithSession([](StreamSession& session) { static_cast<InboundSession<Request>&>(session).OnHalfClose(); });
    return;
  }
  call.Heard();
  if (message.ByteSizeLong() > max_bytes) {
    outbox.Abort(InvalidField("", "the message is larger than " + std::to_string(max_bytes) + " bytes"));
    return;
  }
  HearEach(message, [&](const Request& each) {
    // As if each were read by itself: none after the stream has begun to end.
    if (&each != &message && !outbox.open()) return;
    call.WithSession(
        [&each](StreamSession& session) { static_cast<InboundSession<Request>&>(session).OnMessage(each); });
  });
  outbox.ReadOn();
}

}  // namespace hail::rpc::detail
