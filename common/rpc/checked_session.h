// The authorization of the messages of a stream with an inbound half.
#pragma once

#include <memory>
#include <utility>

#include "common/rpc/identity.h"
#include "common/rpc/sink.h"
#include "common/rpc/stream_session.h"

namespace hail::rpc::detail {

// Passes on messages that `access` allows to `caller`. The first other one ends the stream, and no message after it
// reaches the session.
template <typename Request, typename Response>
class CheckedSession final : public InboundSession<Request> {
 public:
  CheckedSession(const Access<Request>& access, auth::Caller caller, std::shared_ptr<Sink<Response>> sink,
                 std::shared_ptr<InboundSession<Request>> session)
      : access_(access), caller_(std::move(caller)), sink_(std::move(sink)), session_(std::move(session)) {}

  void OnMessage(const Request& message) override {
    if (refused_) return;
    if (const absl::Status allowed = access_.CheckNamed(caller_, message); !allowed.ok()) {
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
  const auth::Caller caller_;
  const std::shared_ptr<Sink<Response>> sink_;
  const std::shared_ptr<InboundSession<Request>> session_;
  // A session's methods are called one at a time.
  bool refused_ = false;
};

}  // namespace hail::rpc::detail
