// Limits the calls in flight of a server, tracks its open streams, ticks them (heartbeats, silence), and drains them on
// shutdown.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/time/clock.h"
#include "common/time/cond_var.h"

struct grpc_call;

namespace hail::rpc {

// For metrics and logs. Called on gRPC's threads: must not block. `method` is the bare name ("RequestRide").
class CallObserver {
 public:
  virtual ~CallObserver() = default;
  virtual void OnUnaryDone(const char* /*method*/, absl::StatusCode /*code*/, absl::Duration /*took*/) {}
  virtual void OnStreamOpened(const char* /*method*/) {}
  virtual void OnStreamClosed(const char* /*method*/, absl::StatusCode /*code*/, absl::Duration /*lived*/) {}
  // A handler threw: a bug. The call was ended with INTERNAL.
  virtual void OnException(const char* /*method*/, const std::string& /*what*/) {}
};

// A stream as the gate sees it. Thread-safe.
class LiveStream {
 public:
  virtual ~LiveStream() = default;
  // Does what is due at `wall`. Returns when something will be due next, as far as is known now; see GateOptions::tick.
  virtual absl::Time Tick(absl::Time wall) = 0;
  // Say goodbye, and end with OK once that is sent.
  virtual void Drain(absl::Duration retry_after) = 0;
  // End at once, whatever is under way.
  virtual void Cancel() = 0;
};

// The answer to a unary call, from when gRPC was given it until the client has taken it or is gone: a part of what
// lives just as long.
class UnreadAnswer {
 public:
  // Whether it was cut off.
  bool cut() const { return cut_.load(std::memory_order_relaxed); }

 private:
  friend class Gate;
  grpc_call* call_ = nullptr;
  std::size_t bytes_ = 0;
  absl::Time since_;
  UnreadAnswer* older_ = nullptr;
  UnreadAnswer* newer_ = nullptr;
  std::atomic<bool> cut_{false};
};

struct GateOptions {
  // Calls in flight beyond this are refused (OVERLOADED). A call is in flight until its answer is given to gRPC:
  // clients who do not read must not keep others out.
  std::size_t max_unary_in_flight = 4096;
  // A call whose answer is not taken for this long is cut off; so are the oldest of more than so many, or so large.
  absl::Duration unread = absl::Seconds(10);
  std::size_t max_unread_answers = 4096;
  std::size_t max_unread_bytes = 32 << 20;
  // Streams open beyond this are refused (OVERLOADED).
  std::size_t max_streams = 100'000;
  // Requests larger than this are refused (INVALID_ARGUMENT), in bytes.
  std::size_t max_request_bytes = 64 * 1024;
  // All of wall time. From one heartbeat sent on a stream to the next.
  absl::Duration heartbeat = absl::Seconds(5);
  // A heartbeat that is due waits for the client's next message, but not longer than this: the write costs least while
  // the stream is awake. With `heartbeat` and `tick` it is well below the client's 12 s of silence.
  absl::Duration heartbeat_patience = absl::Seconds(3);
  // A peer that has to send heartbeats and is silent for this long is gone.
  absl::Duration silence = absl::Seconds(12);
  // A message that cannot be handed to the transport for this long: nobody reads; the stream is cut off.
  absl::Duration write_stall = absl::Seconds(30);
  // The same once the stream is ending.
  absl::Duration linger = absl::Seconds(12);
  // A stream that has been open for about this long (each a tenth more or less) is drained: its client opens another,
  // perhaps at a newer replica.
  absl::Duration stream_age = absl::InfiniteDuration();
  // A stream is ticked when it asks for it, but no sooner than this after its last tick, and no later than four times
  // this: something may become due that the stream did not know of. To look at each of 20,000 idle streams more often
  // costs as much as the positions that come in on them. Zero: the owner of the gate calls Tick (tests).
  absl::Duration tick = absl::Milliseconds(500);
};

// Thread-safe. Must outlive the servers whose calls pass it.
class Gate {
 public:
  // `clock` (wall) and `observer` (may be null) must outlive the gate.
  Gate(const Clock* clock, GateOptions options, CallObserver* observer);
  ~Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  const GateOptions& options() const { return options_; }
  absl::Time Wall() const { return clock_->Read().wall; }
  // Never null.
  CallObserver& observer() const { return *observer_; }

  // DRAINING or OVERLOADED, or OK: then LeaveUnary must follow, once.
  absl::Status EnterUnary() ABSL_LOCKS_EXCLUDED(mutex_);
  void LeaveUnary() ABSL_LOCKS_EXCLUDED(mutex_);
  // `call` is about to be finished, with an answer of `bytes`; it leaves, if it had `entered`. Must be followed by
  // AnswerTaken, when gRPC is done with the call.
  void Answer(UnreadAnswer* answer, grpc_call* call, std::size_t bytes, bool entered) ABSL_LOCKS_EXCLUDED(mutex_);
  void AnswerTaken(UnreadAnswer* answer) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same for a stream; the number is for LeaveStream. The gate keeps `stream` only weakly.
  absl::StatusOr<std::uint64_t> EnterStream(std::weak_ptr<LiveStream> stream) ABSL_LOCKS_EXCLUDED(mutex_);
  void LeaveStream(std::uint64_t number) ABSL_LOCKS_EXCLUDED(mutex_);

  // From now on the gate refuses every new call and stream, and drains each live stream, with a share of `spread` as
  // the time that its client should wait. Calls in flight go on. Idempotent.
  void Drain(absl::Duration spread) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends all streams at once, and cuts off all unread answers.
  void CancelStreams() ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until nothing is in flight and all answers are taken, at most `at_most`. Whether that was reached. Not on one
  // of gRPC's threads.
  bool WaitIdle(absl::Duration at_most) ABSL_LOCKS_EXCLUDED(mutex_);

  // `length`, times 0 to 1: evenly spread over all streams by their numbers.
  static absl::Duration Share(absl::Duration length, std::uint64_t number);

  bool draining() const ABSL_LOCKS_EXCLUDED(mutex_);
  std::size_t unary_in_flight() const ABSL_LOCKS_EXCLUDED(mutex_);
  std::size_t streams() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Ticks all streams and checks all unread answers now.
  void Tick() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Takes the answer off the list.
  void Unlink(UnreadAnswer* answer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Takes off the oldest answers for as long as `while_so` says; their calls, each held, are to be cut off without the
  // lock.
  std::vector<grpc_call*> TakeOldest(absl::FunctionRef<bool(const UnreadAnswer& oldest)> while_so)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CutOffUnread(absl::Time wall) ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<std::pair<std::uint64_t, std::shared_ptr<LiveStream>>> Live() const ABSL_LOCKS_EXCLUDED(mutex_);
  void RunTicks() ABSL_LOCKS_EXCLUDED(mutex_);
  // Takes streams whose time has come off the list, as many as are ticked in one step.
  void TakeDue(absl::Time wall, std::vector<std::pair<std::uint64_t, std::shared_ptr<LiveStream>>>* step)
      ABSL_LOCKS_EXCLUDED(mutex_);

  const Clock* const clock_;
  const GateOptions options_;
  CallObserver* const observer_;

  // Taken with no other lock of this library held, and streams are never called with it held.
  mutable absl::Mutex mutex_;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // It stops, or the last call or stream has left.
  SteadyCondVar changed_;
  std::size_t unary_in_flight_ ABSL_GUARDED_BY(mutex_) = 0;
  // Answers that are not taken, those that were cut off included; the others are a list, by age.
  std::size_t answers_ ABSL_GUARDED_BY(mutex_) = 0;
  std::size_t unread_ ABSL_GUARDED_BY(mutex_) = 0;
  std::size_t unread_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  UnreadAnswer* oldest_ ABSL_GUARDED_BY(mutex_) = nullptr;
  UnreadAnswer* newest_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::uint64_t last_number_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unordered_map<std::uint64_t, std::weak_ptr<LiveStream>> streams_ ABSL_GUARDED_BY(mutex_);
  // When each is to be ticked (wall), and its number. Of a stream that has left, the entry is dropped when its time
  // comes.
  std::set<std::pair<absl::Time, std::uint64_t>> due_ ABSL_GUARDED_BY(mutex_);
  std::thread ticker_;
};

}  // namespace hail::rpc
