// Limits the calls of a server, of all callers and of each, tracks its open streams, ticks them (heartbeats, silence),
// and drains them on shutdown.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
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
#include "common/auth/caller.h"
#include "common/limits/call_rates.h"
#include "common/limits/fair_share.h"
#include "common/limits/key.h"
#include "common/limits/network.h"
#include "common/limits/party.h"
#include "common/rpc/call_recorder.h"
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
  // A handler threw, which is a bug. The call has ended with INTERNAL.
  virtual void OnException(const char* /*method*/, const std::string& /*what*/) {}
};

// A stream as the gate sees it. Thread-safe.
class LiveStream {
 public:
  virtual ~LiveStream() = default;
  // Does the work due at `wall`. Returns when the next work will be due, as far as known; see GateOptions::tick.
  virtual absl::Time Tick(absl::Time wall) = 0;
  // Sends the farewell, then ends with OK.
  virtual void Drain(absl::Duration retry_after) = 0;
  // Ends at once, whatever is in flight.
  virtual void Cancel() = 0;
};

// The answer to a unary call, from its handover to gRPC until the client has taken it or is gone. It is a member of an
// object with that lifetime.
class UnreadAnswer {
 public:
  // Whether the gate cancelled the call.
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
  // Limit of the calls in flight; more are refused (OVERLOADED). A call is in flight until its answer is passed to
  // gRPC, so that clients who do not read cannot block others.
  std::size_t max_unary_in_flight = 4096;
  // A call is cancelled if its client does not take the answer for this long; so are the oldest beyond the next two
  // limits.
  absl::Duration unread = absl::Seconds(10);
  std::size_t max_unread_answers = 4096;
  std::size_t max_unread_bytes = 32 << 20;
  // Limit of the open streams; more are refused (OVERLOADED).
  std::size_t max_streams = 100'000;
  // The share of these two limits that one subject, and all subjects of one network, may take; more calls and streams
  // of theirs are refused (RATE_LIMITED), and nobody else's. Staff has the share of a network. At least one call, or
  // stream, is always allowed.
  double subject_share = 1.0 / 16;
  double network_share = 1.0 / 4;
  // Limit of the open streams of one subject, unless it is staff.
  std::size_t max_streams_of_subject = 3;
  // How often a subject or network may call (RATE_LIMITED). The default limits nobody.
  limits::CallLimits rates;
  // For the contexts of the calls. Must outlive the gate; may be null.
  CallRecorder* recorder = nullptr;
  // Size limit of requests in bytes; larger ones are refused (INVALID_ARGUMENT).
  std::size_t max_request_bytes = 64 * 1024;
  // Wall time, like all durations here. Time between two heartbeats sent on a stream.
  absl::Duration heartbeat = absl::Seconds(5);
  // A heartbeat that is due waits for the client's next message, but not longer than this: a write costs least while
  // the stream is active. Together with `heartbeat` and `tick` it stays well below the client's limit of 12 s without a
  // message.
  absl::Duration heartbeat_patience = absl::Seconds(3);
  // A peer that must send heartbeats counts as gone after this time without a message.
  absl::Duration silence = absl::Seconds(12);
  // If the transport does not accept a message for this long, the client does not read: the stream is cancelled.
  absl::Duration write_stall = absl::Seconds(30);
  // The same limit once the stream is ending.
  absl::Duration linger = absl::Seconds(12);
  // A stream is drained after being open for about this long (each ±10 %): its client opens another, perhaps at a newer
  // replica.
  absl::Duration stream_age = absl::InfiniteDuration();
  // A stream is ticked when it asks for it, but no sooner than this after its last tick, and no later than four times
  // this, because something may become due that the stream did not foresee. To tick 20,000 idle streams more often
  // costs as much as the positions that arrive on them. Zero: the owner of the gate calls Tick (tests).
  absl::Duration tick = absl::Milliseconds(500);
};

// Thread-safe. Must outlive the servers whose calls pass through it.
class Gate {
 public:
  // `clock` (wall) and `observer` (may be null) must outlive the gate.
  Gate(const Clock* clock, GateOptions options, CallObserver* observer);
  ~Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  const GateOptions& options() const { return options_; }
  absl::Time Wall() const { return clock_->Read().wall; }
  // Nobody's for nullopt.
  limits::Key KeyOf(const std::optional<limits::Network>& network) const;
  // Never null.
  CallObserver& observer() const { return *observer_; }

  // DRAINING, RATE_LIMITED or OVERLOADED; or OK: then LeaveUnary must follow, once, with `party`, which is now on the
  // account of `network` (KeyOf).
  absl::Status EnterUnary(const limits::Key& network, limits::Party* party) ABSL_LOCKS_EXCLUDED(mutex_);
  // For a call that has entered and whose caller is known now: RATE_LIMITED, or OK; then `party` is on the caller's
  // account, too.
  absl::Status ChargeUnary(const auth::Caller& caller, limits::Class what, limits::Party* party)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void LeaveUnary(const limits::Party& party = {}) ABSL_LOCKS_EXCLUDED(mutex_);
  // On nobody's account.
  absl::Status EnterUnary() ABSL_LOCKS_EXCLUDED(mutex_);
  // Called just before `call` is finished with an answer of `bytes`. The call leaves the gate if it had entered, as a
  // call of `entered`; null: it had not. AnswerTaken must follow when gRPC is done with the call.
  void Answer(UnreadAnswer* answer, grpc_call* call, std::size_t bytes, const limits::Party* entered)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void AnswerTaken(UnreadAnswer* answer) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same for a stream; pass the number to ChargeStream and LeaveStream. The gate keeps only a weak pointer to
  // `stream`.
  absl::StatusOr<std::uint64_t> EnterStream(std::weak_ptr<LiveStream> stream, const limits::Key& network = {})
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status ChargeStream(std::uint64_t number, const auth::Caller& caller, limits::Class what)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void LeaveStream(std::uint64_t number) ABSL_LOCKS_EXCLUDED(mutex_);

  // From now on the gate refuses every new call and stream, and drains each live stream, with a share of `spread` as
  // its client's retry delay. Calls in flight continue. Idempotent.
  void Drain(absl::Duration spread) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends all streams at once, and cancels all calls with unread answers.
  void CancelStreams() ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until nothing is in flight and all answers are taken, at most `at_most`. Returns whether that was reached.
  // Must not be called on one of gRPC's threads.
  bool WaitIdle(absl::Duration at_most) ABSL_LOCKS_EXCLUDED(mutex_);

  // `length` times a factor of 0 to 1, evenly spread over streams by their numbers.
  static absl::Duration Share(absl::Duration length, std::uint64_t number);

  bool draining() const ABSL_LOCKS_EXCLUDED(mutex_);
  std::size_t unary_in_flight() const ABSL_LOCKS_EXCLUDED(mutex_);
  std::size_t streams() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Calls and streams refused with RATE_LIMITED, since the start.
  std::uint64_t limited() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The callers and networks whose calls are remembered for their rates.
  std::size_t rate_buckets() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Ticks all streams and checks all unread answers now.
  void Tick() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Nobody's for a caller who is not known.
  limits::Key KeyOf(const auth::Caller& caller) const;
  // Takes one of the caller's share and rate; for a caller without a token the network's rate. A call that is refused
  // gives back what it took of the network's rate, which is others', too.
  absl::Status Charge(const auth::Caller& caller, limits::Class what, std::size_t most, limits::FairShare* shares,
                      limits::Party* party) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // A stream that is open, and on whose account.
  struct Open {
    std::weak_ptr<LiveStream> stream;
    limits::Party party;
  };

  void Leave(const limits::Party& party) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Removes the answer from the list.
  void Unlink(UnreadAnswer* answer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Removes the oldest answers while `while_so` holds. The returned calls are held; the caller cancels them without the
  // lock.
  std::vector<grpc_call*> TakeOldest(absl::FunctionRef<bool(const UnreadAnswer& oldest)> while_so)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CutOffUnread(absl::Time wall) ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<std::pair<std::uint64_t, std::shared_ptr<LiveStream>>> Live() const ABSL_LOCKS_EXCLUDED(mutex_);
  void RunTicks() ABSL_LOCKS_EXCLUDED(mutex_);
  // Removes due streams from the list, at most as many as one step ticks.
  void TakeDue(absl::Time wall, std::vector<std::pair<std::uint64_t, std::shared_ptr<LiveStream>>>* step)
      ABSL_LOCKS_EXCLUDED(mutex_);

  const Clock* const clock_;
  const GateOptions options_;
  CallObserver* const observer_;

  // Taken while no other lock of this library is held; streams are never called while it is held.
  mutable absl::Mutex mutex_;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // Signalled when the gate stops, or the last call or stream has left.
  SteadyCondVar changed_;
  std::size_t unary_in_flight_ ABSL_GUARDED_BY(mutex_) = 0;
  // Answers that are not taken, cancelled ones included; all others form a list, by age.
  std::size_t answers_ ABSL_GUARDED_BY(mutex_) = 0;
  std::size_t unread_ ABSL_GUARDED_BY(mutex_) = 0;
  std::size_t unread_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  UnreadAnswer* oldest_ ABSL_GUARDED_BY(mutex_) = nullptr;
  UnreadAnswer* newest_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::uint64_t last_number_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unordered_map<std::uint64_t, Open> streams_ ABSL_GUARDED_BY(mutex_);
  const limits::Keys keys_;
  limits::CallRates rates_ ABSL_GUARDED_BY(mutex_);
  limits::FairShare call_shares_ ABSL_GUARDED_BY(mutex_);
  limits::FairShare stream_shares_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t limited_ ABSL_GUARDED_BY(mutex_) = 0;
  // The next tick of each stream (wall), and its number. The entry of a stream that has left is dropped when its time
  // comes.
  std::set<std::pair<absl::Time, std::uint64_t>> due_ ABSL_GUARDED_BY(mutex_);
  std::thread ticker_;
};

}  // namespace hail::rpc
