// A service as our servers run it. gRPC sees bytes only (message_bytes.h); the service sees messages.
//
//   RiderService rider_service(…);                           // a plain class with a table of methods: methods.h
//   GrpcService<RiderService> served(&gate, &rider_service, &authenticator);
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/rpc/authenticator.h"
#include "common/rpc/bidi_stream.h"
#include "common/rpc/gate.h"
#include "common/rpc/inbound_stream.h"
#include "common/rpc/methods.h"
#include "common/rpc/server_stream.h"
#include "common/rpc/unary.h"
#include "google/protobuf/descriptor.h"
#include "grpcpp/impl/rpc_service_method.h"
#include "grpcpp/impl/service_type.h"
// Newer versions of gRPC have another header for it.
#if __has_include("grpcpp/impl/server_callback_handlers.h")
#include "grpcpp/impl/server_callback_handlers.h"
#else
#include "grpcpp/impl/codegen/server_callback_handlers.h"
#endif

namespace hail::rpc {

// The constructor of the derived class adds the methods. Each must be in the contract, with these messages, and
// `method` must live forever. Handlers are called on gRPC's threads, concurrently, and must not block.
class Service : public grpc::Service {
 protected:
  // `gate` and `authenticator` must outlive the server. `full_name`: "hail.rider.v1.RiderService".
  Service(Gate* gate, std::string full_name, const Authenticator* authenticator);

  // See unary.h for `handler` and `admit`.
  template <typename Request, typename Response, typename Handler, typename Admit>
  void Unary(const char* method, Handler handler, Admit admit) {
    Add<Request, Response>(
        method, grpc::internal::RpcMethod::NORMAL_RPC,
        new grpc::internal::CallbackUnaryHandler<grpc::ByteBuffer, grpc::ByteBuffer>(
            [this, method, handler = std::move(handler), admit = std::move(admit)](
                grpc::CallbackServerContext* context, const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
              return ServeUnary<Request, Response>(gate_, *authenticator_, context, request, response, method, handler,
                                                   admit);
            }));
  }
  template <typename Request, typename Response, typename Handler>
  void Unary(const char* method, Handler handler) {
    Unary<Request, Response>(method, std::move(handler), [](absl::Time) { return absl::OkStatus(); });
  }

  // See server_stream.h.
  template <typename Request, typename Response, typename MakeSession>
  void ServerStream(const char* method, const StreamOptions& options, MakeSession make_session) {
    Add<Request, Response>(method, grpc::internal::RpcMethod::SERVER_STREAMING,
                           new grpc::internal::CallbackServerStreamingHandler<grpc::ByteBuffer, grpc::ByteBuffer>(
                               [this, method, options, make_session = std::move(make_session)](
                                   grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) {
                                 return ServeStream<Request, Response>(gate_, *authenticator_, context, request, method,
                                                                       options, make_session);
                               }));
  }

  // See inbound_stream.h.
  template <typename Request, typename Response, typename MakeSession>
  void Inbound(const char* method, const StreamOptions& options, MakeSession make_session) {
    Add<Request, Response>(method, grpc::internal::RpcMethod::CLIENT_STREAMING,
                           new grpc::internal::CallbackClientStreamingHandler<grpc::ByteBuffer, grpc::ByteBuffer>(
                               [this, method, options, make_session = std::move(make_session)](
                                   grpc::CallbackServerContext* context, grpc::ByteBuffer* response) {
                                 return ServeInbound<Request, Response>(gate_, *authenticator_, context, response,
                                                                        method, options, make_session);
                               }));
  }

  // See bidi_stream.h.
  template <typename Request, typename Response, typename MakeSession>
  void Bidi(const char* method, const StreamOptions& options, MakeSession make_session) {
    Add<Request, Response>(
        method, grpc::internal::RpcMethod::BIDI_STREAMING,
        new grpc::internal::CallbackBidiHandler<grpc::ByteBuffer, grpc::ByteBuffer>(
            [this, method, options, make_session = std::move(make_session)](grpc::CallbackServerContext* context) {
              return ServeBidi<Request, Response>(gate_, *authenticator_, context, method, options, make_session);
            }));
  }

 private:
  template <typename Request, typename Response>
  void Add(const char* method, grpc::internal::RpcMethod::RpcType type, grpc::internal::MethodHandler* handler) {
    Add(method, type, Request::descriptor(), Response::descriptor(), handler);
  }
  // Aborts if the contract has no such method.
  void Add(const char* method, grpc::internal::RpcMethod::RpcType type, const google::protobuf::Descriptor* request,
           const google::protobuf::Descriptor* response, grpc::internal::MethodHandler* handler);

  Gate* const gate_;
  const std::string full_name_;
  const Authenticator* const authenticator_;
  // gRPC keeps pointers to them.
  std::deque<std::string> paths_;
};

// All methods of `S`, by its table.
template <typename S>
class GrpcService final : public Service {
 public:
  // All must outlive the server.
  GrpcService(Gate* gate, S* service, const Authenticator* authenticator)
      : Service(gate, S::kName, authenticator), service_(service) {
    std::apply([this](const auto&... methods) { (Serve(methods), ...); }, S::Methods());
  }

 private:
  template <typename Request, typename Response>
  void Serve(const rpc::Unary<S, Request, Response>& method) {
    Unary<Request, Response>(
        method.name,
        [service = service_, method](const std::shared_ptr<UnaryCall<Request, Response>>& answer) {
          method.Serve(*service, answer->context(), answer->request(),
                       [answer](const absl::StatusOr<Response>& response) { answer->Finish(response); });
        },
        [service = service_, method](absl::Time deadline) { return method.Admit(*service, deadline); });
  }

  template <typename Request, typename Response>
  void Serve(const rpc::ServerStream<S, Request, Response>& method) {
    ServerStream<Request, Response>(
        method.name, method.options,
        [service = service_, method](const Request& request, std::shared_ptr<StreamWriter<Response>> writer,
                                     const CallContext& call) {
          return method.Open(*service, call, request, std::move(writer));
        });
  }

  template <typename Request, typename Response>
  void Serve(const rpc::ClientStream<S, Request, Response>& method) {
    Inbound<Request, Response>(method.name, method.options, Opener<Response>(method));
  }

  template <typename Request, typename Response>
  void Serve(const rpc::Bidi<S, Request, Response>& method) {
    Bidi<Request, Response>(method.name, method.options, Opener<Response>(method));
  }

  template <typename Response, typename Row>
  auto Opener(const Row& method) const {
    return [service = service_, method](std::shared_ptr<StreamWriter<Response>> writer, const CallContext& call) {
      return method.Open(*service, call, std::move(writer));
    };
  }

  S* const service_;
};

}  // namespace hail::rpc
