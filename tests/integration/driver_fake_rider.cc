#include "tests/integration/driver_fake_rider.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "common/rpc/joined.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"

namespace hail::testing {
namespace {

namespace internal = hail::internal::v1;
namespace type = hail::type::v1;

constexpr absl::Duration kPatience = absl::Seconds(10);

bool Final(type::RideState state) {
  return state == type::RIDE_STATE_COMPLETED || state == type::RIDE_STATE_CANCELED ||
         state == type::RIDE_STATE_NO_DRIVERS_AVAILABLE;
}

}  // namespace

// One WatchDrivers stream. Several threads write to it.
struct FakeRider::Feed {
  absl::Mutex mutex;
  grpc::ServerReaderWriter<internal::WatchDriversResponse, internal::WatchDriversRequest>* stream
      ABSL_GUARDED_BY(mutex) = nullptr;

  void Write(const internal::WatchDriversResponse& response) {
    absl::MutexLock lock(&mutex);
    if (stream != nullptr) stream->Write(response);
  }
};

class FakeRider::Service final : public internal::AssignmentService::Service {
 public:
  explicit Service(FakeRider& fake) : fake_(fake) {}

  grpc::Status ConfirmAssignment(grpc::ServerContext*, const internal::ConfirmAssignmentRequest* request,
                                 internal::ConfirmAssignmentResponse* response) override {
    ConfirmRule rule;
    int attempt = 0;
    {
      absl::MutexLock lock(&fake_.mutex_);
      fake_.confirms_.push_back(*request);
      for (const auto& earlier : fake_.confirms_) attempt += earlier.offer_id() == request->offer_id() ? 1 : 0;
      rule = fake_.confirm_rule_;
    }
    const grpc::Status status = rule ? rule(*request, attempt) : grpc::Status::OK;
    if (!status.ok()) return status;
    absl::MutexLock lock(&fake_.mutex_);
    type::Ride& ride = fake_.RideLocked(request->ride_id());
    if (ride.offer_id() != request->offer_id()) fake_.AssignLocked(ride, request->driver(), request->offer_id());
    *response->mutable_ride() = ride;
    return grpc::Status::OK;
  }

  grpc::Status FindAssignment(grpc::ServerContext*, const internal::FindAssignmentRequest* request,
                              internal::FindAssignmentResponse* response) override {
    absl::MutexLock lock(&fake_.mutex_);
    for (const auto& [id, ride] : fake_.rides_) {
      if (ride.offer_id() == request->offer_id() && ride.driver().driver_id() == request->driver_id()) {
        *response->mutable_ride() = ride;
        return grpc::Status::OK;
      }
    }
    return {grpc::StatusCode::NOT_FOUND, "no such assignment"};
  }

  grpc::Status RecordTripEvent(grpc::ServerContext*, const internal::RecordTripEventRequest* request,
                               internal::RecordTripEventResponse* response) override {
    absl::MutexLock lock(&fake_.mutex_);
    fake_.steps_.push_back(*request);
    const auto found = fake_.rides_.find(request->ride_id());
    if (found == fake_.rides_.end() || found->second.driver().driver_id() != request->driver_id()) {
      return {grpc::StatusCode::NOT_FOUND, "no such ride"};
    }
    type::Ride& ride = found->second;
    switch (request->step()) {
      case internal::TRIP_STEP_SEEN:
        fake_.AppendLocked(ride, type::RIDE_EVENT_TYPE_ASSIGNMENT_SEEN, request->driver_id(), false);
        break;
      case internal::TRIP_STEP_ARRIVE:
        ride.set_state(type::RIDE_STATE_ARRIVED_AT_PICKUP);
        fake_.AppendLocked(ride, type::RIDE_EVENT_TYPE_ARRIVED_AT_PICKUP, request->driver_id(), false);
        break;
      case internal::TRIP_STEP_START:
        ride.set_state(type::RIDE_STATE_ENROUTE_TO_DROPOFF);
        ride.set_leg(1);
        fake_.AppendLocked(ride, type::RIDE_EVENT_TYPE_STARTED, request->driver_id(), false);
        break;
      case internal::TRIP_STEP_COMPLETE:
        ride.set_state(type::RIDE_STATE_COMPLETED);
        fake_.AppendLocked(ride, type::RIDE_EVENT_TYPE_COMPLETED, request->driver_id(), true);
        break;
      default:
        return {grpc::StatusCode::INVALID_ARGUMENT, "step"};
    }
    *response->mutable_ride() = ride;
    return grpc::Status::OK;
  }

  grpc::Status WatchDrivers(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<internal::WatchDriversResponse, internal::WatchDriversRequest>* stream) override {
    // Sends the headers before there is a message to send, as rider-service does, so that the client sees the feed
    // open.
    stream->SendInitialMetadata();
    auto feed = std::make_shared<Feed>();
    {
      absl::MutexLock lock(&feed->mutex);
      feed->stream = stream;
    }
    internal::WatchDriversRequest request;
    while (stream->Read(&request)) {
      internal::WatchDriversResponse response;
      absl::MutexLock lock(&fake_.mutex_);
      switch (request.message_case()) {
        case internal::WatchDriversRequest::kSubscribe: {
          const internal::SubscribeDriver& subscribe = request.subscribe();
          fake_.watches_[subscribe.driver_id()] = {feed, subscribe.subscription()};
          *response.mutable_snapshot() = fake_.SnapshotLocked(subscribe);
          feed->Write(response);
          break;
        }
        case internal::WatchDriversRequest::kUnsubscribe:
          fake_.watches_.erase(request.unsubscribe().driver_id());
          break;
        default:
          response.mutable_heartbeat();
          feed->Write(response);
      }
    }
    {
      absl::MutexLock lock(&feed->mutex);
      feed->stream = nullptr;
    }
    absl::MutexLock lock(&fake_.mutex_);
    for (auto it = fake_.watches_.begin(); it != fake_.watches_.end();) {
      it = it->second.feed == feed ? fake_.watches_.erase(it) : std::next(it);
    }
    return grpc::Status::OK;
  }

  grpc::Status ReportLocations(grpc::ServerContext*, grpc::ServerReader<internal::ReportLocationsRequest>* reader,
                               internal::ReportLocationsResponse*) override {
    reader->SendInitialMetadata();
    internal::ReportLocationsRequest request;
    while (reader->Read(&request)) {
      absl::MutexLock lock(&fake_.mutex_);
      for (const auto& location : request.locations()) fake_.locations_.push_back(location);
    }
    return grpc::Status::OK;
  }

  grpc::Status ListDriverRides(grpc::ServerContext*, const internal::ListDriverRidesRequest* request,
                               internal::ListDriverRidesResponse* response) override {
    absl::MutexLock lock(&fake_.mutex_);
    for (const auto& [id, ride] : fake_.rides_) {
      if (ride.driver().driver_id() == request->driver_id()) *response->add_rides() = ride;
    }
    return grpc::Status::OK;
  }

 private:
  FakeRider& fake_;
};

FakeRider::FakeRider() : service_(std::make_unique<Service>(*this)) { Serve(); }

FakeRider::~FakeRider() {
  CloseLink();
  Vanish();
}

std::string FakeRider::address() const { return "127.0.0.1:" + std::to_string(port_); }

void FakeRider::Serve() {
  grpc::ServerBuilder builder;
  int port = 0;
  // Without this setting two servers could share the port, and the one that shuts down would get some of the calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddListeningPort("127.0.0.1:" + std::to_string(port_), grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(service_.get());
  server_ = builder.BuildAndStart();
  ASSERT_NE(server_, nullptr) << "cannot listen on " << address();
  port_ = port;
}

void FakeRider::Vanish() {
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
  server_ = nullptr;
}

void FakeRider::SetConfirmRule(ConfirmRule rule) {
  absl::MutexLock lock(&mutex_);
  confirm_rule_ = std::move(rule);
}

std::vector<FakeRider::ConfirmRequest> FakeRider::confirms() const {
  absl::MutexLock lock(&mutex_);
  return confirms_;
}

std::vector<internal::RecordTripEventRequest> FakeRider::steps() const {
  absl::MutexLock lock(&mutex_);
  return steps_;
}

std::vector<internal::DriverLocation> FakeRider::locations() const {
  absl::MutexLock lock(&mutex_);
  return locations_;
}

void FakeRider::OpenLink(const std::string& driver_internal_address) {
  CloseLink();
  link_stub_ = internal::DispatchService::NewStub(
      grpc::CreateChannel(driver_internal_address, grpc::InsecureChannelCredentials()));
  link_context_ = std::make_unique<grpc::ClientContext>();
  link_context_->set_wait_for_ready(true);
  link_ = link_stub_->Dispatch(link_context_.get());
  internal::DispatchRequest hello;
  hello.mutable_hello()->set_incarnation_id("fake-rider");
  hello.mutable_hello()->mutable_domain_time()->set_seconds(absl::ToUnixSeconds(absl::Now() + clock_ahead_));
  SendOnLink(hello);
  link_reader_ = std::thread([this] {
    internal::DispatchResponse response;
    const auto receive = [this](const internal::DispatchResponse& message) {
      // Echoing the other side's heartbeats keeps the link alive.
      if (message.has_heartbeat()) {
        internal::DispatchRequest beat;
        beat.mutable_heartbeat();
        SendOnLink(beat);
        return;
      }
      absl::MutexLock lock(&mutex_);
      link_messages_.push_back(message);
    };
    while (link_->Read(&response)) rpc::ForEachJoined(response, receive);
  });
}

void FakeRider::CloseLink() {
  if (link_ == nullptr) return;
  link_context_->TryCancel();
  link_reader_.join();
  link_->Finish();
  link_ = nullptr;
}

void FakeRider::SendOnLink(const internal::DispatchRequest& request) {
  absl::MutexLock lock(&link_write_mutex_);
  link_->Write(request);
}

internal::StartDispatch FakeRider::StartRide(const std::string& ride_id, int64_t epoch, const LatLng& pickup,
                                             absl::Duration remaining, const std::vector<std::string>& excluded) {
  const LatLng dropoff = Toward(pickup, 45, 3000);
  internal::DispatchRequest request;
  internal::StartDispatch& start = *request.mutable_start();
  start.set_ride_id(ride_id);
  start.set_epoch(epoch);
  start.set_region_id("san_francisco");
  start.set_product_id("economy");
  start.set_seats(1);
  start.mutable_pickup()->mutable_position()->set_latitude_deg(pickup.latitude_deg);
  start.mutable_pickup()->mutable_position()->set_longitude_deg(pickup.longitude_deg);
  start.mutable_dropoff()->mutable_position()->set_latitude_deg(dropoff.latitude_deg);
  start.mutable_dropoff()->mutable_position()->set_longitude_deg(dropoff.longitude_deg);
  start.mutable_fare()->set_currency_code("USD");
  start.mutable_fare()->set_micros(12'500'000);
  start.set_trip_distance_m(3900);
  start.mutable_trip_duration()->set_seconds(600);
  start.mutable_remaining()->set_seconds(absl::ToInt64Seconds(remaining));
  start.mutable_offer_time()->set_seconds(absl::ToInt64Seconds(offer_time_));
  for (const std::string& driver_id : excluded) start.add_excluded_driver_ids(driver_id);
  {
    absl::MutexLock lock(&mutex_);
    type::Ride& ride = RideLocked(ride_id);
    ride.set_epoch(epoch);
    *ride.mutable_pickup() = start.pickup();
    *ride.mutable_dropoff() = start.dropoff();
  }
  SendOnLink(request);
  return start;
}

void FakeRider::StopRide(const std::string& ride_id, int64_t epoch, internal::StopReason reason) {
  internal::DispatchRequest request;
  request.mutable_stop()->set_ride_id(ride_id);
  request.mutable_stop()->set_epoch(epoch);
  request.mutable_stop()->set_reason(reason);
  SendOnLink(request);
}

bool FakeRider::NextLinkMessage(const std::function<bool(const internal::DispatchResponse&)>& wanted,
                                internal::DispatchResponse* message) {
  const auto find = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return std::find_if(link_messages_.begin(), link_messages_.end(), wanted);
  };
  const std::function<bool()> found = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return find() != link_messages_.end();
  };
  absl::MutexLock lock(&mutex_);
  if (!mutex_.AwaitWithTimeout(absl::Condition(&found), kPatience)) return false;
  const auto it = find();
  if (message != nullptr) *message = *it;
  link_messages_.erase(it);
  return true;
}

void FakeRider::CancelByRider(const std::string& ride_id) {
  absl::MutexLock lock(&mutex_);
  type::Ride& ride = rides_.at(ride_id);
  ride.set_state(type::RIDE_STATE_CANCELED);
  ride.mutable_cancellation()->set_actor(type::CANCEL_ACTOR_RIDER);
  AppendLocked(ride, type::RIDE_EVENT_TYPE_CANCELED, ride.driver().driver_id(), true);
}

void FakeRider::AssignDirectly(const std::string& ride_id, const std::string& driver_id) {
  absl::MutexLock lock(&mutex_);
  type::DriverSummary driver;
  driver.set_driver_id(driver_id);
  AssignLocked(RideLocked(ride_id), driver, "offer-of-" + ride_id);
}

type::Ride FakeRider::ride(const std::string& ride_id) const {
  absl::MutexLock lock(&mutex_);
  return rides_.at(ride_id);
}

bool FakeRider::Watches(const std::string& driver_id) {
  return WaitUntil([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return watches_.count(driver_id) > 0; });
}

bool FakeRider::WasToldWhere(const std::string& driver_id, const LatLng& where) {
  return WaitUntil([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return std::any_of(locations_.begin(), locations_.end(), [&](const internal::DriverLocation& location) {
      const auto& point = location.position().location();
      return location.driver_id() == driver_id && DistanceM({point.latitude_deg(), point.longitude_deg()}, where) < 1;
    });
  });
}

bool FakeRider::WasAskedToConfirm(const std::string& offer_id, int attempts) {
  return WaitUntil([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    int seen = 0;
    for (const auto& request : confirms_) seen += request.offer_id() == offer_id ? 1 : 0;
    return seen >= attempts;
  });
}

bool FakeRider::WaitUntil(const std::function<bool()>& condition) {
  absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(&condition), kPatience);
}

type::Ride& FakeRider::RideLocked(const std::string& ride_id) {
  type::Ride& ride = rides_[ride_id];
  if (ride.ride_id().empty()) {
    ride.set_ride_id(ride_id);
    ride.set_region_id("san_francisco");
    ride.set_product_id("economy");
    ride.set_state(type::RIDE_STATE_MATCHING);
    ride.set_sequence(1);
    ride.set_epoch(1);
    ride.set_seats(1);
  }
  return ride;
}

void FakeRider::AppendLocked(type::Ride& ride, type::RideEventType event_type, const std::string& driver_id,
                             bool ended) {
  ride.set_sequence(ride.sequence() + 1);
  type::RideEvent event;
  event.set_ride_id(ride.ride_id());
  event.set_sequence(ride.sequence());
  event.set_type(event_type);
  event.mutable_event_time()->set_seconds(absl::ToUnixSeconds(absl::Now()));
  *event.mutable_ride() = ride;
  events_[ride.ride_id()].push_back(event);
  const auto watch = watches_.find(driver_id);
  if (watch == watches_.end()) return;
  internal::WatchDriversResponse response;
  response.mutable_event()->set_driver_id(driver_id);
  response.mutable_event()->set_subscription(watch->second.subscription);
  *response.mutable_event()->mutable_event() = event;
  response.mutable_event()->set_ended(ended);
  watch->second.feed->Write(response);
}

void FakeRider::AssignLocked(type::Ride& ride, const type::DriverSummary& driver, const std::string& offer_id) {
  ride.set_state(type::RIDE_STATE_ENROUTE_TO_PICKUP);
  *ride.mutable_driver() = driver;
  ride.set_offer_id(offer_id);
  AppendLocked(ride, type::RIDE_EVENT_TYPE_ASSIGNED, driver.driver_id(), false);
}

internal::DriverSnapshot FakeRider::SnapshotLocked(const internal::SubscribeDriver& subscribe) {
  internal::DriverSnapshot snapshot;
  snapshot.set_driver_id(subscribe.driver_id());
  snapshot.set_subscription(subscribe.subscription());
  if (!subscribe.cursor().ride_id().empty()) {
    const auto known = rides_.find(subscribe.cursor().ride_id());
    if (known == rides_.end() || known->second.sequence() < subscribe.cursor().sequence()) {
      snapshot.set_reset(true);
    } else {
      for (const auto& event : events_[known->first]) {
        if (event.sequence() > subscribe.cursor().sequence()) *snapshot.add_missed() = event;
      }
    }
  }
  for (const auto& [id, ride] : rides_) {
    if (ride.driver().driver_id() == subscribe.driver_id() && !Final(ride.state())) *snapshot.mutable_ride() = ride;
  }
  return snapshot;
}

}  // namespace hail::testing
