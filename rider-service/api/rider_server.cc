#include "rider-service/api/rider_server.h"

#include <utility>

#include "common/geo/position_order.h"
#include "rider-service/api/driver_streams.h"

namespace hail::rider {
namespace {

// Wall time. Interval for dropping positions without use: the ride has ended, or the driver has been gone for long.
constexpr absl::Duration kDropEvery = absl::Seconds(2);
constexpr absl::Duration kKeepFix = absl::Minutes(10);

}  // namespace

RiderServer::RiderServer(Ports ports, Options options)
    : ports_(std::move(ports)),
      feed_check_(options.feed_check),
      replicas_(options.replicas),
      quoter_(options.regions, std::move(options.quote_key), ports_.random, options.quote_valid_for),
      telemetry_(ports_.clock->scale().ToDomain(kArrivalJitter), ports_.clock->Read().domain),
      checks_(ports_.store),
      link_({.store = ports_.store,
             .bus = ports_.bus,
             .codec = &codec_,
             .clock = ports_.clock,
             .loop = ports_.dispatch_loop,
             .incarnation_id = std::move(options.incarnation_id)},
            options.rules),
      rides_({.store = ports_.store,
              .bus = ports_.bus,
              .codec = &codec_,
              .observer = this,
              .quoter = &quoter_,
              .random = ports_.random},
             options.rules),
      session_ports_{.store = ports_.store,
                     .bus = ports_.bus,
                     .codec = &codec_,
                     .telemetry = &telemetry_,
                     .checks = &checks_,
                     .clock = ports_.clock,
                     .housekeeping = ports_.housekeeping},
      rider_service_({.rides = &rides_, .quoter = &quoter_, .search = ports_.search, .session = session_ports_}),
      assignment_service_({.rides = &rides_, .session = session_ports_}) {}

void RiderServer::Start() {
  ports_.housekeeping->Every(feed_check_, [this] { checks_.Check(); });
  ports_.housekeeping->Every(kDropEvery, [this] { telemetry_.DropOlderThan(ports_.clock->Read().wall - kKeepFix); });
  link_.Start(&rides_, ports_.dispatch_links);
  if (replicas_) positions_ = SubscribePositions(ports_.bus, &telemetry_, ports_.clock);
}

void RiderServer::OnCommitted(const Ride& ride, const RideEvent* event) {
  if (ports_.observer != nullptr) ports_.observer->OnCommitted(ride, event);
  link_.OnCommitted(ride, event);
}

}  // namespace hail::rider
