#include "tests/tools/hailctl/silence.h"

#include "absl/time/clock.h"

namespace hail::ctl {

SilenceGuard::SilenceGuard(grpc::ClientContext* context, absl::Duration limit)
    : context_(context), limit_(limit), last_(absl::Now()), thread_([this] { Watch(); }) {}

SilenceGuard::~SilenceGuard() {
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
  }
  thread_.join();
}

void SilenceGuard::OnMessage() {
  absl::MutexLock lock(&mutex_);
  last_ = absl::Now();
}

void SilenceGuard::Watch() {
  absl::MutexLock lock(&mutex_);
  while (!mutex_.AwaitWithDeadline(absl::Condition(&stopped_), last_ + limit_)) {
    if (absl::Now() < last_ + limit_) continue;
    context_->TryCancel();
    return;
  }
}

}  // namespace hail::ctl
