#include "tests/tools/hail-load/watch_load.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
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

using hail::rider::v1::CancelRideRequest;
using hail::rider::v1::CancelRideResponse;
using hail::rider::v1::RequestRideRequest;
using hail::rider::v1::RequestRideResponse;
using hail::rider::v1::RiderService;
using hail::rider::v1::WatchRideRequest;
using hail::rider::v1::WatchRideResponse;

constexpr absl::Duration kDeadline = absl::Seconds(10);
constexpr absl::Duration kPreparation = absl::Minutes(2);
constexpr double kRequestsPerSecond = 1000;
constexpr double kOpeningsPerSecond = 2000;

// The state of all watches. Thread-safe.
class Tally {
 public:
  struct Counts {
    int requested = 0;
    int open = 0;
  };

  void Count(int Counts::*what) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    ++(counts_.*what);
  }
  // `what` ended in an error before its time.
  void Failed(const char* what, const grpc::Status& status) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    failure_ = absl::UnavailableError(
        absl::StrCat(what, ": code ", static_cast<int>(status.error_code()), ", ", status.error_message()));
  }
  void Arrived(absl::Duration took) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    arrival_.Add(took);
  }

  // Waits until `what` happened `wanted` times. UNAVAILABLE if something failed, or not enough happened in time.
  absl::Status Await(int Counts::*what, int wanted) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    const auto settled = [this, what, wanted] {
      mutex_.AssertReaderHeld();
      return !failure_.ok() || counts_.*what >= wanted;
    };
    if (mutex_.AwaitWithTimeout(absl::Condition(&settled), kPreparation)) return failure_;
    return absl::UnavailableError(absl::StrCat("only ", counts_.*what, " of ", wanted, " rides were ready in time"));
  }
  // The arrivals, once there are `wanted` or the deadline of a call is over.
  absl::StatusOr<Histogram> AwaitArrivals(int wanted) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    const auto settled = [this, wanted] {
      mutex_.AssertReaderHeld();
      return !failure_.ok() || arrival_.count() >= wanted;
    };
    mutex_.AwaitWithTimeout(absl::Condition(&settled), kDeadline);
    if (!failure_.ok()) return failure_;
    return arrival_;
  }

 private:
  absl::Mutex mutex_;
  Counts counts_ ABSL_GUARDED_BY(mutex_);
  // The last one.
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  Histogram arrival_ ABSL_GUARDED_BY(mutex_);
};

// A rider, the ride, and its watch. Outlives its calls.
class Rider final : public grpc::ClientReadReactor<WatchRideResponse> {
 public:
  Rider(RiderService::Stub* stub, const std::string& run_id, std::uint64_t number, Tally* tally,
        sim::CallsInFlight* in_flight)
      : stub_(stub), tally_(tally), in_flight_(in_flight), request_(FleetRequest(run_id, number)) {}

  void Request() {
    sim::StartUnary<RequestRideRequest, RequestRideResponse>(
        [this](auto* context, auto* request, auto* response, auto done) {
          Authorize(context);
          stub_->async()->RequestRide(context, request, response, std::move(done));
        },
        request_, kDeadline,
        [this](absl::Time, const grpc::Status& status, const RequestRideResponse& response) {
          if (!status.ok()) return tally_->Failed("RequestRide", status);
          watch_.set_ride_id(response.ride().ride_id());
          tally_->Count(&Tally::Counts::requested);
        },
        in_flight_);
  }

  // After Request.
  void Open() {
    watch_.set_rider_id(request_.rider_id());
    Authorize(&context_);
    in_flight_->Begin();
    stub_->async()->WatchRide(&context_, &watch_, this);
    StartRead(&message_);
    StartCall();
  }
  void Close() { context_.TryCancel(); }

  // Cancels the ride. Its event counts from `intended`.
  void Cancel(absl::Time intended) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      canceled_ = intended;
    }
    CancelRideRequest request;
    request.set_rider_id(watch_.rider_id());
    request.set_ride_id(watch_.ride_id());
    sim::StartUnary<CancelRideRequest, CancelRideResponse>(
        [this](auto* context, auto* request, auto* response, auto done) {
          Authorize(context);
          stub_->async()->CancelRide(context, request, response, std::move(done));
        },
        std::move(request), kDeadline,
        [this](absl::Time, const grpc::Status& status, const CancelRideResponse&) {
          if (!status.ok()) tally_->Failed("CancelRide", status);
        },
        in_flight_);
  }

  void OnReadDone(bool ok) override {
    const absl::Time at = absl::Now();
    if (!ok) return;
    if (message_.has_snapshot()) tally_->Count(&Tally::Counts::open);
    if (message_.has_event() && message_.event().ride().state() == hail::type::v1::RIDE_STATE_CANCELED) {
      absl::MutexLock lock(&mutex_);
      tally_->Arrived(at - canceled_);
    }
    StartRead(&message_);
  }
  void OnDone(const grpc::Status& status) override {
    // The watch of a ride that is over ends with OK; those that are left are closed.
    if (!status.ok() && status.error_code() != grpc::StatusCode::CANCELLED) tally_->Failed("WatchRide", status);
    in_flight_->End();
  }

 private:
  void Authorize(grpc::ClientContext* context) const { AuthorizeRider(context, request_.rider_id()); }

  RiderService::Stub* const stub_;
  Tally* const tally_;
  sim::CallsInFlight* const in_flight_;
  const RequestRideRequest request_;
  grpc::ClientContext context_;
  WatchRideRequest watch_;
  WatchRideResponse message_;
  absl::Mutex mutex_;
  absl::Time canceled_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
};

}  // namespace

absl::StatusOr<Watches> MeasureWatches(const WatchPlan& plan) {
  const std::string run_id = absl::StrCat("watches-", absl::ToUnixMillis(absl::Now()));
  const auto channels = Connect(plan.rider_address, plan.connections);
  std::vector<std::unique_ptr<RiderService::Stub>> stubs;
  for (const auto& channel : channels) stubs.push_back(RiderService::NewStub(channel));
  Tally tally;
  sim::CallsInFlight in_flight;
  std::vector<std::unique_ptr<Rider>> riders;
  for (int i = 0; i < plan.watches; ++i) {
    riders.push_back(std::make_unique<Rider>(stubs[i % stubs.size()].get(), run_id, i, &tally, &in_flight));
  }
  const auto each = [&](double rate, int count, const std::function<void(Rider&, absl::Time)>& act) {
    int next = 0;
    SendPaced(absl::Now(), rate, absl::Seconds(count / rate), [&](absl::Time at) { act(*riders[next++], at); });
  };
  const auto memory = [&] {
    std::vector<double> kib;
    for (const WatchedProcess& process : plan.processes) kib.push_back(1024 * RssMib(process.pid));
    return kib;
  };
  const auto run = [&]() -> absl::StatusOr<Watches> {
    each(kRequestsPerSecond, plan.watches, [](Rider& rider, absl::Time) { rider.Request(); });
    if (absl::Status status = tally.Await(&Tally::Counts::requested, plan.watches); !status.ok()) return status;
    const std::vector<double> before = memory();
    each(kOpeningsPerSecond, plan.watches, [](Rider& rider, absl::Time) { rider.Open(); });
    if (absl::Status status = tally.Await(&Tally::Counts::open, plan.watches); !status.ok()) return status;
    absl::FPrintF(stderr, "%d watches open\n", plan.watches);
    Watches watches;
    watches.kib_per_watch = memory();
    for (std::size_t i = 0; i < before.size(); ++i) {
      watches.kib_per_watch[i] = (watches.kib_per_watch[i] - before[i]) / plan.watches;
    }
    const int cancels = std::min(plan.watches, static_cast<int>(plan.rate * absl::ToDoubleSeconds(plan.length)));
    each(plan.rate, cancels, [](Rider& rider, absl::Time at) { rider.Cancel(at); });
    absl::StatusOr<Histogram> arrival = tally.AwaitArrivals(cancels);
    if (!arrival.ok()) return arrival.status();
    watches.arrival = *std::move(arrival);
    watches.missing = cancels - watches.arrival.count();
    return watches;
  };
  absl::StatusOr<Watches> watches = run();
  for (const auto& rider : riders) rider->Close();
  in_flight.AwaitNone();
  return watches;
}

}  // namespace hail::load
