// Server side of client-streaming methods on the callback API. The response is always empty.
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
class ReadReactor final : public grpc::ServerReadReactor<grpc::ByteBuffer>, public StreamTransport<Response> {
 public:
  ReadReactor(Gate* gate, grpc::CallbackServerContext* context, grpc::ByteBuffer* response, const MethodName& method,
              const StreamOptions& options)
      : intake_(options.max_message_bytes > 0 ? options.max_message_bytes : gate->options().max_request_bytes),
        gate_(gate),
        context_(context),
        method_(method),
        writer_(std::make_shared<StreamWriter<Response>>(this, 0)),
        call_(std::make_shared<StreamCall>(gate, method.method, writer_, options.must_beat, options.ages)),
        greets_(options.greets) {
    *response = EmptyMessage();
  }

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
  void OnCancel() override { writer_->OnCancel(); }
  void OnDone() override {
    call_->Close();
    delete this;
  }

  void TransportWrite(const Response*) override {}
  void TransportFinish(const grpc::Status& status) override { this->Finish(status); }
  void TransportCancel() override { context_->TryCancel(); }
  void TransportRead() override { this->StartRead(intake_.next()); }

 private:
  Intake<Request> intake_;
  Gate* const gate_;
  grpc::CallbackServerContext* const context_;
  const MethodName method_;
  const std::shared_ptr<StreamWriter<Response>> writer_;
  const std::shared_ptr<StreamCall> call_;
  const bool greets_;
};

}  // namespace detail

// `make_session(std::shared_ptr<StreamWriter<Response>>, const CallContext&)` returns a std::shared_ptr to an
// InboundSession<Request>, which sends nothing, and finishes the writer when it is drained or half-closed. Otherwise
// like ServeBidi.
template <typename Request, typename Response, typename MakeSession>
grpc::ServerReadReactor<grpc::ByteBuffer>* ServeInbound(Gate* gate, const Authenticator& authenticator,
                                                        grpc::CallbackServerContext* context,
                                                        grpc::ByteBuffer* response, const MethodName& method,
                                                        const StreamOptions& options, const MakeSession& make_session) {
  auto* reactor = new detail::ReadReactor<Request, Response>(gate, context, response, method, options);
  reactor->Open(authenticator, make_session);
  return reactor;
}

}  // namespace hail::rpc
