#include "common/rpc/link_core.h"

#include <algorithm>
#include <utility>

namespace hail::rpc::detail {
namespace {

constexpr absl::Duration kStable = absl::Seconds(1);
// 100 ms doubled this often exceeds any maximum in use.
constexpr int kMaxDoublings = 16;

}  // namespace

LinkCore::LinkCore(Executor* loop, const Clock* clock, const LinkOptions& options,
                   std::function<void(std::uint64_t)> on_up, std::function<void(const absl::Status&)> on_down)
    : loop_(loop),
      clock_(clock),
      options_(options),
      on_up_(std::move(on_up)),
      on_down_(std::move(on_down)),
      jitter_(std::random_device()()) {}

void LinkCore::Start() { OpenAfter(absl::ZeroDuration()); }

void LinkCore::OpenAfter(absl::Duration wait) {
  const std::weak_ptr<LinkCore> weak = weak_from_this();
  loop_->PostAfter(wait, [weak] {
    if (const std::shared_ptr<LinkCore> self = weak.lock()) self->Open();
  });
}

void LinkCore::Open() {
  std::uint64_t link = 0;
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_) return;
    link = ++link_;
    running_ = true;
    up_ = false;
    last_heard_ = clock_->Read().wall;
    OpenAttempt(link);
  }
  TickLater(link);
}

void LinkCore::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    if (running_) CancelAttempt();
    const auto gone = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !running_; };
    mutex_.Await(absl::Condition(&gone));
  }
  // Waits for a handler that is still running.
  absl::MutexLock handlers(&handler_mutex_);
}

bool LinkCore::up() const {
  absl::MutexLock lock(&mutex_);
  return up_ && running_;
}

void LinkCore::AttemptConnected(std::uint64_t link) {
  AttemptHeard(link);
  loop_->Post([self = shared_from_this(), link] { self->Handle(link, [] {}); });
}

void LinkCore::AttemptHeard(std::uint64_t link) {
  absl::MutexLock lock(&mutex_);
  if (link == link_) last_heard_ = clock_->Read().wall;
}

void LinkCore::AttemptEnding() {
  absl::MutexLock lock(&mutex_);
  DropAttempt();
}

void LinkCore::AttemptDone(std::uint64_t link, absl::Status status) {
  loop_->Post([self = shared_from_this(), link, status = std::move(status)] { self->Ended(link, status); });
  absl::MutexLock lock(&mutex_);
  running_ = false;
}

void LinkCore::Handle(std::uint64_t link, const std::function<void()>& handler) {
  absl::MutexLock handlers(&handler_mutex_);
  bool newly_up = false;
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_ || link != link_) return;
    newly_up = !up_;
    if (newly_up) {
      up_ = true;
      up_since_ = clock_->Read().wall;
      last_beat_ = up_since_;
    }
  }
  if (newly_up && on_up_) on_up_(link);
  handler();
}

void LinkCore::Ended(std::uint64_t link, const absl::Status& status) {
  absl::MutexLock handlers(&handler_mutex_);
  bool was_up = false;
  absl::Duration wait;
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_ || link != link_) return;
    was_up = std::exchange(up_, false);
    if (was_up && clock_->Read().wall - up_since_ >= kStable) failures_ = 0;
    wait = std::min(options_.max_backoff, options_.first_backoff * (1 << std::min(failures_, kMaxDoublings)));
    wait *= std::uniform_real_distribution<double>(0.5, 1.0)(jitter_);
    ++failures_;
  }
  wait = std::max(wait, RetryAfter(status).value_or(absl::ZeroDuration()));
  if (was_up && on_down_) on_down_(status);
  OpenAfter(wait);
}

void LinkCore::TickLater(std::uint64_t link) {
  const std::weak_ptr<LinkCore> weak = weak_from_this();
  loop_->PostAfter(options_.tick, [weak, link] {
    if (const std::shared_ptr<LinkCore> self = weak.lock()) self->Tick(link);
  });
}

void LinkCore::Tick(std::uint64_t link) {
  bool beat = false;
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_ || link != link_ || !running_) return;
    const absl::Time wall = clock_->Read().wall;
    if (wall - last_heard_ >= options_.silence) {
      CancelAttempt();
    } else if (up_ && wall - last_beat_ >= options_.heartbeat) {
      last_beat_ = wall;
      beat = true;
    }
  }
  if (beat) SendHeartbeat(link);
  TickLater(link);
}

}  // namespace hail::rpc::detail
