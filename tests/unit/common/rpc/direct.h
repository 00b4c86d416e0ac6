// The direct transport: a service's methods called in-process, by its table. No gRPC.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/rpc/methods.h"

namespace hail::rpc {

// The context of a call of `caller`.
inline CallContext CallOf(auth::Caller caller) {
  CallContext call;
  call.caller = std::move(caller);
  return call;
}
inline CallContext CallOf(auth::Identity identity) { return CallOf(auth::Caller(std::move(identity))); }
// Of a call at a listener that checks nobody.
inline CallContext UncheckedCall() { return CallOf(auth::Caller::Unchecked()); }

// A call of the unary method that takes `Request`. Waits for the answer at its end at the latest.
template <typename S, typename Request>
class Asked {
 public:
  using Response = ResponseTo<S, Request>;

  Asked(S* service, Request request, CallContext call = UncheckedCall())
      : call_(std::move(call)), request_(std::move(request)) {
    constexpr auto kMethod = MethodOf<S, Request>();
    kMethod.Serve(*service, call_, request_, [this](absl::StatusOr<Response> response) {
      answer_ = std::move(response);
      answered_.Notify();
    });
  }
  ~Asked() { answered_.WaitForNotification(); }
  Asked(const Asked&) = delete;
  Asked& operator=(const Asked&) = delete;

  bool answered() const { return answered_.HasBeenNotified(); }
  const absl::StatusOr<Response>& Answer() const {
    answered_.WaitForNotification();
    return answer_;
  }

 private:
  const CallContext call_;
  const Request request_;
  absl::StatusOr<Response> answer_ = absl::UnknownError("not answered");
  absl::Notification answered_;
};

// Calls the unary method that takes `request`, and waits for its answer.
template <typename S, typename Request>
absl::StatusOr<ResponseTo<S, Request>> Ask(S* service, const Request& request,
                                           const CallContext& call = UncheckedCall()) {
  return Asked(service, request, call).Answer();
}

// Opens the stream of the method that takes `request`. Null: the caller is refused.
template <typename S, typename Request>
auto Open(S* service, const Request& request, std::shared_ptr<Sink<ResponseTo<S, Request>>> sink,
          const CallContext& call = UncheckedCall()) {
  constexpr auto kMethod = MethodOf<S, Request>();
  return kMethod.Open(*service, call, request, std::move(sink));
}
// The same for a stream that takes messages of type `Request`.
template <typename Request, typename S>
auto OpenInbound(S* service, std::shared_ptr<Sink<ResponseTo<S, Request>>> sink,
                 const CallContext& call = UncheckedCall()) {
  constexpr auto kMethod = MethodOf<S, Request>();
  return kMethod.Open(*service, call, std::move(sink));
}

// Keeps what a session sends. Thread-safe.
template <typename Message>
class ListSink final : public Sink<Message> {
 public:
  bool Send(Message message) override {
    absl::MutexLock lock(&mutex_);
    if (end_.has_value()) return false;
    messages_.push_back(std::move(message));
    return true;
  }
  bool SendLatest(const std::string&, Message message) override { return Send(std::move(message)); }
  void Finish(const absl::Status& status = absl::OkStatus()) override {
    absl::MutexLock lock(&mutex_);
    if (!end_.has_value()) end_ = status;
  }
  void PauseReading() override {
    absl::MutexLock lock(&mutex_);
    reading_ = false;
  }
  void ResumeReading() override {
    absl::MutexLock lock(&mutex_);
    reading_ = true;
  }

  // The messages, once they satisfy `condition`, or after 30 s.
  std::vector<Message> Await(const std::function<bool(const std::vector<Message>&)>& condition) const {
    absl::MutexLock lock(&mutex_);
    const auto met = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return condition(messages_); };
    mutex_.AwaitWithTimeout(absl::Condition(&met), absl::Seconds(30));
    return messages_;
  }
  std::vector<Message> AwaitCount(std::size_t count) const {
    return Await([count](const auto& messages) { return messages.size() >= count; });
  }
  // The stream's final status; UNKNOWN if it does not end within 30 s.
  absl::Status AwaitEnd() const {
    absl::MutexLock lock(&mutex_);
    const auto met = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return end_.has_value(); };
    mutex_.AwaitWithTimeout(absl::Condition(&met), absl::Seconds(30));
    return end_.value_or(absl::UnknownError("the stream did not end"));
  }
  bool open() const {
    absl::MutexLock lock(&mutex_);
    return !end_.has_value();
  }
  // Waits until the session reads. A transport delivers no message before.
  void AwaitReading() const {
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(&reading_), absl::Seconds(30));
  }

 private:
  mutable absl::Mutex mutex_;
  std::vector<Message> messages_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
  bool reading_ ABSL_GUARDED_BY(mutex_) = true;
};

}  // namespace hail::rpc
