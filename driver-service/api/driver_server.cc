#include "driver-service/api/driver_server.h"

#include <utility>

#include "common/geo/position_order.h"
#include "common/rpc/forwarding.h"

namespace hail::driver {

DriverServer::DriverServer(Ports ports, const Options& options)
    : ports_(std::move(ports)),
      index_(ports_.clock->scale().ToDomain(kArrivalJitter)),
      car_search_(index_, options.dispatch.position_freshness, options.dispatch.radius_max_m),
      presences_(index_),
      trips_(*ports_.travel_times),
      dispatch_({.clock = *ports_.clock,
                 .index = index_,
                 .travel_times = *ports_.travel_times,
                 .matcher = matcher_,
                 .store = *ports_.store,
                 .rider = *ports_.rider,
                 .trips = trips_,
                 .presences = ports_.bus == nullptr ? nullptr : &presences_,
                 .loop = *ports_.dispatch_loop,
                 .random = ports_.random,
                 .replica = options.incarnation_id},
                options.dispatch),
      replicas_(ports_.bus == nullptr ? nullptr
                                      : std::make_unique<Replicas>(Replicas::Parts{.bus = *ports_.bus,
                                                                                   .clock = *ports_.clock,
                                                                                   .host = dispatch_,
                                                                                   .store = *ports_.store,
                                                                                   .presences = presences_,
                                                                                   .replica = options.incarnation_id})),
      reporter_(*ports_.clock, *ports_.dispatch_loop, trips_, *ports_.rider),
      positions_(*ports_.clock, index_, trips_, ports_.bus == nullptr ? nullptr : &presences_),
      commands_(*ports_.clock, dispatch_, *ports_.store, positions_, *ports_.rider),
      session_calls_(&dispatch_),
      driver_service_(&commands_, &session_calls_, options.drivers_register),
      dispatch_service_(
          {.clock = ports_.clock, .host = &dispatch_, .search = &car_search_, .travel_times = ports_.travel_times}) {}

void DriverServer::Start(std::function<void()> ready) {
  dispatch_.Start(ports_.on_offer_settled, replicas_.get());
  reporter_.Start();
  if (replicas_ == nullptr) return ready();
  session_calls_.Join(ports_.bus, [this](const std::string& method, const std::string& request,
                                         const rpc::CallContext& call, const Done<std::string>& done) {
    rpc::ServeForwarded(driver_service_, method, request, call, done);
  });
  replicas_->Start(std::move(ready));
}

void DriverServer::Stop() {
  session_calls_.Leave();
  if (replicas_ != nullptr) replicas_->Stop();
  dispatch_.Stop();
  reporter_.Stop();
}

DriverServer::Stats DriverServer::stats() const {
  return {.dispatch = dispatch_.counts(),
          .queue = dispatch_.depth(),
          .on_map = index_.on_map_count(),
          .fixes_given_up = index_.given_up_count(),
          .rider_feed_up = dispatch_.feed_up()};
}

}  // namespace hail::driver
