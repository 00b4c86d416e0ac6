// Server-streaming methods on the callback API.
//
//   return rpc::ServeStream<WatchRideResponse>(gate_, context, "WatchRide", {}, [&](auto outbox, const auto& info) {
//     return std::make_shared<WatchSession>(*request, std::move(outbox), …);
//   });
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "common/rpc/call_info.h"
#include "common/rpc/gate.h"
#include "common/rpc/outbox.h"
#include "common/rpc/stream_call.h"
#include "common/rpc/stream_session.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/server_callback.h"

namespace hail::rpc {

struct StreamOptions {
  // Messages that may wait for a slow reader.
  std::size_t queue = 256;
  // Only for streams with an inbound half: the client sends heartbeats, and is gone after GateOptions::silence.
  bool must_beat = true;
  // Only for streams with an inbound half: larger messages end the stream with INVALID_ARGUMENT. 0: the gate's limit.
  std::size_t max_message_bytes = 0;
  // GateOptions::stream_age holds for it.
  bool ages = true;
};

namespace detail {

template <typename Response>
class WriteReactor final : public grpc::ServerWriteReactor<Response>, public Wire<Response> {
 public:
  WriteReactor(Gate* gate, grpc::CallbackServerContext* context, const char* method, const StreamOptions& options)
      : context_(context),
        outbox_(std::make_shared<Outbox<Response>>(this, options.queue)),
        call_(std::make_shared<StreamCall>(gate, method, outbox_, /*must_beat=*/false, options.ages)) {
    this->StartSendInitialMetadata();
  }

  template <typename MakeSession>
  void Open(MakeSession&& make_session) {
    call_->Open([&]() -> std::shared_ptr<StreamSession> { return make_session(outbox_, CallInfoOf(*context_)); });
  }

  void OnWriteDone(bool ok) override { outbox_->OnWriteDone(ok); }
  void OnCancel() override { outbox_->OnCancel(); }
  void OnDone() override {
    call_->Close();
    delete this;
  }

  void WireWrite(const Response* message) override { this->StartWrite(message); }
  void WireFinish(const grpc::Status& status) override { this->Finish(status); }
  void WireCancel() override { context_->TryCancel(); }

 private:
  grpc::CallbackServerContext* const context_;
  const std::shared_ptr<Outbox<Response>> outbox_;
  const std::shared_ptr<StreamCall> call_;
};

}  // namespace detail

// `make_session(std::shared_ptr<Outbox<Response>>, const CallInfo&)` returns a std::shared_ptr to a StreamSession; it
// runs before this returns, may send and even finish, and must not block. `method` must live for ever. Returns what the
// method must return to gRPC. A refusal (DRAINING, OVERLOADED) makes no session.
template <typename Response, typename MakeSession>
grpc::ServerWriteReactor<Response>* ServeStream(Gate* gate, grpc::CallbackServerContext* context, const char* method,
                                                const StreamOptions& options, MakeSession&& make_session) {
  auto* reactor = new detail::WriteReactor<Response>(gate, context, method, options);
  reactor->Open(std::forward<MakeSession>(make_session));
  return reactor;
}

}  // namespace hail::rpc
