// Server side of unary methods on the callback API.
//
//   Unary<GetRideRequest, GetRideResponse>("GetRide", [this](const auto& call) {   // service.h
//     rides_->Get(call->context(), call->request(), [call](const auto& response) { call->Finish(response); });
//   });
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/errors/error.h"
#include "common/rpc/authenticator.h"
#include "common/rpc/deadline.h"
#include "common/rpc/gate.h"
#include "common/rpc/grpc_call_context.h"
#include "common/rpc/message_bytes.h"
#include "common/time/clock.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/server_callback.h"

namespace hail::rpc {

namespace detail {

// The error of a call whose deadline passed before it began.
absl::Status TooLate();

// Lives from the call's arrival until gRPC is done with it. Finish() must be called exactly once; UnaryCall ensures
// that.
class UnaryReactor final : public grpc::ServerUnaryReactor {
 public:
  // `entered`: the gate let the call in.
  UnaryReactor(Gate* gate, grpc::CallbackServerContext* context, const char* method, bool entered)
      : gate_(gate), context_(context), method_(method), entered_(entered), began_(gate->Wall()) {}
  // `bytes`: the size of the answer.
  void End(const absl::Status& status, std::size_t bytes = 0);
  void OnDone() override;
  // Runs OnDone on the thread that sent the answer, as gRPC's own reactor does: a change of threads is a fifth of the
  // cost of a refused call. gRPC asks that inline OnDone does little and holds no lock. OnDone is then called on gRPC's
  // polling threads, which hold no locks.
  bool InternalInlineable() override { return true; }

 private:
  Gate* const gate_;
  grpc::CallbackServerContext* const context_;
  const char* const method_;
  const bool entered_;
  const absl::Time began_;
  absl::StatusCode code_ = absl::StatusCode::kUnknown;
  UnreadAnswer answer_;
};

}  // namespace detail

// A call being handled. Share it freely: any thread may finish it, at any time. If the last owner releases it without a
// Finish, it ends with INTERNAL, so that the client does not wait in vain.
//
// response() and the context's cancelled() must not be used after Finish().
template <typename Request, typename Response>
class UnaryCall {
 public:
  UnaryCall(detail::UnaryReactor* reactor, grpc::CallbackServerContext* context, auth::Caller caller,
            grpc::ByteBuffer* answer)
      : reactor_(reactor), answer_(answer), context_(*context, std::move(caller)) {}
  ~UnaryCall() { Finish(Internal("the call was dropped")); }
  UnaryCall(const UnaryCall&) = delete;
  UnaryCall& operator=(const UnaryCall&) = delete;

  // Called once, before all other methods.
  absl::Status Read(grpc::ByteBuffer& bytes, std::size_t max_bytes) {
    return detail::ReadMessage(bytes, "request", max_bytes, &request_);
  }

  const Request& request() const { return request_; }
  // The response if the call ends with OK. Written by one thread at a time.
  Response& response() { return response_; }
  const CallContext& context() const { return context_; }
  absl::Time deadline() const { return context_.deadline; }
  // Whether the client has stopped waiting for the answer.
  bool cancelled() const { return context_.cancelled(); }

  // Ends the call. Thread-safe; only the first call counts.
  void Finish(const absl::Status& status = absl::OkStatus()) {
    if (finished_.exchange(true)) return;
    if (!status.ok()) return reactor_->End(status);
    Send(response_);
  }
  // The same with a response from the caller.
  void Finish(const absl::StatusOr<Response>& response) {
    if (finished_.exchange(true)) return;
    if (!response.ok()) return reactor_->End(response.status());
    Send(*response);
  }

 private:
  void Send(const Response& response) {
    const absl::Status written = detail::WriteMessage(response, answer_);
    reactor_->End(written, answer_->Length());
  }

  detail::UnaryReactor* const reactor_;
  grpc::ByteBuffer* const answer_;
  const GrpcCallContext context_;
  Request request_;
  Response response_;
  std::atomic<bool> finished_{false};
};

// Admits the call (or refuses it: DRAINING, OVERLOADED, DEADLINE_EXCEEDED if its deadline has passed, UNAUTHENTICATED
// by `authenticator`, INVALID_ARGUMENT for a request that is too large or unreadable) and runs
// `handler(std::shared_ptr<UnaryCall<Request, Response>>)`, which must not block. If it throws, the call ends with
// INTERNAL. `method` must live forever. Returns the reactor for gRPC.
//
// `admit(absl::Time deadline)` runs first and may refuse the call before its caller is known and its request is
// decoded, because under overload most calls end there.
template <typename Request, typename Response, typename Handler, typename Admit>
grpc::ServerUnaryReactor* ServeUnary(Gate* gate, const Authenticator& authenticator,
                                     grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response, const char* method, const Handler& handler,
                                     const Admit& admit) {
  absl::Status entered = gate->EnterUnary();
  auto* reactor = new detail::UnaryReactor(gate, context, method, entered.ok());
  // The client may have left while the call waited inside gRPC. Work without a client would delay other calls.
  if (entered.ok() && (context->IsCancelled() || FromGrpcDeadline(context->raw_deadline()) <= WallNow())) {
    entered = detail::TooLate();
  }
  if (entered.ok()) entered = admit(FromGrpcDeadline(context->raw_deadline()));
  if (!entered.ok()) {
    reactor->End(entered);
    return reactor;
  }
  absl::StatusOr<auth::Caller> caller = authenticator.Authenticate(*context, gate->Wall());
  if (!caller.ok()) {
    reactor->End(caller.status());
    return reactor;
  }
  auto call = std::make_shared<UnaryCall<Request, Response>>(reactor, context, *std::move(caller), response);
  // gRPC made these bytes for this call alone, and would keep them until its end.
  auto& bytes = const_cast<grpc::ByteBuffer&>(*request);
  if (const absl::Status read = call->Read(bytes, gate->options().max_request_bytes); !read.ok()) {
    call->Finish(read);
    return reactor;
  }
  try {
    handler(call);
  } catch (const std::exception& thrown) {
    gate->observer().OnException(method, thrown.what());
    call->Finish(Internal("the call failed"));
  }
  return reactor;
}

}  // namespace hail::rpc
