#include "tests/tools/hail-load/offers.h"

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "hail/rider/v1/rider_service.grpc.pb.h"
#include "tests/tools/hail-load/authorize.h"
#include "tests/tools/hail-load/connections.h"
#include "tests/tools/hail-load/fleet_drivers.h"
#include "tests/tools/hail-load/pacer.h"
#include "tests/tools/hail-sim/calls.h"

namespace hail::load {
namespace {

using hail::driver::v1::StreamDriverResponse;
using hail::rider::v1::RequestRideRequest;
using hail::rider::v1::RequestRideResponse;
using hail::rider::v1::RiderService;
using hail::rider::v1::WatchRideRequest;
using hail::rider::v1::WatchRideResponse;

constexpr absl::Duration kDeadline = absl::Seconds(10);
constexpr absl::Duration kPreparation = absl::Minutes(2);
constexpr absl::Duration kLook = absl::Milliseconds(100);

// The times of the messages sent and received. Thread-safe.
class Log {
 public:
  struct RideTimes {
    absl::Time intended = absl::InfinitePast();
    absl::Time offered = absl::InfinitePast();
    absl::Time answered = absl::InfinitePast();
  };

  void Answered(const std::string& ride_id, absl::Time intended, absl::Time at) {
    absl::MutexLock lock(&mutex_);
    rides_[ride_id].intended = intended;
    rides_[ride_id].answered = at;
  }
  void Failed() {
    absl::MutexLock lock(&mutex_);
    ++failed_;
  }
  void Offered(const std::string& ride_id, absl::Time at) {
    absl::MutexLock lock(&mutex_);
    RideTimes& ride = rides_[ride_id];
    if (ride.offered == absl::InfinitePast()) ride.offered = at;
  }
  // Only for watched drivers.
  void Positioned(const std::string& driver_id, std::uint64_t seq, absl::Time at) {
    absl::MutexLock lock(&mutex_);
    if (const auto driver = positions_.find(driver_id); driver != positions_.end()) driver->second[seq] = at;
  }
  void Watch(const std::string& driver_id) {
    absl::MutexLock lock(&mutex_);
    positions_[driver_id];
  }
  void SeenByRider(const std::string& driver_id, std::uint64_t seq, absl::Time at) {
    absl::MutexLock lock(&mutex_);
    const auto driver = positions_.find(driver_id);
    if (driver == positions_.end()) return;
    const auto sent = driver->second.find(seq);
    if (sent != driver->second.end() && counting_) position_.Add(at - sent->second);
  }
  int watched() const {
    absl::MutexLock lock(&mutex_);
    return static_cast<int>(positions_.size());
  }
  void CountFromNow() {
    absl::MutexLock lock(&mutex_);
    counting_ = true;
    from_ = absl::Now();
  }

  Offers Result() const {
    absl::MutexLock lock(&mutex_);
    Offers offers;
    offers.position = position_;
    offers.failed = failed_;
    for (const auto& [ride_id, ride] : rides_) {
      if (ride.intended < from_) continue;
      offers.answer.Add(ride.answered - ride.intended);
      if (ride.offered == absl::InfinitePast()) {
        ++offers.without_offer;
      } else {
        offers.offer.Add(ride.offered - ride.intended);
      }
    }
    return offers;
  }

 private:
  mutable absl::Mutex mutex_;
  absl::flat_hash_map<std::string, RideTimes> rides_ ABSL_GUARDED_BY(mutex_);
  // Send times: driver → position_seq → time.
  absl::flat_hash_map<std::string, absl::flat_hash_map<std::uint64_t, absl::Time>> positions_ ABSL_GUARDED_BY(mutex_);
  Histogram position_ ABSL_GUARDED_BY(mutex_);
  std::int64_t failed_ ABSL_GUARDED_BY(mutex_) = 0;
  bool counting_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time from_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
};

// A rider's view of a ride under way. Outlives its stream.
class Watcher final : public grpc::ClientReadReactor<WatchRideResponse> {
 public:
  Watcher(Log* log, sim::CallsInFlight* in_flight, RiderService::Stub& stub, const std::string& rider_id,
          const std::string& ride_id)
      : log_(log), in_flight_(in_flight) {
    request_.set_rider_id(rider_id);
    request_.set_ride_id(ride_id);
    in_flight_->Begin();
    AuthorizeRider(&context_, request_.rider_id());
    stub.async()->WatchRide(&context_, &request_, this);
    StartRead(&message_);
    StartCall();
  }
  void Cancel() { context_.TryCancel(); }

  void OnReadDone(bool ok) override {
    const absl::Time at = absl::Now();
    if (!ok) return;
    const hail::type::v1::Ride& ride = message_.has_event() ? message_.event().ride() : message_.snapshot();
    if (driver_id_.empty() && ride.has_driver()) {
      driver_id_ = ride.driver().driver_id();
      log_->Watch(driver_id_);
    }
    if (message_.has_telemetry()) {
      log_->SeenByRider(driver_id_, message_.telemetry().position().position_seq(), at);
    }
    StartRead(&message_);
  }
  void OnDone(const grpc::Status&) override { in_flight_->End(); }

 private:
  Log* const log_;
  sim::CallsInFlight* const in_flight_;
  grpc::ClientContext context_;
  WatchRideRequest request_;
  WatchRideResponse message_;
  std::string driver_id_;
};

class Riders {
 public:
  Riders(const std::string& address, std::string run_id, Log* log)
      : run_id_(std::move(run_id)), log_(log), channels_(Connect(address, 4)) {
    for (const auto& channel : channels_) stubs_.push_back(RiderService::NewStub(channel));
  }
  ~Riders() {
    in_flight_.AwaitNone();
    {
      absl::MutexLock lock(&mutex_);
      for (const auto& watcher : watchers_) watcher->Cancel();
    }
    watches_.AwaitNone();
  }

  void Request(absl::Time intended, bool watch) {
    const std::uint64_t number = next_++;
    RiderService::Stub* const stub = stubs_[number % stubs_.size()].get();
    sim::StartUnary<RequestRideRequest, RequestRideResponse>(
        [stub](auto* context, auto* request, auto* response, auto done) {
          AuthorizeRider(context, request->rider_id());
          stub->async()->RequestRide(context, request, response, std::move(done));
        },
        FleetRequest(run_id_, number), kDeadline,
        [this, stub, intended, watch](absl::Time at, const grpc::Status& status, const RequestRideResponse& response) {
          if (!status.ok()) return log_->Failed();
          log_->Answered(response.ride().ride_id(), intended, at);
          if (!watch) return;
          absl::MutexLock lock(&mutex_);
          watchers_.push_back(
              std::make_unique<Watcher>(log_, &watches_, *stub, response.ride().rider_id(), response.ride().ride_id()));
        },
        &in_flight_);
  }

 private:
  const std::string run_id_;
  Log* const log_;
  const std::vector<std::shared_ptr<grpc::Channel>> channels_;
  std::vector<std::unique_ptr<RiderService::Stub>> stubs_;
  std::uint64_t next_ = 0;
  absl::Mutex mutex_;
  std::vector<std::unique_ptr<Watcher>> watchers_ ABSL_GUARDED_BY(mutex_);
  sim::CallsInFlight in_flight_;
  sim::CallsInFlight watches_;
};

bool Await(const std::function<bool()>& wanted) {
  const absl::Time give_up = absl::Now() + kPreparation;
  while (!wanted()) {
    if (absl::Now() > give_up) return false;
    absl::SleepFor(kLook);
  }
  return true;
}

}  // namespace

absl::StatusOr<Offers> MeasureOffers(const OffersPlan& plan) {
  const std::string run_id = absl::StrCat("offers-", absl::ToUnixMillis(absl::Now()));
  Log log;
  Fleet fleet({plan.driver_address, plan.drivers, plan.connections, plan.beat}, run_id);
  fleet.OnLoop([&log](FleetState& state) {
    state.on_message = [&log](absl::Time at, const StreamDriverResponse& message) {
      if (message.has_offer()) log.Offered(message.offer().ride_id(), at);
    };
    state.positioned = [&log](const std::string& driver_id, std::uint64_t seq) {
      log.Positioned(driver_id, seq, absl::Now());
    };
  });
  Riders riders(plan.rider_address, run_id, &log);
  if (absl::Status status = fleet.Register(); !status.ok()) return status;
  fleet.OpenAll(absl::Seconds(plan.drivers / 1000.0));
  if (!Await([&] { return fleet.CaughtUp() == plan.drivers; })) {
    return absl::UnavailableError("the drivers did not get online");
  }
  absl::FPrintF(stderr, "%d drivers online\n", plan.drivers);
  SendPaced(absl::Now(), 40, absl::Seconds(plan.watched / 40.0), [&](absl::Time at) { riders.Request(at, true); });
  if (!Await([&] { return log.watched() == plan.watched; })) {
    return absl::UnavailableError("the rides to be watched did not get drivers");
  }
  fleet.OnLoop([](FleetState& state) { state.complete_at_once = true; });
  const auto send = [&](absl::Duration length) {
    SendPaced(absl::Now(), plan.rate, length, [&](absl::Time at) { riders.Request(at, false); });
  };
  send(plan.warm_up);
  log.CountFromNow();
  send(plan.length);
  // The last messages are in flight.
  absl::SleepFor(absl::Seconds(1));
  return log.Result();
}

}  // namespace hail::load
