// Server side of server-streaming methods on the callback API.
//
//   ServerStream<WatchRideRequest, WatchRideResponse>(   // service.h
//       "WatchRide", {}, [this](const auto& request, auto writer, const CallContext& call) {
//         return std::make_shared<WatchSession>(request, std::move(writer), …);
//       });
#pragma once

#include <memory>
#include <utility>

#include "common/rpc/authenticator.h"
#include "common/rpc/gate.h"
#include "common/rpc/grpc_call_context.h"
#include "common/rpc/message_bytes.h"
#include "common/rpc/methods.h"
#include "common/rpc/stream_call.h"
#include "common/rpc/stream_session.h"
#include "common/rpc/stream_writer.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/server_callback.h"

namespace hail::rpc {

namespace detail {

// Opens `call` with the session that `make_session(const CallContext&)` returns for its caller; null: refused.
template <typename MakeSession>
void OpenFor(const Authenticator& authenticator, const grpc::CallbackServerContext& context, StreamCall& call,
             StreamWriterBase& writer, const MakeSession& make_session) {
  call.Open([&](absl::Time wall) -> StreamCall::Opened {
    absl::StatusOr<auth::Caller> caller = authenticator.Authenticate(context, wall);
    if (!caller.ok()) {
      writer.Abort(caller.status());
      return {};
    }
    const absl::Time expires = ExpiryOf(*caller);
    return {make_session(GrpcCallContext(context, *std::move(caller))), expires};
  });
}

template <typename Response>
class WriteReactor final : public grpc::ServerWriteReactor<grpc::ByteBuffer>, public StreamTransport<Response> {
 public:
  WriteReactor(Gate* gate, grpc::CallbackServerContext* context, const char* method, const StreamOptions& options)
      : context_(context),
        writer_(std::make_shared<StreamWriter<Response>>(this, options.queue)),
        call_(std::make_shared<StreamCall>(gate, method, writer_, /*must_beat=*/false, options.ages)),
        greets_(options.greets) {}

  template <typename Request, typename MakeSession>
  void Open(const Authenticator& authenticator, const grpc::ByteBuffer& request, std::size_t max_bytes,
            const MakeSession& make_session) {
    OpenFor(authenticator, *context_, *call_, *writer_, [&](const CallContext& call) -> std::shared_ptr<StreamSession> {
      // gRPC made these bytes for this call alone, and would keep them until its end.
      auto& bytes = const_cast<grpc::ByteBuffer&>(request);
      Request message;
      if (const absl::Status read = ReadMessage(bytes, "request", max_bytes, &message); !read.ok()) {
        writer_->Abort(read);
        return nullptr;
      }
      return make_session(message, writer_, call);
    });
    if (greets_ && writer_->open()) this->StartSendInitialMetadata();
  }

  void OnWriteDone(bool ok) override {
    outgoing_.Clear();
    writer_->OnWriteDone(ok);
  }
  void OnCancel() override { writer_->OnCancel(); }
  void OnDone() override {
    call_->Close();
    delete this;
  }

  void TransportWrite(const Response* message) override { this->StartWrite(outgoing_.Fill(*message)); }
  void TransportFinish(const grpc::Status& status) override { this->Finish(status); }
  void TransportCancel() override { context_->TryCancel(); }

 private:
  grpc::CallbackServerContext* const context_;
  const std::shared_ptr<StreamWriter<Response>> writer_;
  const std::shared_ptr<StreamCall> call_;
  const bool greets_;
  OutgoingMessage outgoing_;
};

}  // namespace detail

// `make_session(const Request&, std::shared_ptr<StreamWriter<Response>>, const CallContext&)` returns a std::shared_ptr
// to a StreamSession; null: it has refused the caller, and finished the writer. It runs before this returns, may send
// and even finish, and must not block. `method` must live forever. Returns the reactor for gRPC. A refused call
// (DRAINING, OVERLOADED, UNAUTHENTICATED by `authenticator`, a request that is too large or unreadable) makes no
// session.
template <typename Request, typename Response, typename MakeSession>
grpc::ServerWriteReactor<grpc::ByteBuffer>* ServeStream(Gate* gate, const Authenticator& authenticator,
                                                        grpc::CallbackServerContext* context,
                                                        const grpc::ByteBuffer* request, const char* method,
                                                        const StreamOptions& options, const MakeSession& make_session) {
  auto* reactor = new detail::WriteReactor<Response>(gate, context, method, options);
  reactor->template Open<Request>(authenticator, *request, gate->options().max_request_bytes, make_session);
  return reactor;
}

}  // namespace hail::rpc
