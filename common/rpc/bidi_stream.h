// Server side of bidirectional methods on the callback API.
//
//   Bidi<StreamRideRequest, StreamRideResponse>(   // service.h
//       "StreamRide", {}, [this](auto writer, const CallContext& call) {
//         return std::make_shared<RideSession>(std::move(writer), call, …);
//       });
#pragma once

#include <memory>
#include <utility>

#include "common/rpc/gate.h"
#include "common/rpc/grpc_call_context.h"
#include "common/rpc/inbound.h"
#include "common/rpc/server_stream.h"
#include "common/rpc/stream_call.h"
#include "common/rpc/stream_session.h"
#include "common/rpc/stream_writer.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/server_callback.h"

namespace hail::rpc {

namespace detail {

template <typename Request, typename Response>
class BidiReactor final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                          public StreamTransport<Response> {
 public:
  BidiReactor(Gate* gate, grpc::CallbackServerContext* context, const MethodName& method, const StreamOptions& options)
      : intake_(options.max_message_bytes > 0 ? options.max_message_bytes : gate->options().max_request_bytes),
        gate_(gate),
        context_(context),
        method_(method),
        writer_(std::make_shared<StreamWriter<Response>>(this, options.queue)),
        call_(std::make_shared<StreamCall>(gate, method.method, writer_, options.must_beat, options.ages)),
        greets_(options.greets) {}

  template <typename MakeSession>
  void Open(const Authenticator& authenticator, const MakeSession& make_session) {
    OpenFor(gate_, authenticator, method_, *context_, *call_, *writer_,
            [&](const CallContext& call) -> std::shared_ptr<InboundSession<Request>> {
              return make_session(writer_, call);
            });
    if (greets_ && writer_->open()) this->StartSendInitialMetadata();
    writer_->ReadOn();
  }

  void OnReadDone(bool ok) override { intake_.OnRead(ok, *call_, *writer_); }
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
  void TransportRead() override { this->StartRead(intake_.next()); }

 private:
  Intake<Request> intake_;
  OutgoingMessage outgoing_;
  Gate* const gate_;
  grpc::CallbackServerContext* const context_;
  const MethodName method_;
  const std::shared_ptr<StreamWriter<Response>> writer_;
  const std::shared_ptr<StreamCall> call_;
  const bool greets_;
};

}  // namespace detail

// `make_session(std::shared_ptr<StreamWriter<Response>>, const CallContext&)` returns a std::shared_ptr to an
// InboundSession<Request>. Otherwise like ServeStream.
template <typename Request, typename Response, typename MakeSession>
grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* ServeBidi(Gate* gate, const Authenticator& authenticator,
                                                                       grpc::CallbackServerContext* context,
                                                                       const MethodName& method,
                                                                       const StreamOptions& options,
                                                                       const MakeSession& make_session) {
  auto* reactor = new detail::BidiReactor<Request, Response>(gate, context, method, options);
  reactor->Open(authenticator, make_session);
  return reactor;
}

}  // namespace hail::rpc
