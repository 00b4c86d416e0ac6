// The life cycle of a stream that is reopened whenever it ends: back-off, heartbeats, silence, stop. The typed parts
// are in client_stream.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <random>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/exec/executor.h"
#include "common/rpc/retry.h"
#include "common/time/clock.h"

namespace hail::rpc {

struct LinkOptions {
  // Limit of the messages that wait to be sent; beyond it the stream is closed and reopened.
  std::size_t queue = 10'000;
  // Wall time, like all durations here. Time between two heartbeats sent.
  absl::Duration heartbeat = absl::Seconds(5);
  // A peer counts as gone after this time without a message. Not for streams on which the peer sends no messages.
  absl::Duration silence = absl::Seconds(12);
  // The back-off before a reopening: the first value, then doubled each time up to the maximum. Each wait is shortened
  // randomly by up to a half, but is at least as long as the peer's RetryInfo. Reset once a stream has been up for a
  // second.
  absl::Duration first_backoff = Backoff::kFirst;
  absl::Duration max_backoff = Backoff::kMost;
  // The interval of the checks for heartbeats and silence.
  absl::Duration tick = absl::Milliseconds(500);
};

namespace detail {

// Thread-safe. Lock order: handler_mutex_ (held while handlers run), then mutex_. While mutex_ is held, only gRPC's
// Start… operations and Executor::Post are called, which never call back on the same stack.
class LinkCore : public std::enable_shared_from_this<LinkCore> {
 public:
  LinkCore(Executor* loop, const Clock* clock, const LinkOptions& options, std::function<void(std::uint64_t)> on_up,
           std::function<void(const absl::Status&)> on_down);
  virtual ~LinkCore() = default;

  void Start();
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_, handler_mutex_);
  bool up() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Called by the attempts' reactors.
  void AttemptConnected(std::uint64_t link);
  void AttemptHeard(std::uint64_t link) ABSL_LOCKS_EXCLUDED(mutex_);
  // The attempt's reactor is about to be destroyed: it must not be used any more.
  void AttemptEnding() ABSL_LOCKS_EXCLUDED(mutex_);
  // The attempt's reactor has been destroyed.
  void AttemptDone(std::uint64_t link, absl::Status status) ABSL_LOCKS_EXCLUDED(mutex_);

  // On the loop: marks the link as up, if necessary, and runs `handler`, unless the link has ended or was stopped.
  void Handle(std::uint64_t link, const std::function<void()>& handler) ABSL_LOCKS_EXCLUDED(mutex_, handler_mutex_);

  Executor& loop() { return *loop_; }

 protected:
  // Begins attempt number `link`.
  virtual void OpenAttempt(std::uint64_t link) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  // Makes the present attempt end. Repeatable.
  virtual void CancelAttempt() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  // Forgets the present attempt, which is gone.
  virtual void DropAttempt() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  virtual void SendHeartbeat(std::uint64_t link) ABSL_LOCKS_EXCLUDED(mutex_) = 0;

  bool Current(std::uint64_t link) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return running_ && up_ && link == link_ && !stopping_;
  }

  mutable absl::Mutex mutex_;

 private:
  void Open() ABSL_LOCKS_EXCLUDED(mutex_);
  void OpenAfter(absl::Duration wait);
  void Tick(std::uint64_t link) ABSL_LOCKS_EXCLUDED(mutex_);
  void TickLater(std::uint64_t link);
  void Ended(std::uint64_t link, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_, handler_mutex_);

  Executor* const loop_;
  const Clock* const clock_;
  const LinkOptions options_;
  const std::function<void(std::uint64_t)> on_up_;
  const std::function<void(const absl::Status&)> on_down_;

  // Lets Stop wait for a running handler.
  absl::Mutex handler_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);

  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // The number of the present or latest attempt.
  std::uint64_t link_ ABSL_GUARDED_BY(mutex_) = 0;
  // Whether the attempt's reactor is alive.
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
  // Whether on_up was (or is about to be) called for the attempt, and on_down was not.
  bool up_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time up_since_ ABSL_GUARDED_BY(mutex_);
  absl::Time last_heard_ ABSL_GUARDED_BY(mutex_);
  absl::Time last_beat_ ABSL_GUARDED_BY(mutex_);
  int failures_ ABSL_GUARDED_BY(mutex_) = 0;
  std::minstd_rand jitter_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace detail
}  // namespace hail::rpc
