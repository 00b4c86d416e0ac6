#include "driver-service/api/driver_server.h"

#include <utility>

#include "common/geo/position_order.h"
#include "common/rpc/forwarding.h"

namespace hail::driver {

DriverServer::DriverServer(Ports ports, const Options& options)
    : ports_(std::move(ports)),
      index_(ports_.clock->scale().ToDomain(kArrivalJitter)),
      car_search_(index_, options.dispatch.position_freshness, options.dispatch.radius_max_m),
      dispatch_({.clock = *ports_.clock,
                 .index = index_,
                 .travel_times = *ports_.travel_times,
                 .matcher = matcher_,
                 .store = *ports_.store,
                 .loop = *ports_.dispatch_loop,
                 .random = ports_.random,
                 .replica = options.incarnation_id},
                options.dispatch),
      sightings_(index_),
      replicas_(ports_.bus == nullptr ? nullptr
                                      : std::make_unique<Replicas>(Replicas::Parts{.bus = *ports_.bus,
                                                                                   .clock = *ports_.clock,
                                                                                   .host = dispatch_,
                                                                                   .store = *ports_.store,
                                                                                   .sightings = sightings_,
                                                                                   .replica = options.incarnation_id})),
      trips_(*ports_.travel_times),
      peer_(*ports_.clock, dispatch_, trips_, *ports_.rider, ports_.rider_streams),
      positions_(*ports_.clock, index_, trips_, ports_.bus == nullptr ? nullptr : &sightings_),
      commands_(*ports_.clock, dispatch_, *ports_.store, positions_, *ports_.rider),
      session_calls_(&dispatch_),
      driver_service_(&commands_, &session_calls_),
      dispatch_service_(
          {.clock = ports_.clock, .host = &dispatch_, .search = &car_search_, .travel_times = ports_.travel_times}) {}

void DriverServer::Start(std::function<void()> ready) {
  dispatch_.Start(peer_, ports_.on_offer_settled, replicas_.get());
  peer_.Start();
  if (replicas_ == nullptr) return ready();
  session_calls_.Join(ports_.bus, [this](const std::string& method, const std::string& request, absl::Time deadline,
                                         const Done<std::string>& done) {
    rpc::ServeForwarded(driver_service_, method, request, deadline, done);
  });
  replicas_->Start(std::move(ready));
}

void DriverServer::Stop() {
  session_calls_.Leave();
  if (replicas_ != nullptr) replicas_->Stop();
  peer_.Stop();
}

DriverServer::Stats DriverServer::stats() const {
  return {.dispatch = dispatch_.counts(),
          .queue = dispatch_.depth(),
          .offerable = index_.offerable_count(),
          .fixes_given_up = index_.given_up_count(),
          .rider_feed_up = peer_.up()};
}

}  // namespace hail::driver
