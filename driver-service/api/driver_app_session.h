// One StreamDriver or WatchDriver stream: the session and the commands of a driver's app.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/call_context.h"
#include "common/rpc/sink.h"
#include "common/rpc/stream_session.h"
#include "driver-service/api/driver_commands.h"
#include "driver-service/domain/dispatch_types.h"
#include "hail/driver/v1/driver_service.pb.h"

namespace hail::driver {

// Owned by the stream, and by callbacks of the store and the loop while they are pending.
class DriverAppSession final : public rpc::InboundSession<v1::StreamDriverRequest>,
                               public std::enable_shared_from_this<DriverAppSession> {
 public:
  using Sink = rpc::Sink<v1::StreamDriverResponse>;

  // `commands` must outlive the stream's calls and the dispatch loop.
  DriverAppSession(DriverCommands& commands, std::shared_ptr<Sink> sink, const rpc::CallContext& call);

  // Opens the session of a WatchDriver stream. Call it once, before anything else.
  void Watch(const v1::WatchDriverRequest& request) ABSL_LOCKS_EXCLUDED(mutex_);

  void OnMessage(const v1::StreamDriverRequest& request) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnHalfClose() override;
  void OnHeartbeat() override;
  void OnDrain(absl::Duration retry_after) override;
  void OnEnd() override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  enum class Phase { kNew, kOpening, kOpen, kEnded };

  // `path` precedes the fields' names in errors. `sends` as in Opening.
  void Open(const v1::OpenSession& request, const std::string& path, bool sends) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Runs on the loop, with the result of the claim.
  void Opened(const absl::StatusOr<ClaimedSession>& claimed, const std::optional<RideCursor>& cursor,
              const Opening& opening, Dispatch& core, Now now) ABSL_LOCKS_EXCLUDED(mutex_);
  void Handle(const v1::StreamDriverRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void HandleCommand(const v1::StreamDriverRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckCommand(const v1::StreamDriverRequest& request) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // A message of this stream may omit the driver, but must not name a different one.
  absl::Status CheckNamed(const std::string& driver_id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // On the loop.
  void Deliver(const DriverMessage& message) ABSL_LOCKS_EXCLUDED(mutex_);
  // The one answer to an accepted command. On the loop.
  void Answer(const std::string& command_id, const absl::Status& status, const DriverState& state)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Refuses a message, with the driver's state from the loop.
  void SendResult(const std::string& command_id, const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // A position was taken while the core waits for one.
  void Positioned() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Runs `what` on the loop for this stream. If the stream has too many such tasks, its reading is paused.
  void Ask(std::function<void(Dispatch& core, Now now)> what) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // On the loop.
  void Send(const std::string& command_id, const absl::Status& status, const DriverState& state)
      ABSL_LOCKS_EXCLUDED(mutex_);

  DriverCommands& commands_;
  const std::shared_ptr<Sink> sink_;
  const rpc::CallContext call_;
  const StreamId stream_;

  // Taken on the transport's threads and on the loop, before any lock of sink, loop or index.
  absl::Mutex mutex_;
  Phase phase_ ABSL_GUARDED_BY(mutex_) = Phase::kNew;
  std::string driver_id_ ABSL_GUARDED_BY(mutex_);
  std::int64_t session_epoch_ ABSL_GUARDED_BY(mutex_) = 0;
  // The number of unanswered commands.
  int unanswered_ ABSL_GUARDED_BY(mutex_) = 0;
  // The number of pending tasks of Ask.
  int asked_ ABSL_GUARDED_BY(mutex_) = 0;
  // Whether the state last sent to the stream reports a missing position; and whether Positioned has already notified
  // the loop since.
  bool position_missing_ ABSL_GUARDED_BY(mutex_) = false;
  bool positioned_ ABSL_GUARDED_BY(mutex_) = false;
  // The latest sequence sent of the driver's ride; 0: none.
  std::int64_t ride_sequence_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace hail::driver
