// ConformanceService of Connect's conformance suite, served as Hail's services are.
#pragma once

#include <memory>
#include <tuple>

#include "common/exec/done.h"
#include "common/exec/executor.h"
#include "common/rpc/methods.h"
#include "connectrpc/conformance/v1/service.pb.h"

namespace hail::protocol {

namespace suite = connectrpc::conformance::v1;

// Each request says what the service answers, and when. third_party/connectrpc/conformance/v1/service.proto describes
// the methods. Not served: `Unimplemented`, so that it is what it says, and `IdempotentUnary`, which is for Connect's
// own protocol.
class ConformanceService {
 public:
  static constexpr char kName[] = "connectrpc.conformance.v1.ConformanceService";
  static constexpr auto Methods() {
    constexpr auto kEverybody = rpc::Roles::Everybody();
    return std::tuple(
        rpc::Unary("Unary", &ConformanceService::Unary, {.roles = kEverybody}),
        // The suite wants the headers before the first message.
        rpc::ServerStream("ServerStream", &ConformanceService::ServerStream, {.roles = kEverybody}, {.greets = true}),
        rpc::ClientStream("ClientStream", &ConformanceService::ClientStream, {.roles = kEverybody},
                          {.must_beat = false}),
        rpc::Bidi("BidiStream", &ConformanceService::BidiStream, {.roles = kEverybody}, {.must_beat = false}));
  }

  // Delayed answers run on `executor`, which must outlive the server.
  explicit ConformanceService(Executor* executor) : executor_(executor) {}

  void Unary(const rpc::CallContext& call, const suite::UnaryRequest& request, Done<suite::UnaryResponse> done);
  std::shared_ptr<rpc::StreamSession> ServerStream(const rpc::CallContext& call,
                                                   const suite::ServerStreamRequest& request,
                                                   std::shared_ptr<rpc::Sink<suite::ServerStreamResponse>> sink);
  // Answers with an empty message or an error: Hail's client streams have no other response.
  std::shared_ptr<rpc::InboundSession<suite::ClientStreamRequest>> ClientStream(
      const rpc::CallContext& call, std::shared_ptr<rpc::Sink<suite::ClientStreamResponse>> sink);
  std::shared_ptr<rpc::InboundSession<suite::BidiStreamRequest>> BidiStream(
      const rpc::CallContext& call, std::shared_ptr<rpc::Sink<suite::BidiStreamResponse>> sink);

 private:
  Executor* const executor_;
};

}  // namespace hail::protocol
