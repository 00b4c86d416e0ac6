// Client calls on gRPC's callback API. Each owns itself until it is over, calls back on gRPC's threads, and stamps each
// message with the wall time of receipt.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/client_callback.h"
#include "tests/tools/hail-sim/inbox.h"

namespace hail::sim {

// The simulation's handle of a stream.
class StreamHandle {
 public:
  virtual ~StreamHandle() = default;
  // Ends the stream like a broken connection. Messages received before may still be reported. Thread-safe.
  virtual void Cancel() = 0;
};

template <class Response>
struct StreamEvents {
  std::function<void(absl::Time, Response)> received;
  // Called last, once.
  std::function<void(absl::Time, const grpc::Status&)> ended;
};

// A stream in both directions.
template <class Request, class Response>
class BidiCall final : public StreamHandle, public grpc::ClientBidiReactor<Request, Response> {
 public:
  // `start` binds context and reactor to a stub's method; `first` is the first message.
  static std::shared_ptr<BidiCall> Start(
      const std::function<void(grpc::ClientContext*, grpc::ClientBidiReactor<Request, Response>*)>& start,
      Request first, StreamEvents<Response> events, CallsInFlight* in_flight) {
    std::shared_ptr<BidiCall> call(new BidiCall(std::move(events), in_flight));
    call->self_ = call;
    in_flight->Begin();
    start(&call->context_, call.get());
    // Writes come from outside reactions: the hold keeps the call alive for them.
    call->AddHold();
    call->StartRead(&call->incoming_);
    call->Send(std::move(first));
    call->StartCall();
    return call;
  }

  // Thread-safe. Dropped once the stream is over.
  void Send(Request message) {
    absl::MutexLock lock(&mutex_);
    if (closed_) return;
    if (writing_) {
      waiting_.push_back(std::move(message));
      return;
    }
    writing_ = true;
    outgoing_ = std::move(message);
    this->StartWrite(&outgoing_);
  }

  void Cancel() override { context_.TryCancel(); }

 private:
  BidiCall(StreamEvents<Response> events, CallsInFlight* in_flight)
      : events_(std::move(events)), in_flight_(in_flight) {}

  void OnReadDone(bool ok) override {
    if (!ok) {
      Close();
      return;
    }
    events_.received(absl::Now(), std::move(incoming_));
    incoming_.Clear();
    this->StartRead(&incoming_);
  }

  void OnWriteDone(bool ok) override {
    absl::MutexLock lock(&mutex_);
    if (!ok || closed_ || waiting_.empty()) {
      writing_ = false;
      return;
    }
    outgoing_ = std::move(waiting_.front());
    waiting_.pop_front();
    this->StartWrite(&outgoing_);
  }

  void OnDone(const grpc::Status& status) override {
    events_.ended(absl::Now(), status);
    CallsInFlight* const in_flight = in_flight_;
    self_.reset();
    in_flight->End();
  }

  void Close() {
    {
      absl::MutexLock lock(&mutex_);
      if (closed_) return;
      closed_ = true;
      waiting_.clear();
    }
    this->RemoveHold();
  }

  const StreamEvents<Response> events_;
  CallsInFlight* const in_flight_;
  grpc::ClientContext context_;
  Response incoming_;
  std::shared_ptr<BidiCall> self_;

  absl::Mutex mutex_;
  // Unchanged while a write is in progress.
  Request outgoing_;
  std::deque<Request> waiting_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

// A stream from the service only.
template <class Request, class Response>
class ReadCall final : public StreamHandle, public grpc::ClientReadReactor<Response> {
 public:
  static std::shared_ptr<ReadCall> Start(
      const std::function<void(grpc::ClientContext*, const Request*, grpc::ClientReadReactor<Response>*)>& start,
      Request request, StreamEvents<Response> events, CallsInFlight* in_flight) {
    std::shared_ptr<ReadCall> call(new ReadCall(std::move(request), std::move(events), in_flight));
    call->self_ = call;
    in_flight->Begin();
    start(&call->context_, &call->request_, call.get());
    call->StartRead(&call->incoming_);
    call->StartCall();
    return call;
  }

  void Cancel() override { context_.TryCancel(); }

 private:
  ReadCall(Request request, StreamEvents<Response> events, CallsInFlight* in_flight)
      : request_(std::move(request)), events_(std::move(events)), in_flight_(in_flight) {}

  void OnReadDone(bool ok) override {
    if (!ok) return;
    events_.received(absl::Now(), std::move(incoming_));
    incoming_.Clear();
    this->StartRead(&incoming_);
  }

  void OnDone(const grpc::Status& status) override {
    events_.ended(absl::Now(), status);
    CallsInFlight* const in_flight = in_flight_;
    self_.reset();
    in_flight->End();
  }

  const Request request_;
  const StreamEvents<Response> events_;
  CallsInFlight* const in_flight_;
  grpc::ClientContext context_;
  Response incoming_;
  std::shared_ptr<ReadCall> self_;
};

// One unary call. `start` binds it to a stub's method; `done` is called once.
template <class Request, class Response>
void StartUnary(const std::function<void(grpc::ClientContext*, const Request*, Response*,
                                         std::function<void(grpc::Status)>)>& start,
                Request request, absl::Duration deadline,
                std::function<void(absl::Time, const grpc::Status&, const Response&)> done, CallsInFlight* in_flight) {
  struct Call {
    grpc::ClientContext context;
    Request request;
    Response response;
  };
  auto call = std::make_shared<Call>();
  call->request = std::move(request);
  call->context.set_deadline(absl::ToChronoTime(absl::Now() + deadline));
  in_flight->Begin();
  start(&call->context, &call->request, &call->response,
        [call, done = std::move(done), in_flight](const grpc::Status& status) {
          done(absl::Now(), status, call->response);
          in_flight->End();
        });
}

}  // namespace hail::sim
