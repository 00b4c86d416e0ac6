// WatchRide and StreamRide: how a RideSession meets a stream.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/call_info.h"
#include "common/rpc/outbox.h"
#include "common/rpc/stream_session.h"
#include "hail/rider/v1/rider_service.pb.h"
#include "rider-service/api/ride_session.h"
#include "rider-service/domain/rides.h"

namespace hail::rider {

using WatchOutbox = rpc::Outbox<hail::rider::v1::WatchRideResponse>;
using StreamOutbox = rpc::Outbox<hail::rider::v1::StreamRideResponse>;

// INVALID_FIELD or IDENTITY_MISMATCH for a watch that may not be.
absl::Status CheckWatch(const hail::rider::v1::WatchRideRequest& request, const rpc::Caller& caller);

class WatchStream final : public rpc::StreamSession {
 public:
  // Opens the session, or finishes the outbox with the error.
  WatchStream(const SessionPorts& ports, const hail::rider::v1::WatchRideRequest& request, const rpc::CallInfo& info,
              std::shared_ptr<WatchOutbox> outbox);

  void OnHeartbeat() override;
  void OnDrain(absl::Duration retry_after) override;
  void OnEnd() override;

 private:
  const std::shared_ptr<WatchOutbox> outbox_;
  const std::string ride_id_;
  // Null: refused.
  std::shared_ptr<RideSession> session_;
};

class RideStream final : public rpc::InboundSession<hail::rider::v1::StreamRideRequest> {
 public:
  RideStream(const SessionPorts& ports, Rides* rides, const rpc::CallInfo& info, std::shared_ptr<StreamOutbox> outbox);

  void OnMessage(const hail::rider::v1::StreamRideRequest& message) override;
  void OnHalfClose() override;
  void OnHeartbeat() override;
  void OnDrain(absl::Duration retry_after) override;
  void OnEnd() override;

 private:
  // Puts a session's messages and the answers to commands on one stream, and holds its end back until the last command
  // is answered. Thread-safe.
  class CommandSink final : public RideSession::Sink {
   public:
    explicit CommandSink(std::shared_ptr<StreamOutbox> outbox) : outbox_(std::move(outbox)) {}
    void Send(hail::rider::v1::WatchRideResponse message) override;
    void SendTelemetry(hail::rider::v1::WatchRideResponse message) override;
    void Finish(const absl::Status& status) override ABSL_LOCKS_EXCLUDED(mutex_);

    // False: too many under way.
    bool BeginCommand() ABSL_LOCKS_EXCLUDED(mutex_);
    void EndCommand(hail::rider::v1::CommandResult result) ABSL_LOCKS_EXCLUDED(mutex_);
    // An answer to a command that was not begun.
    void Answer(hail::rider::v1::CommandResult result);

   private:
    const std::shared_ptr<StreamOutbox> outbox_;
    absl::Mutex mutex_;
    std::size_t under_way_ ABSL_GUARDED_BY(mutex_) = 0;
    std::optional<absl::Status> final_ ABSL_GUARDED_BY(mutex_);
  };

  void Open(const hail::rider::v1::WatchRideRequest& request);
  void Cancel(const std::string& command_id, const hail::rider::v1::CancelRideRequest& request);
  // Ends the stream: the client does not speak the protocol.
  void Violation(const std::string& message);

  const SessionPorts ports_;
  Rides* const rides_;
  const rpc::CallInfo info_;
  const std::shared_ptr<StreamOutbox> outbox_;
  const std::shared_ptr<CommandSink> sink_;
  std::string rider_id_;
  std::string ride_id_;
  // Null until opened.
  std::shared_ptr<RideSession> session_;
};

}  // namespace hail::rider
