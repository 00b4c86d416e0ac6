// The outgoing half of a server's stream, which sessions, dispatchers and bus callbacks hold instead of the reactor. It
// outlives the stream; messages sent after the end are dropped. It also decides when the next message is read.
//
// It enforces gRPC's rules in one place:
//   - one write in flight; its message stays unchanged until OnWriteDone;
//   - one read in flight;
//   - exactly one Finish, never with a write in flight, also after a cancel;
//   - no use of the reactor after OnDone.
// One mutex guards all of it. It is taken last: while it is held, only gRPC's Start… operations are called, which never
// call back on the same stack.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/rpc/message_queue.h"
#include "common/rpc/sink.h"
#include "grpcpp/support/status.h"

namespace hail::rpc {

// All parts that do not depend on the message type. Thread-safe.
class StreamWriterBase {
 public:
  virtual ~StreamWriterBase() = default;

  // See Sink.
  void Finish(const absl::Status& status = absl::OkStatus()) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends the stream with `status` after the write in flight; waiting messages are dropped. Overrides a Finish that is
  // not complete, but not an Abort.
  void Abort(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends the stream with `status` now. If a write is in flight, the call is cancelled instead, and the client sees
  // CANCELLED.
  void Cancel(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether messages are still accepted.
  bool open() const ABSL_LOCKS_EXCLUDED(mutex_);

  // See Sink.
  void PauseReading() ABSL_LOCKS_EXCLUDED(mutex_);
  void ResumeReading() ABSL_LOCKS_EXCLUDED(mutex_);
  bool reading_paused() const ABSL_LOCKS_EXCLUDED(mutex_);

  // For the reactor and the StreamCall. All read messages have been handled: reads the next one, now or once the
  // session resumes.
  void ReadOn() ABSL_LOCKS_EXCLUDED(mutex_);
  void OnWriteDone(bool ok) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel() ABSL_LOCKS_EXCLUDED(mutex_);
  // The reactor is about to be destroyed. Returns the final status code.
  absl::StatusCode OnDone() ABSL_LOCKS_EXCLUDED(mutex_);
  // Cancels a stream whose write or Finish has been in flight for too long. Returns whether one is in flight.
  bool Tick(absl::Time wall, absl::Duration write_stall, absl::Duration linger) ABSL_LOCKS_EXCLUDED(mutex_);

 protected:
  // Takes the next message and begins to write it; false if there is none.
  virtual bool WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  virtual void DropQueued() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  virtual void FinishCall(const grpc::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  virtual void CancelCall() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  virtual void ReadNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  virtual void Detach() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;

  bool Taking() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return phase_ == Phase::kOpen; }
  void AbortLocked(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Starts the operations that are possible now.
  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;

 private:
  enum class Phase {
    kOpen,      // takes messages
    kClosing,   // sends what it has, then finishes
    kFinished,  // Finish was called on the reactor
    kDone,      // the reactor is gone
  };

  // Starts the read that is due, unless reading is paused.
  void PumpReads() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Phase phase_ ABSL_GUARDED_BY(mutex_) = Phase::kOpen;
  bool read_due_ ABSL_GUARDED_BY(mutex_) = false;
  bool reading_paused_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  // Counts writes, so that Tick can recognize the same write.
  std::uint64_t writes_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status final_ ABSL_GUARDED_BY(mutex_);
  // Whether Abort set final_.
  bool aborted_ ABSL_GUARDED_BY(mutex_) = false;
  // The write that the last Tick saw, and when it was first seen.
  std::uint64_t stalled_write_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time stalled_since_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  absl::Time ending_since_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
};

// The reactor, as its writer sees it. Called with the writer's mutex held.
template <typename Response>
class StreamTransport {
 public:
  virtual ~StreamTransport() = default;
  virtual void TransportWrite(const Response* message) = 0;
  virtual void TransportFinish(const grpc::Status& status) = 0;
  virtual void TransportCancel() = 0;
  // Only called for streams with an inbound half.
  virtual void TransportRead() {}
};

// Thread-safe.
template <typename Response>
class StreamWriter final : public StreamWriterBase, public Sink<Response> {
 public:
  // The stream ends with STREAM_TOO_SLOW when more than `bound` messages wait.
  StreamWriter(StreamTransport<Response>* transport, std::size_t bound) : transport_(transport), queue_(bound) {}

  bool Send(Response message) override ABSL_LOCKS_EXCLUDED(mutex_);
  bool SendLatest(const std::string& key, Response message) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Finish(const absl::Status& status = absl::OkStatus()) override { StreamWriterBase::Finish(status); }
  void PauseReading() override { StreamWriterBase::PauseReading(); }
  void ResumeReading() override { StreamWriterBase::ResumeReading(); }

 private:
  bool WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) override {
    std::optional<Response> next = queue_.Pop();
    if (!next) return false;
    in_flight_ = *std::move(next);
    transport_->TransportWrite(&in_flight_);
    return true;
  }
  void DropQueued() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) override { queue_.Clear(); }
  void FinishCall(const grpc::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) override {
    transport_->TransportFinish(status);
  }
  void CancelCall() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) override { transport_->TransportCancel(); }
  void ReadNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) override { transport_->TransportRead(); }
  void Detach() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) override { transport_ = nullptr; }

  // Null once the reactor is destroyed.
  StreamTransport<Response>* transport_ ABSL_GUARDED_BY(mutex_);
  MessageQueue<Response> queue_ ABSL_GUARDED_BY(mutex_);
  Response in_flight_ ABSL_GUARDED_BY(mutex_);
};

// The final status of a stream whose client reads too slowly.
absl::Status StreamTooSlow();

template <typename Response>
bool StreamWriter<Response>::Send(Response message) {
  absl::MutexLock lock(&mutex_);
  if (!Taking()) return false;
  if (!queue_.Push(std::move(message))) {
    AbortLocked(StreamTooSlow());
    return false;
  }
  Pump();
  return true;
}

template <typename Response>
bool StreamWriter<Response>::SendLatest(const std::string& key, Response message) {
  absl::MutexLock lock(&mutex_);
  if (!Taking()) return false;
  queue_.Put(key, std::move(message));
  Pump();
  return true;
}

}  // namespace hail::rpc
