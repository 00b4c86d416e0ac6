#include "tests/protocol/conformance_service.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/time/clock.h"
#include "google/rpc/status.pb.h"
#include "tests/protocol/extras.h"

namespace hail::protocol {
namespace {

// The requests of a call, and the definition of its answer, which comes with the first.
template <typename Definition>
class Exchange {
 public:
  explicit Exchange(const rpc::CallContext& call) : extras_(ExtrasOf(call)) {
    *info_.mutable_request_headers() = extras_->received();
    if (call.deadline < absl::InfiniteFuture()) {
      info_.set_timeout_ms(absl::ToInt64Milliseconds(std::max(call.deadline - WallNow(), absl::ZeroDuration())));
    }
  }

  void Take(const auto& request) {
    if (requests_++ == 0) {
      definition_ = request.response_definition();
      extras_->SetHeaders(definition_.response_headers(), definition_.response_trailers());
    }
    info_.add_requests()->PackFrom(request);
  }

  const Definition& definition() const { return definition_; }
  absl::Duration delay() const { return absl::Milliseconds(definition_.response_delay_ms()); }

  suite::ConformancePayload Payload(const std::string& data) {
    suite::ConformancePayload payload;
    payload.set_data(data);
    // The requests since the last payload. The headers go with the first.
    payload.mutable_request_info()->Swap(&info_);
    answered_ = true;
    return payload;
  }

  // An error without a payload before it has the requests in its details.
  absl::Status End() {
    if (!definition_.has_error()) return absl::OkStatus();
    const suite::Error& error = definition_.error();
    google::rpc::Status status;
    status.set_code(error.code());
    status.set_message(error.message());
    *status.mutable_details() = error.details();
    if (!answered_) status.add_details()->PackFrom(info_);
    extras_->SetDetails(status.SerializeAsString());
    // The suite's codes are gRPC's.
    return absl::Status(static_cast<absl::StatusCode>(error.code()), error.message());
  }

 private:
  const std::shared_ptr<Extras> extras_;
  suite::ConformancePayload::RequestInfo info_;
  Definition definition_;
  int requests_ = 0;
  bool answered_ = false;
};

// The answers on a stream. Called by one thread at a time.
template <typename Response>
class Answers final : public std::enable_shared_from_this<Answers<Response>> {
 public:
  Answers(Executor* executor, const rpc::CallContext& call, std::shared_ptr<rpc::Sink<Response>> sink)
      : executor_(executor), sink_(std::move(sink)), exchange_(call) {}

  void Take(const auto& request) { exchange_.Take(request); }

  bool more() const { return next_ < exchange_.definition().response_data_size(); }

  // Sends the next message after the delay, then calls `then`.
  void SendNext(std::function<void()> then) {
    executor_->PostAfter(exchange_.delay(), [self = this->shared_from_this(), then = std::move(then)] {
      Response response;
      *response.mutable_payload() = self->exchange_.Payload(self->exchange_.definition().response_data(self->next_++));
      self->sink_->Send(std::move(response));
      then();
    });
  }

  // Sends the other messages, then ends the stream.
  void SendRest() {
    if (!more()) return Finish();
    SendNext([self = this->shared_from_this()] { self->SendRest(); });
  }

  void Finish() { sink_->Finish(exchange_.End()); }

 private:
  Executor* const executor_;
  const std::shared_ptr<rpc::Sink<Response>> sink_;
  Exchange<suite::StreamResponseDefinition> exchange_;
  int next_ = 0;
};

class ServerStreamSession final : public rpc::StreamSession {
 public:
  explicit ServerStreamSession(std::shared_ptr<rpc::Sink<suite::ServerStreamResponse>> sink) : sink_(std::move(sink)) {}
  void OnDrain(absl::Duration) override { sink_->Finish(); }
  void OnEnd() override {}

 private:
  const std::shared_ptr<rpc::Sink<suite::ServerStreamResponse>> sink_;
};

class ClientStreamSession final : public rpc::InboundSession<suite::ClientStreamRequest> {
 public:
  ClientStreamSession(Executor* executor, const rpc::CallContext& call,
                      std::shared_ptr<rpc::Sink<suite::ClientStreamResponse>> sink)
      : executor_(executor), sink_(std::move(sink)), exchange_(call) {}

  void OnMessage(const suite::ClientStreamRequest& request) override { exchange_.Take(request); }
  void OnHalfClose() override {
    executor_->PostAfter(exchange_.delay(), [sink = sink_, status = exchange_.End()] { sink->Finish(status); });
  }
  void OnDrain(absl::Duration) override { sink_->Finish(); }
  void OnEnd() override {}

 private:
  Executor* const executor_;
  const std::shared_ptr<rpc::Sink<suite::ClientStreamResponse>> sink_;
  Exchange<suite::UnaryResponseDefinition> exchange_;
};

class BidiSession final : public rpc::InboundSession<suite::BidiStreamRequest> {
 public:
  BidiSession(Executor* executor, const rpc::CallContext& call,
              std::shared_ptr<rpc::Sink<suite::BidiStreamResponse>> sink)
      : sink_(sink), answers_(std::make_shared<Answers<suite::BidiStreamResponse>>(executor, call, std::move(sink))) {}

  void OnMessage(const suite::BidiStreamRequest& request) override {
    if (!full_duplex_) full_duplex_ = request.full_duplex();
    answers_->Take(request);
    if (!*full_duplex_) return;
    if (!answers_->more()) return answers_->Finish();
    // The answer comes before the next request, and before the half-close.
    sink_->PauseReading();
    answers_->SendNext([sink = sink_] { sink->ResumeReading(); });
  }
  void OnHalfClose() override { answers_->SendRest(); }
  void OnDrain(absl::Duration) override { sink_->Finish(); }
  void OnEnd() override {}

 private:
  const std::shared_ptr<rpc::Sink<suite::BidiStreamResponse>> sink_;
  const std::shared_ptr<Answers<suite::BidiStreamResponse>> answers_;
  // By the first request.
  std::optional<bool> full_duplex_;
};

}  // namespace

void ConformanceService::Unary(const rpc::CallContext& call, const suite::UnaryRequest& request,
                               Done<suite::UnaryResponse> done) {
  Exchange<suite::UnaryResponseDefinition> exchange(call);
  exchange.Take(request);
  absl::StatusOr<suite::UnaryResponse> response = suite::UnaryResponse();
  if (const absl::Status error = exchange.End(); !error.ok()) {
    response = error;
  } else {
    *response->mutable_payload() = exchange.Payload(exchange.definition().response_data());
  }
  executor_->PostAfter(exchange.delay(), [done = std::move(done), response = std::move(response)] { done(response); });
}

std::shared_ptr<rpc::StreamSession> ConformanceService::ServerStream(
    const rpc::CallContext& call, const suite::ServerStreamRequest& request,
    std::shared_ptr<rpc::Sink<suite::ServerStreamResponse>> sink) {
  const auto answers = std::make_shared<Answers<suite::ServerStreamResponse>>(executor_, call, sink);
  answers->Take(request);
  answers->SendRest();
  return std::make_shared<ServerStreamSession>(std::move(sink));
}

std::shared_ptr<rpc::InboundSession<suite::ClientStreamRequest>> ConformanceService::ClientStream(
    const rpc::CallContext& call, std::shared_ptr<rpc::Sink<suite::ClientStreamResponse>> sink) {
  return std::make_shared<ClientStreamSession>(executor_, call, std::move(sink));
}

std::shared_ptr<rpc::InboundSession<suite::BidiStreamRequest>> ConformanceService::BidiStream(
    const rpc::CallContext& call, std::shared_ptr<rpc::Sink<suite::BidiStreamResponse>> sink) {
  return std::make_shared<BidiSession>(executor_, call, std::move(sink));
}

}  // namespace hail::protocol
