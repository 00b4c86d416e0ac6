// Many RequestRide calls, each of a different rider; or QuoteRide calls of a number of riders.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/exec/loop.h"
#include "grpcpp/channel.h"
#include "hail/rider/v1/rider_service.grpc.pb.h"
#include "tests/tools/hail-load/histogram.h"
#include "tests/tools/hail-load/pacer.h"
#include "tests/tools/hail-load/timeline.h"
#include "tests/tools/hail-sim/inbox.h"

namespace hail::load {

// The results of a closed loop.
struct Answers {
  // Rides or quotes a second.
  double per_second = 0;
  // Calls without one.
  std::int64_t failed = 0;
  Histogram took;
};

// Pickups and drop-offs are spread over San Francisco. Not thread-safe.
class RequestLoad {
 public:
  // `run_id` keeps riders of different runs apart. Each call has the deadline `deadline`. `quoting`: 0: RequestRide;
  // otherwise so many riders call QuoteRide in turn, each with the same token all the time, as apps do.
  RequestLoad(const std::string& rider_address, int connections, std::string run_id, absl::Duration deadline,
              int quoting = 0);
  // Waits for calls in flight.
  ~RequestLoad();
  RequestLoad(const RequestLoad&) = delete;
  RequestLoad& operator=(const RequestLoad&) = delete;

  // Each of `callers` makes one call at a time, for `length` after `warm_up`; after a failed call it waits a moment.
  Answers ClosedLoop(int callers, absl::Duration warm_up, absl::Duration length);
  // `calls` calls, each `apart` after the one before; measures their durations.
  Answers Spaced(int calls, absl::Duration apart);
  // `rate` calls a second, independent of the answers. The calls of `length` after `warm_up` count, from their intended
  // send times.
  Answers AtRate(double rate, absl::Duration warm_up, absl::Duration length);
  // The same, but all of `length` counts; recorded in `timeline`, which must outlive this object.
  Paced OpenLoop(double rate, absl::Duration length, Timeline& timeline);

 private:
  using Done = std::function<void(absl::Time, const grpc::Status&)>;
  void Send(Done done);
  // Fills in product and places, and makes the call `method` of a stub's async interface.
  template <typename Request, typename Response, typename Method>
  void Start(std::uint64_t number, Request request, Method method, Done done);

  const std::string run_id_;
  const absl::Duration deadline_;
  const std::uint64_t quoting_;
  const std::vector<std::shared_ptr<grpc::Channel>> channels_;
  std::vector<std::unique_ptr<hail::rider::v1::RiderService::Stub>> stubs_;
  std::atomic<std::uint64_t> next_ = 0;
  sim::CallsInFlight in_flight_;
  Loop loop_{"callers"};
};

}  // namespace hail::load
