// The sessions of WatchRide and StreamRide, which connect a RideSession to a stream.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/sink.h"
#include "common/rpc/stream_session.h"
#include "hail/rider/v1/rider_service.pb.h"
#include "rider-service/api/ride_session.h"
#include "rider-service/domain/rides.h"

namespace hail::rider {

using WatchSink = rpc::Sink<hail::rider::v1::WatchRideResponse>;
using StreamSink = rpc::Sink<hail::rider::v1::StreamRideResponse>;

class WatchStream final : public rpc::StreamSession {
 public:
  // Opens the session, or finishes the sink with the error.
  WatchStream(const SessionPorts& ports, const hail::rider::v1::WatchRideRequest& request,
              std::shared_ptr<WatchSink> sink);

  void OnHeartbeat() override;
  void OnDrain(absl::Duration retry_after) override;
  void OnEnd() override;

 private:
  const std::shared_ptr<WatchSink> sink_;
  const std::string ride_id_;
  // Null: refused.
  std::shared_ptr<RideSession> session_;
};

class RideStream final : public rpc::InboundSession<hail::rider::v1::StreamRideRequest> {
 public:
  RideStream(const SessionPorts& ports, Rides* rides, std::shared_ptr<StreamSink> sink);

  void OnMessage(const hail::rider::v1::StreamRideRequest& message) override;
  void OnHalfClose() override;
  void OnHeartbeat() override;
  void OnDrain(absl::Duration retry_after) override;
  void OnEnd() override;

 private:
  // Combines a session's messages and the answers to commands on one stream, and delays its end until the last command
  // is answered. Thread-safe.
  class CommandSink final : public WatchSink {
   public:
    explicit CommandSink(std::shared_ptr<StreamSink> sink) : sink_(std::move(sink)) {}
    bool Send(hail::rider::v1::WatchRideResponse message) override;
    bool SendLatest(const std::string& key, hail::rider::v1::WatchRideResponse message) override;
    void Finish(const absl::Status& status = absl::OkStatus()) override ABSL_LOCKS_EXCLUDED(mutex_);
    void PauseReading() override { sink_->PauseReading(); }
    void ResumeReading() override { sink_->ResumeReading(); }

    // False: too many open commands.
    bool BeginCommand() ABSL_LOCKS_EXCLUDED(mutex_);
    void EndCommand(hail::rider::v1::CommandResult result) ABSL_LOCKS_EXCLUDED(mutex_);
    // Answers a command for which BeginCommand was not called.
    void Answer(hail::rider::v1::CommandResult result);

   private:
    const std::shared_ptr<StreamSink> sink_;
    absl::Mutex mutex_;
    std::size_t under_way_ ABSL_GUARDED_BY(mutex_) = 0;
    std::optional<absl::Status> final_ ABSL_GUARDED_BY(mutex_);
  };

  void Open(const hail::rider::v1::WatchRideRequest& request);
  void Cancel(const std::string& command_id, const hail::rider::v1::CancelRideRequest& request);
  // Ends the stream because the client violates the protocol.
  void Violation(const std::string& message);

  const SessionPorts ports_;
  Rides* const rides_;
  const std::shared_ptr<StreamSink> sink_;
  // Delays the end until open commands are answered.
  const std::shared_ptr<CommandSink> commands_;
  std::string rider_id_;
  std::string ride_id_;
  // Null until opened.
  std::shared_ptr<RideSession> session_;
};

}  // namespace hail::rider
