// A rider-service for tests of driver-service alone: it speaks the internal protocol, records the requests and answers
// as the test specifies. Keeps rides in memory, with just enough rules to be plausible.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/geo/lat_lng.h"
#include "hail/internal/v1/assignment_service.grpc.pb.h"
#include "hail/internal/v1/dispatch_service.grpc.pb.h"

namespace hail::testing {

// Thread-safe.
class FakeRider {
 public:
  using ConfirmRequest = hail::internal::v1::ConfirmAssignmentRequest;
  // The answer to a confirmation. OK: the ride becomes the driver's, as in rider-service.
  using ConfirmRule = std::function<grpc::Status(const ConfirmRequest& request, int attempt)>;

  // Serves on a free port of 127.0.0.1.
  FakeRider();
  ~FakeRider();
  FakeRider(const FakeRider&) = delete;
  FakeRider& operator=(const FakeRider&) = delete;

  std::string address() const;

  // Stops serving: every call fails and every feed ends. Keeps the rides. Serve() comes back at the same address.
  void Vanish();
  void Serve();

  void SetConfirmRule(ConfirmRule rule);
  std::vector<ConfirmRequest> confirms() const;
  std::vector<hail::internal::v1::RecordTripEventRequest> steps() const;
  // The positions reported for riders, in order.
  std::vector<hail::internal::v1::DriverLocation> locations() const;

  // How long drivers have to answer an offer of a ride started from now on. Call it before the link is opened.
  void set_offer_time(absl::Duration offer_time) { offer_time_ = offer_time; }

  // How far ahead the clock in its hello is.
  void set_clock_ahead(absl::Duration ahead) { clock_ahead_ = ahead; }

  // Opens the dispatch link to driver-service's internal address, and says hello.
  void OpenLink(const std::string& driver_internal_address);
  void CloseLink();

  // Asks for a driver for a new (or known) ride; returns the message sent.
  hail::internal::v1::StartDispatch StartRide(const std::string& ride_id, int64_t epoch, const LatLng& pickup,
                                              absl::Duration remaining = absl::Seconds(120),
                                              const std::vector<std::string>& excluded = {});
  void StopRide(const std::string& ride_id, int64_t epoch, hail::internal::v1::StopReason reason);

  // Removes and returns the next message of the link (except heartbeats) for which `wanted` holds; keeps those before
  // it. False after 10 s without one.
  bool NextLinkMessage(const std::function<bool(const hail::internal::v1::DispatchResponse&)>& wanted,
                       hail::internal::v1::DispatchResponse* message);

  // Ends the assignment of `ride_id` as a rider's cancel would: the driver gets the event by the feed.
  void CancelByRider(const std::string& ride_id);
  // Assigns the ride to a driver without an offer, as another replica would have.
  void AssignDirectly(const std::string& ride_id, const std::string& driver_id);

  hail::type::v1::Ride ride(const std::string& ride_id) const;
  // Whether driver-service watches this driver, within 10 s.
  bool Watches(const std::string& driver_id);
  // Whether a driver on a trip was reported to be at `where` (within a metre), within 10 s.
  bool WasToldWhere(const std::string& driver_id, const LatLng& where);
  // Whether a confirmation of `offer_id` came in, within 10 s.
  bool WasAskedToConfirm(const std::string& offer_id, int attempts = 1);

 private:
  class Service;
  struct Feed;
  struct Watch {
    std::shared_ptr<Feed> feed;
    int64_t subscription = 0;
  };

  absl::Duration offer_time_ = absl::Seconds(15);
  absl::Duration clock_ahead_ = absl::ZeroDuration();

  // Waits up to 10 s until `condition` holds. It is called under the mutex.
  bool WaitUntil(const std::function<bool()>& condition);
  void SendOnLink(const hail::internal::v1::DispatchRequest& request);
  hail::internal::v1::DriverSnapshot SnapshotLocked(const hail::internal::v1::SubscribeDriver& subscribe)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  hail::type::v1::Ride& RideLocked(const std::string& ride_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AppendLocked(hail::type::v1::Ride& ride, hail::type::v1::RideEventType type, const std::string& driver_id,
                    bool ended) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AssignLocked(hail::type::v1::Ride& ride, const hail::type::v1::DriverSummary& driver,
                    const std::string& offer_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  int port_ = 0;
  std::unique_ptr<Service> service_;
  std::unique_ptr<grpc::Server> server_;

  mutable absl::Mutex mutex_;
  ConfirmRule confirm_rule_ ABSL_GUARDED_BY(mutex_);
  std::vector<ConfirmRequest> confirms_ ABSL_GUARDED_BY(mutex_);
  std::vector<hail::internal::v1::RecordTripEventRequest> steps_ ABSL_GUARDED_BY(mutex_);
  std::vector<hail::internal::v1::DriverLocation> locations_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, hail::type::v1::Ride> rides_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::vector<hail::type::v1::RideEvent>> events_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Watch> watches_ ABSL_GUARDED_BY(mutex_);
  std::deque<hail::internal::v1::DispatchResponse> link_messages_ ABSL_GUARDED_BY(mutex_);

  // Held while writing to the link.
  absl::Mutex link_write_mutex_;
  std::unique_ptr<grpc::ClientContext> link_context_;
  std::unique_ptr<hail::internal::v1::DispatchService::Stub> link_stub_;
  std::unique_ptr<grpc::ClientReaderWriter<hail::internal::v1::DispatchRequest, hail::internal::v1::DispatchResponse>>
      link_;
  std::thread link_reader_;
};

}  // namespace hail::testing
