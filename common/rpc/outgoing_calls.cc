#include "common/rpc/outgoing_calls.h"

#include "common/rpc/deadline.h"
#include "common/time/clock.h"

namespace hail::rpc {

OutgoingCalls::~OutgoingCalls() { Stop(); }

void OutgoingCalls::Prepare(grpc::ClientContext& context, const CallOptions& options) {
  context.set_deadline(ToGrpcDeadline(std::min(options.deadline, WallNow() + options.cap)));
  if (!options.traceparent.empty()) context.AddMetadata("traceparent", options.traceparent);
}

bool OutgoingCalls::Begin(grpc::ClientContext* context) {
  absl::MutexLock lock(&mutex_);
  if (stopped_) return false;
  contexts_.insert(context);
  ++under_way_;
  return true;
}

void OutgoingCalls::Forget(grpc::ClientContext* context) {
  absl::MutexLock lock(&mutex_);
  contexts_.erase(context);
}

void OutgoingCalls::End() {
  absl::MutexLock lock(&mutex_);
  --under_way_;
}

std::size_t OutgoingCalls::under_way() const {
  absl::MutexLock lock(&mutex_);
  return under_way_;
}

void OutgoingCalls::Stop() {
  absl::MutexLock lock(&mutex_);
  stopped_ = true;
  // A call that has not started yet is canceled when it starts.
  for (grpc::ClientContext* context : contexts_) context->TryCancel();
  const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return under_way_ == 0; };
  mutex_.Await(absl::Condition(&idle));
}

}  // namespace hail::rpc
