// The authorization of the messages of a stream with an inbound half.
#pragma once

#include <memory>
#include <utility>

#include "common/rpc/call_context.h"
#include "common/rpc/identity.h"
#include "common/rpc/recording.h"
#include "common/rpc/sink.h"
#include "common/rpc/stream_session.h"

namespace hail::rpc::detail {

// Passes on messages that `access` allows to `caller`. The first other one ends the stream, and no message after it
// reaches the session. Messages that name a person are recorded as the row of the method says.
template <typename Request, typename Response>
class CheckedSession final : public InboundSession<Request> {
 public:
  // `service` and `method` must live forever.
  CheckedSession(const Access<Request>& access, const CallContext& context, const char* service, const char* method,
                 std::shared_ptr<Sink<Response>> sink, std::shared_ptr<InboundSession<Request>> session)
      : access_(access),
        context_(context),
        service_(service),
        method_(method),
        sink_(std::move(sink)),
        session_(std::move(session)) {}

  void OnMessage(const Request& message) override {
    if (refused_) return;
    const absl::Status allowed = access_.CheckNamed(context_.caller, message);
    if (!allowed.ok() || (IsRecorded(context_, access_) && access_.person(message))) {
      Record({.context = context_, .service = service_, .method = method_, .stream = true}, access_, &message, allowed);
    }
    if (!allowed.ok()) {
      refused_ = true;
      return sink_->Finish(allowed);
    }
    session_->OnMessage(message);
  }
  void OnHalfClose() override { session_->OnHalfClose(); }
  void OnHeartbeat() override { session_->OnHeartbeat(); }
  void OnDrain(absl::Duration retry_after) override { session_->OnDrain(retry_after); }
  void OnEnd() override { session_->OnEnd(); }

 private:
  const Access<Request> access_;
  // Without what is the transport's: whether the client has gone.
  const CallContext context_;
  const char* const service_;
  const char* const method_;
  const std::shared_ptr<Sink<Response>> sink_;
  const std::shared_ptr<InboundSession<Request>> session_;
  // A session's methods are called one at a time.
  bool refused_ = false;
};

}  // namespace hail::rpc::detail
