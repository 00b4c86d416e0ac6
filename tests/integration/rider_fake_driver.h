// driver-service's side of the internal protocol, scripted by the test: for tests of rider-service alone.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpcpp/server.h"
#include "hail/internal/v1/dispatch_service.grpc.pb.h"

namespace hail::testing {

// Serves DispatchService on its own port. Acknowledges each start unless disabled. Thread-safe.
class FakeDriverService final : public hail::internal::v1::DispatchService::Service {
 public:
  FakeDriverService();
  ~FakeDriverService() override;

  // "127.0.0.1:PORT"; stays the same over Stop and Start.
  std::string address() const;

  // Ends every link and stops serving; Start serves again at the same address.
  void Stop();
  void Start();
  // Ends the present link only.
  void BreakLink();

  // Waits until rider-service sent this request. Nullopt (and a failure) after 20 s.
  std::optional<hail::internal::v1::StartDispatch> WaitForStart(const std::string& ride_id, std::int64_t epoch);
  std::optional<hail::internal::v1::StopDispatch> WaitForStop(const std::string& ride_id);
  // Waits until `count` links were opened in total; false (and a failure) after 20 s.
  bool WaitForLinks(int count);
  // How often this start was received so far.
  int Starts(const std::string& ride_id, std::int64_t epoch) const;

  // Sends on the present link.
  void Send(const hail::internal::v1::DispatchResponse& message);
  void SendExhausted(const std::string& ride_id, std::int64_t epoch);
  void SendSettled(const std::string& ride_id, std::int64_t epoch, const std::string& driver_id,
                   hail::internal::v1::OfferOutcome outcome);

  void set_acknowledge(bool acknowledge);
  // The result of SearchDrivers.
  void set_drivers(std::vector<hail::internal::v1::FoundDriver> drivers);

 private:
  using Link = grpc::ServerReaderWriter<hail::internal::v1::DispatchResponse, hail::internal::v1::DispatchRequest>;

  grpc::Status Dispatch(grpc::ServerContext* context, Link* link) override;
  grpc::Status SearchDrivers(grpc::ServerContext* context, const hail::internal::v1::SearchDriversRequest* request,
                             hail::internal::v1::SearchDriversResponse* response) override;
  bool Wait(const std::string& what, const std::function<bool()>& condition) const ABSL_LOCKS_EXCLUDED(mutex_);

  mutable absl::Mutex mutex_;
  int port_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<grpc::Server> server_;
  grpc::ServerContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;
  Link* link_ ABSL_GUARDED_BY(mutex_) = nullptr;
  int links_ ABSL_GUARDED_BY(mutex_) = 0;
  bool acknowledge_ ABSL_GUARDED_BY(mutex_) = true;
  std::vector<hail::internal::v1::StartDispatch> starts_ ABSL_GUARDED_BY(mutex_);
  std::vector<hail::internal::v1::StopDispatch> stops_ ABSL_GUARDED_BY(mutex_);
  std::vector<hail::internal::v1::FoundDriver> drivers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hail::testing
