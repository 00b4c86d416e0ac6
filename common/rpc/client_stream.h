// Long-lived streams to the other service, reopened whenever they end.
//
//   rpc::ReconnectingStream<DispatchRequest, DispatchResponse> link(
//       &loop, &clock, [this](auto* context, auto* reactor) { stub_->async()->Dispatch(context, reactor); },
//       {.on_up = …, .on_message = …, .on_down = …, .heartbeat = …}, {});
//   link.Start();
//
// Handlers run on the loop, one at a time: on_up(link), on_message(…)…, on_down(status); then again with the next link
// number. A stream is up once the server has sent its initial metadata (or a message). The next message is read after
// on_message has returned. Send names the link, so that a message for an older link never goes to a newer one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/exec/executor.h"
#include "common/rpc/joined.h"
#include "common/rpc/link_core.h"
#include "common/rpc/message_queue.h"
#include "common/rpc/outgoing_stream.h"
#include "common/rpc/status.h"
#include "common/time/clock.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/client_callback.h"

namespace hail::rpc {

namespace detail {

// The sending half, shared by both kinds of stream.
//
// Enforces gRPC's rules: writes only while the attempt has its hold, one at a time, with the message unchanged until
// OnWriteDone; the hold is released exactly once, and no operation starts after that.
template <typename Request, typename Reactor>
class SendingLink : public LinkCore {
 public:
  SendingLink(Executor* loop, const Clock* clock, const LinkOptions& options, std::function<void(std::uint64_t)> on_up,
              std::function<void(const absl::Status&)> on_down, std::function<Request()> heartbeat)
      : LinkCore(loop, clock, options, std::move(on_up), std::move(on_down)),
        bound_(options.queue),
        heartbeat_(std::move(heartbeat)) {}

  bool Send(std::uint64_t link, Request message) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (!Current(link) || !held_) return false;
    if (!queue_->Push(std::move(message))) {
      CancelAttempt();
      return false;
    }
    Pump();
    return true;
  }

  bool SendLatest(std::uint64_t link, const std::string& key, Request message) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (!Current(link) || !held_) return false;
    queue_->Put(key, std::move(message));
    Pump();
    return true;
  }

  // Called by the attempt's reactor.
  void WriteDone(bool ok) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    if (!ok) broken_ = true;
    if (ok) Pump();
  }
  void ReleaseHold() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    ReleaseHoldLocked();
  }

 protected:
  // `reactor` is bound to a call and not started yet.
  void Begin(Reactor* reactor, grpc::ClientContext* context) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    reactor_ = reactor;
    context_ = context;
    queue_.emplace(bound_);
    writing_ = false;
    broken_ = false;
    held_ = true;
    reactor->AddHold();
    reactor->StartCall();
  }

  void CancelAttempt() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) override {
    if (context_ != nullptr) context_->TryCancel();
  }
  void DropAttempt() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) override {
    reactor_ = nullptr;
    context_ = nullptr;
    queue_.reset();
  }
  void SendHeartbeat(std::uint64_t link) ABSL_LOCKS_EXCLUDED(mutex_) override {
    if (heartbeat_) SendLatest(link, "heartbeat", heartbeat_());
  }
  void ReleaseHoldLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!held_) return;
    held_ = false;
    reactor_->RemoveHold();
  }

  using LinkCore::mutex_;

 private:
  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (writing_ || broken_ || !held_) return;
    std::optional<Request> next = queue_->Pop();
    if (!next) return;
    in_flight_ = *std::move(next);
    writing_ = true;
    reactor_->StartWrite(&in_flight_);
  }

  const std::size_t bound_;
  const std::function<Request()> heartbeat_;

  // State of the present attempt; null and empty without one.
  Reactor* reactor_ ABSL_GUARDED_BY(mutex_) = nullptr;
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::optional<MessageQueue<Request>> queue_ ABSL_GUARDED_BY(mutex_);
  Request in_flight_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  // A write failed, so all later ones would fail. Messages from the server are still read.
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
};

template <typename Request, typename Response>
class BidiLink final : public SendingLink<Request, grpc::ClientBidiReactor<Request, Response>> {
 public:
  using Reactor = grpc::ClientBidiReactor<Request, Response>;
  using Base = SendingLink<Request, Reactor>;

  BidiLink(Executor* loop, const Clock* clock, const LinkOptions& options,
           std::function<void(grpc::ClientContext*, Reactor*)> open, std::function<void(std::uint64_t)> on_up,
           std::function<void(const Response&)> on_message, std::function<void(const absl::Status&)> on_down,
           std::function<Request()> heartbeat)
      : Base(loop, clock, options, std::move(on_up), std::move(on_down), std::move(heartbeat)),
        open_(std::move(open)),
        on_message_(std::move(on_message)) {}

 private:
  // At any time after StartCall, either a read is in flight or its message is on the loop. The hold is released when a
  // read reports the end.
  class Attempt final : public Reactor {
   public:
    Attempt(std::shared_ptr<BidiLink> link, std::uint64_t number) : link_(std::move(link)), number_(number) {
      context_.set_wait_for_ready(true);
    }
    grpc::ClientContext* context() { return &context_; }
    void Read() { this->StartRead(&incoming_); }

    void OnReadInitialMetadataDone(bool ok) override {
      if (ok) link_->AttemptConnected(number_);
    }
    void OnReadDone(bool ok) override {
      if (!ok) {
        link_->ReleaseHold();
        return;
      }
      link_->AttemptHeard(number_);
      const bool posted = link_->loop().Post([this] {
        link_->Handle(number_, [this] { ForEachJoined(incoming_, link_->on_message_); });
        Read();
      });
      // The loop has ended, so no handlers run any more.
      if (!posted) {
        context_.TryCancel();
        Read();
      }
    }
    void OnWriteDone(bool ok) override { link_->WriteDone(ok); }
    void OnDone(const grpc::Status& status) override {
      const std::shared_ptr<BidiLink> link = std::move(link_);
      const std::uint64_t number = number_;
      absl::Status ended = FromGrpc(status);
      link->AttemptEnding();
      delete this;
      link->AttemptDone(number, std::move(ended));
    }

   private:
    std::shared_ptr<BidiLink> link_;
    const std::uint64_t number_;
    grpc::ClientContext context_;
    // Owned by gRPC while a read is in flight.
    Response incoming_;
  };

  void OpenAttempt(std::uint64_t number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(Base::mutex_) override {
    auto* attempt = new Attempt(std::static_pointer_cast<BidiLink>(this->shared_from_this()), number);
    open_(attempt->context(), attempt);
    attempt->Read();
    this->Begin(attempt, attempt->context());
  }

  const std::function<void(grpc::ClientContext*, Reactor*)> open_;
  const std::function<void(const Response&)> on_message_;
};

template <typename Request, typename Response>
class WriterLink final : public SendingLink<Request, grpc::ClientWriteReactor<Request>> {
 public:
  using Reactor = grpc::ClientWriteReactor<Request>;
  using Base = SendingLink<Request, Reactor>;

  WriterLink(Executor* loop, const Clock* clock, const LinkOptions& options,
             std::function<void(grpc::ClientContext*, Response*, Reactor*)> open,
             std::function<void(std::uint64_t)> on_up, std::function<void(const absl::Status&)> on_down,
             std::function<Request()> heartbeat)
      : Base(loop, clock, options, std::move(on_up), std::move(on_down), std::move(heartbeat)),
        open_(std::move(open)) {}

 private:
  // Without reads, only a failing write reveals the end of the stream; heartbeats are such writes.
  class Attempt final : public Reactor {
   public:
    Attempt(std::shared_ptr<WriterLink> link, std::uint64_t number) : link_(std::move(link)), number_(number) {
      context_.set_wait_for_ready(true);
    }
    grpc::ClientContext* context() { return &context_; }
    Response* response() { return &response_; }

    void OnReadInitialMetadataDone(bool ok) override {
      if (ok) {
        link_->AttemptConnected(number_);
      } else {
        link_->ReleaseHold();
      }
    }
    void OnWriteDone(bool ok) override {
      link_->WriteDone(ok);
      if (!ok) link_->ReleaseHold();
    }
    void OnDone(const grpc::Status& status) override {
      const std::shared_ptr<WriterLink> link = std::move(link_);
      const std::uint64_t number = number_;
      absl::Status ended = FromGrpc(status);
      link->AttemptEnding();
      delete this;
      link->AttemptDone(number, std::move(ended));
    }

   private:
    std::shared_ptr<WriterLink> link_;
    const std::uint64_t number_;
    grpc::ClientContext context_;
    Response response_;
  };

  void OpenAttempt(std::uint64_t number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(Base::mutex_) override {
    auto* attempt = new Attempt(std::static_pointer_cast<WriterLink>(this->shared_from_this()), number);
    open_(attempt->context(), attempt->response(), attempt);
    this->Begin(attempt, attempt->context());
  }
  void CancelAttempt() ABSL_EXCLUSIVE_LOCKS_REQUIRED(Base::mutex_) override {
    Base::CancelAttempt();
    // No read is in flight that would report the end.
    this->ReleaseHoldLocked();
  }

  const std::function<void(grpc::ClientContext*, Response*, Reactor*)> open_;
};

}  // namespace detail

// Thread-safe. The loop, the clock (wall) and all objects that the handlers use must outlive Stop().
template <typename Request, typename Response>
class ReconnectingStream final : public OutgoingStream<Request> {
 public:
  using Handlers = StreamHandlers<Request, Response>;

  // `open` calls the stub's async method. It must not own the stub or its channel: `open` may be destroyed on one of
  // gRPC's threads, where the last reference to a channel must not be dropped (see outgoing_calls.h).
  ReconnectingStream(Executor* loop, const Clock* clock,
                     std::function<void(grpc::ClientContext*, grpc::ClientBidiReactor<Request, Response>*)> open,
                     Handlers handlers, const LinkOptions& options = {})
      : link_(std::make_shared<detail::BidiLink<Request, Response>>(
            loop, clock, options, std::move(open), std::move(handlers.on_up), std::move(handlers.on_message),
            std::move(handlers.on_down), std::move(handlers.heartbeat))) {}
  ~ReconnectingStream() override { link_->Stop(); }

  void Start() override { link_->Start(); }
  // Must not be called on one of gRPC's threads either.
  void Stop() override { link_->Stop(); }
  bool Send(std::uint64_t link, Request message) override { return link_->Send(link, std::move(message)); }
  bool SendLatest(std::uint64_t link, const std::string& key, Request message) override {
    return link_->SendLatest(link, key, std::move(message));
  }
  bool up() const override { return link_->up(); }

 private:
  const std::shared_ptr<detail::BidiLink<Request, Response>> link_;
};

// The same for client-streaming methods, where the server sends no messages. The next message or heartbeat reveals that
// the server has ended the stream.
template <typename Request, typename Response>
class ReconnectingWriter final : public OutgoingStream<Request> {
 public:
  using Handlers = StreamHandlers<Request, Response>;

  ReconnectingWriter(Executor* loop, const Clock* clock,
                     std::function<void(grpc::ClientContext*, Response*, grpc::ClientWriteReactor<Request>*)> open,
                     Handlers handlers, LinkOptions options = {})
      : link_(std::make_shared<detail::WriterLink<Request, Response>>(
            loop, clock, WithoutSilence(options), std::move(open), std::move(handlers.on_up),
            std::move(handlers.on_down), std::move(handlers.heartbeat))) {}
  ~ReconnectingWriter() override { link_->Stop(); }

  void Start() override { link_->Start(); }
  void Stop() override { link_->Stop(); }
  bool Send(std::uint64_t link, Request message) override { return link_->Send(link, std::move(message)); }
  bool SendLatest(std::uint64_t link, const std::string& key, Request message) override {
    return link_->SendLatest(link, key, std::move(message));
  }
  bool up() const override { return link_->up(); }

 private:
  static LinkOptions WithoutSilence(LinkOptions options) {
    options.silence = absl::InfiniteDuration();
    return options;
  }

  const std::shared_ptr<detail::WriterLink<Request, Response>> link_;
};

}  // namespace hail::rpc
