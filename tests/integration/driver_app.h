// A driver's app for tests: a StreamDriver stream. Its own thread reads the stream and keeps the messages in order.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/geo/lat_lng.h"
#include "grpcpp/channel.h"
#include "hail/driver/v1/driver_service.grpc.pb.h"

namespace hail::testing {

// Not thread-safe, except for the internal reading thread.
class DriverApp {
 public:
  using Request = hail::driver::v1::StreamDriverRequest;
  using Response = hail::driver::v1::StreamDriverResponse;

  DriverApp(std::shared_ptr<grpc::Channel> channel, std::string driver_id);
  ~DriverApp();
  DriverApp(const DriverApp&) = delete;
  DriverApp& operator=(const DriverApp&) = delete;

  hail::driver::v1::DriverService::Stub& stub() { return *stub_; }
  const std::string& driver_id() const { return driver_id_; }

  // Registers the driver of this app (a car for four, "economy", San Francisco).
  grpc::Status Register();

  // Opens the stream and sends `open`.
  void Open();
  // Opens it with the cursor of an earlier stream.
  void Resume(const std::string& ride_id, int64_t sequence);
  // The stream without `open`.
  void Connect();
  bool Send(const Request& request);

  // Sends a new fix at `at`.
  void SendPosition(const LatLng& at);
  // Sends a command and waits for its result.
  hail::driver::v1::CommandResult Command(Request request);
  hail::driver::v1::CommandResult SetAvailability(hail::driver::v1::Availability availability);
  hail::driver::v1::CommandResult Respond(const std::string& offer_id, hail::driver::v1::OfferResponse response);
  // Sends the answer without waiting for its result; returns its command_id.
  std::string RespondLater(const std::string& offer_id, hail::driver::v1::OfferResponse response);
  void SendOfferReceived(const std::string& offer_id);
  // Opens, goes online at `at`, and waits until the driver is AVAILABLE.
  void GoAvailable(const LatLng& at);

  // How long the waiting functions below wait before they fail the test. Default: 10 s.
  void set_patience(absl::Duration patience) { patience_ = patience; }

  // The first message for which `wanted` holds, among those not yet looked past.
  Response Next(const std::function<bool(const Response&)>& wanted, const char* what);
  hail::driver::v1::Offer NextOffer();
  hail::driver::v1::OfferUpdate NextOfferUpdate(hail::driver::v1::OfferStatus status);
  hail::type::v1::RideEvent NextEvent(hail::type::v1::RideEventType type);
  // The result of a command, at any place in the stream: looks past no message.
  hail::driver::v1::CommandResult NextResult(const std::string& command_id);
  // Calls GetDriverState until `wanted` holds.
  hail::driver::v1::DriverState AwaitState(const std::function<bool(const hail::driver::v1::DriverState&)>& wanted,
                                           const char* what);

  // All messages of the present stream so far.
  std::vector<Response> received() const;
  // Waits for the end of the stream and returns its status. A failure after 20 s.
  grpc::Status AwaitEnd();
  // Closes the sending half of the stream.
  void HalfClose() { stream_->WritesDone(); }
  // Drops the stream, as a phone that lost its network does.
  void Drop();

 private:
  // Sends the app's heartbeat if it is due, while the test waits.
  void BeatIfDue();
  // The first message from number `from` on for which `wanted` holds; moves `from` behind it.
  Response Await(std::size_t& from, const std::function<bool(const Response&)>& wanted, const char* what);

  const std::shared_ptr<grpc::Channel> channel_;
  const std::string driver_id_;
  std::unique_ptr<hail::driver::v1::DriverService::Stub> stub_;
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientReaderWriter<Request, Response>> stream_;
  std::thread reader_;
  absl::Duration patience_ = absl::Seconds(10);
  absl::Time last_beat_;
  int commands_ = 0;
  uint64_t position_seq_ = 0;
  std::size_t looked_at_ = 0;

  mutable absl::Mutex mutex_;
  std::vector<Response> received_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = true;
};

// A context with a deadline of 10 s.
std::unique_ptr<grpc::ClientContext> CallContext();

// A position message.
hail::type::v1::Position MakePosition(const LatLng& at, uint64_t position_seq,
                                      absl::Duration age = absl::ZeroDuration());

}  // namespace hail::testing
