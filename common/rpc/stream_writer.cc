#include "common/rpc/stream_writer.h"

#include <utility>

#include "common/errors/error.h"
#include "common/errors/reason.h"
#include "common/rpc/status.h"

namespace hail::rpc {

absl::Status StreamTooSlow() {
  return MakeError(absl::StatusCode::kResourceExhausted,
                   "the stream is not read fast enough: open it again with the cursor of the last event received",
                   {.reason = Reason::kStreamTooSlow, .retry_after = absl::Seconds(1)});
}

void StreamWriterBase::Finish(const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  if (phase_ != Phase::kOpen) return;
  phase_ = Phase::kClosing;
  final_ = status;
  Pump();
}

void StreamWriterBase::Abort(const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  AbortLocked(status);
}

void StreamWriterBase::AbortLocked(const absl::Status& status) {
  if (phase_ >= Phase::kFinished) return;
  phase_ = Phase::kClosing;
  // The first status counts: later errors are only consequences of the abort.
  if (!std::exchange(aborted_, true)) final_ = status;
  DropQueued();
  Pump();
}

void StreamWriterBase::Cancel(const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  const bool can_finish = phase_ < Phase::kFinished && !writing_;
  AbortLocked(status);
  if (!can_finish && phase_ != Phase::kDone) CancelCall();
}

bool StreamWriterBase::open() const {
  absl::MutexLock lock(&mutex_);
  return phase_ == Phase::kOpen;
}

void StreamWriterBase::PauseReading() {
  absl::MutexLock lock(&mutex_);
  reading_paused_ = true;
}

void StreamWriterBase::ResumeReading() {
  absl::MutexLock lock(&mutex_);
  reading_paused_ = false;
  PumpReads();
}

bool StreamWriterBase::reading_paused() const {
  absl::MutexLock lock(&mutex_);
  return reading_paused_;
}

void StreamWriterBase::ReadOn() {
  absl::MutexLock lock(&mutex_);
  read_due_ = true;
  PumpReads();
}

void StreamWriterBase::PumpReads() {
  if (!read_due_ || reading_paused_ || phase_ != Phase::kOpen) return;
  read_due_ = false;
  ReadNext();
}

void StreamWriterBase::OnWriteDone(bool ok) {
  absl::MutexLock lock(&mutex_);
  writing_ = false;
  if (ok) {
    Pump();
  } else {
    AbortLocked(absl::CancelledError("the client is gone"));
  }
}

void StreamWriterBase::OnCancel() {
  absl::MutexLock lock(&mutex_);
  AbortLocked(absl::CancelledError("the client is gone"));
}

absl::StatusCode StreamWriterBase::OnDone() {
  absl::MutexLock lock(&mutex_);
  phase_ = Phase::kDone;
  Detach();
  return final_.code();
}

bool StreamWriterBase::Tick(absl::Time wall, absl::Duration write_stall, absl::Duration linger) {
  absl::MutexLock lock(&mutex_);
  if (phase_ == Phase::kDone) return false;
  bool stuck = false;
  if (writing_ && stalled_write_ == writes_) {
    stuck = wall - stalled_since_ >= write_stall;
  } else if (writing_) {
    stalled_write_ = writes_;
    stalled_since_ = wall;
  }
  if (phase_ != Phase::kOpen) {
    if (ending_since_ == absl::InfiniteFuture()) ending_since_ = wall;
    stuck = stuck || wall - ending_since_ >= linger;
  }
  if (stuck) {
    AbortLocked(StreamTooSlow());
    CancelCall();
  }
  return writing_ || phase_ != Phase::kOpen;
}

void StreamWriterBase::Pump() {
  if (phase_ >= Phase::kFinished || writing_) return;
  if (WriteNext()) {
    writing_ = true;
    ++writes_;
    return;
  }
  if (phase_ == Phase::kClosing) {
    phase_ = Phase::kFinished;
    FinishCall(ToGrpc(final_));
  }
}

}  // namespace hail::rpc
