// Unary calls to the other service.
//
//   calls_.Call<SearchDriversRequest, SearchDriversResponse>(
//       [this](auto... args) { stub_->async()->SearchDrivers(args...); },
//       std::move(request), {.deadline = call->deadline(), .cap = absl::Milliseconds(500),
//                            .traceparent = call->info().traceparent},
//       [](absl::StatusOr<SearchDriversResponse> response) { … });
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/cleanup/cleanup.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/rpc/status.h"
#include "grpcpp/client_context.h"

namespace hail::rpc {

struct CallOptions {
  // Wall time: the deadline of the incoming call.
  absl::Time deadline = absl::InfiniteFuture();
  // The maximum duration of this call. The earlier of the two limits counts, so every call ends.
  absl::Duration cap = absl::Seconds(10);
  // Sent with the call, if not empty.
  std::string traceparent;
};

// Keeps track of open calls, so that a service can stop without pending callbacks. Thread-safe.
class OutgoingCalls {
 public:
  OutgoingCalls() = default;
  // Calls Stop.
  ~OutgoingCalls();
  OutgoingCalls(const OutgoingCalls&) = delete;
  OutgoingCalls& operator=(const OutgoingCalls&) = delete;

  // `start(ClientContext*, const Request*, Response*, std::function<void(grpc::Status)>)` begins the call (the stub's
  // async method). `done` is called once, on one of gRPC's threads, and must not block. After Stop it is called with
  // CANCELLED on the caller's thread, before this returns.
  template <typename Request, typename Response, typename Start>
  void Call(Start&& start, Request request, const CallOptions& options,
            absl::AnyInvocable<void(absl::StatusOr<Response>)> done) {
    struct Running {
      std::optional<grpc::ClientContext> context;
      Request request;
      Response response;
      absl::AnyInvocable<void(absl::StatusOr<Response>)> done;
    };
    auto running = std::make_shared<Running>();
    running->request = std::move(request);
    running->done = std::move(done);
    grpc::ClientContext* const context = &running->context.emplace();
    Prepare(*context, options);
    if (!Begin(context)) {
      running->done(absl::CancelledError("this service is shutting down"));
      return;
    }
    start(context, &running->request, &running->response,
          std::function<void(grpc::Status)>([this, running, context](const grpc::Status& status) {
            absl::Cleanup end = [this, &running, context] {
              // The call's resources must be released before Stop returns. Its context holds the channel, and the last
              // owner of a channel joins gRPC's threads, which one of these threads cannot do itself.
              Forget(context);
              running->context.reset();
              running->done = nullptr;
              End();
            };
            if (status.ok()) {
              running->done(std::move(running->response));
            } else {
              running->done(FromGrpc(status));
            }
          }));
  }

  std::size_t under_way() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Cancels open calls and waits until the last `done` has returned; later calls are refused. Idempotent; must not be
  // called from a `done`.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  static void Prepare(grpc::ClientContext& context, const CallOptions& options);
  bool Begin(grpc::ClientContext* context) ABSL_LOCKS_EXCLUDED(mutex_);
  void Forget(grpc::ClientContext* context) ABSL_LOCKS_EXCLUDED(mutex_);
  void End() ABSL_LOCKS_EXCLUDED(mutex_);

  mutable absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  // Contexts that are alive and can be cancelled.
  std::unordered_set<grpc::ClientContext*> contexts_ ABSL_GUARDED_BY(mutex_);
  std::size_t under_way_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace hail::rpc
