#include "driver-service/main/process.h"

#include <array>
#include <memory>
#include <utility>

#include "absl/synchronization/notification.h"
#include "common/bus/nats_bus.h"
#include "common/exec/loop.h"
#include "common/ids/uuid.h"
#include "common/logging/log.h"
#include "common/metrics/exposer.h"
#include "common/metrics/metrics.h"
#include "common/rpc/gate.h"
#include "common/rpc/service.h"
#include "common/service/await_store.h"
#include "common/service/bus_metrics.h"
#include "common/service/call_metrics.h"
#include "common/service/data_dir.h"
#include "common/service/serve.h"
#include "common/service/store_metrics.h"
#include "driver-service/api/driver_server.h"
#include "driver-service/api/rider_client.h"
#include "driver-service/domain/road_travel_times.h"
#include "driver-service/main/offer_metrics.h"
#include "driver-service/roads/road_files.h"
#include "driver-service/storage/postgres_driver_store.h"
#include "driver-service/storage/sqlite_driver_store.h"

namespace hail::driver {
namespace {

// NATS subjects of driver-service's replicas start with this (docs/operations.md).
constexpr char kBusSubject[] = "hail.driver";

// Wall time.
constexpr absl::Duration kProbeEvery = absl::Seconds(2);

// UNAVAILABLE while the store cannot be reached.
absl::Status OpenDatabase(const DriverOptions& options, const Clock* clock, StoreMetrics* metrics,
                          std::unique_ptr<DriverDatabase>* database) {
  if (options.service.store_database) {
    auto opened = PostgresDriverStore::Open(*options.service.store_database, {}, clock, metrics);
    if (opened.ok()) *database = *std::move(opened);
    return opened.status();
  }
  if (absl::Status status = KeepDataPrivate(options.service); !status.ok()) return status;
  auto opened = SqliteDriverStore::Open({.path = options.service.store_path}, clock, metrics);
  if (opened.ok()) *database = *std::move(opened);
  return opened.status();
}

}  // namespace

int RunDriverService(const DriverOptions& options, const std::string& port_file) {
  const SystemClock clock(options.service.time_scale);
  metrics::Registry registry("hail_driver");
  CallMetrics call_metrics(&registry);
  StoreMetrics store_metrics(&registry, &clock);
  OfferMetrics offer_metrics(&registry);

  std::unique_ptr<DriverDatabase> database;
  const auto open = [&] { return OpenDatabase(options, &clock, &store_metrics, &database); };
  // A file that cannot be used will not recover, so only a database is awaited.
  const absl::Status opened = options.service.store_database ? AwaitStore(options.service, open) : open();
  if (absl::IsCancelled(opened)) return 0;
  if (!opened.ok()) return FailedToStart("store_not_opened", opened);
  DriverDatabase& store = *database;

  auto graphs = ReadRoadGraphs(options.road_graphs);
  if (!graphs.ok()) return FailedToStart("road_graphs_not_read", graphs.status());
  for (const RoadGraph& graph : *graphs) {
    Log(LogLevel::kInfo, "road_graph_read", {{"nodes", graph.node_count()}, {"edges", graph.edge_count()}});
  }
  // Without graphs, these are the straight line's times.
  const RoadTravelTimes travel_times(*std::move(graphs));
  std::unique_ptr<NatsBus> bus;
  if (!options.service.nats_url.empty()) {
    auto made = MakeNatsBus({.url = options.service.nats_url, .prefix = kBusSubject, .name = "driver-service"});
    if (!made.ok()) return FailedToStart("bus_not_made", made.status());
    bus = *std::move(made);
  }
  const std::string incarnation_id = UuidV7(clock.Read().wall, SystemRandom());
  // Its thread uses the objects between here and its Stop below.
  Loop loop("dispatch");
  RiderClient rider(RiderChannel(options.rider_service), &loop, &clock);
  DriverServer server({.store = &store,
                       .bus = bus.get(),
                       .clock = &clock,
                       .random = SystemRandom(),
                       .dispatch_loop = &loop,
                       .travel_times = &travel_times,
                       .rider = &rider,
                       .on_offer_settled = [&](const OfferRecord& record) { offer_metrics.OnSettled(record); }},
                      {.dispatch = options.dispatch, .incarnation_id = incarnation_id});

  rpc::Gate gate(&clock, {.stream_age = options.service.connection_age}, &call_metrics);
  rpc::GrpcService<DriverService> driver_service(&gate, server.driver_service());
  rpc::GrpcService<DispatchService> dispatch_service(&gate, server.dispatch_service());

  Loop housekeeping("housekeeping");
  housekeeping.Every(kProbeEvery, [&] {
    // No driver has this id: only the store's answer counts.
    store.Get("", [&](const absl::StatusOr<StoredDriver>& stored) {
      store_metrics.OnProbe(absl::IsNotFound(stored.status()) ? absl::OkStatus() : stored.status());
    });
    if (store_metrics.BeginWriteProbe()) {
      store.ProbeWrite([&](const absl::Status& status) { store_metrics.OnWriteProbe(status); });
    }
  });

  const metrics::GaugeFamily drivers = registry.Gauges("drivers", "Drivers with a session, by status.");
  const metrics::Gauge driver_streams = registry.Gauges("driver_streams", "Drivers with an open stream.").Of();
  const metrics::Gauge offerable = registry.Gauges("drivers_offerable", "Drivers who can be found for a ride.").Of();
  const metrics::Gauge rides = registry.Gauges("dispatch_rides", "Rides a driver is looked for.").Of();
  const metrics::GaugeFamily live_offers = registry.Gauges("offers_live", "Offers without an outcome, by status.");
  const metrics::Gauge feed_up = registry.Gauges("rider_feed_up", "1 while the feed from rider-service is open.").Of();
  const metrics::GaugeFamily queues = registry.Gauges("queue_depth", "What waits, by queue.");
  const metrics::Gauge calls_in_flight = registry.Gauges("calls_in_flight", "Unary calls in flight.").Of();
  const metrics::Gauge records_lost =
      registry.Gauges("offer_records_lost", "Settled offers that did not get into the log, since the start.").Of();
  const BusMetrics bus_metrics(&registry, bus.get());
  const metrics::Gauge dropped = registry.Gauges("log_lines_dropped", "Log lines dropped since the start.").Of();
  const auto refresh = registry.BeforeScrape([&] {
    constexpr std::array kStatusNames = {"OFFLINE", "AVAILABLE", "OFFERED", "RESERVED", "ON_TRIP"};
    const DriverServer::Stats stats = server.stats();
    const DispatchCounts& counts = stats.dispatch;
    for (std::size_t i = 0; i < kStatusNames.size(); ++i)
      drivers.Of({{"status", kStatusNames[i]}}).Set(counts.drivers[i]);
    driver_streams.Set(counts.streams);
    offerable.Set(static_cast<double>(stats.offerable));
    rides.Set(counts.rides);
    live_offers.Of({{"status", "PENDING"}}).Set(counts.offers_pending);
    live_offers.Of({{"status", "CONFIRMING"}}).Set(counts.offers_confirming);
    feed_up.Set(stats.rider_feed_up ? 1 : 0);
    queues.Of({{"queue", "dispatch"}}).Set(static_cast<double>(stats.queue));
    queues.Of({{"queue", "store"}}).Set(static_cast<double>(store.depth()));
    records_lost.Set(static_cast<double>(store.lost_records()));
    calls_in_flight.Set(static_cast<double>(gate.unary_in_flight()));
    dropped.Set(static_cast<double>(LogLinesDropped()));
  });
  auto exposer = metrics::Exposer::Start(options.service.metrics_listen, registry);
  if (!exposer.ok()) return FailedToStart("metrics_not_served", exposer.status());

  absl::Notification ready;
  server.Start([&] { ready.Notify(); });
  ready.WaitForNotification();
  if (bus != nullptr) Log(LogLevel::kInfo, "replica_joined", {{"replica", incarnation_id}});
  const int exit_code = Serve(options.service, &gate,
                              {.public_services = {&driver_service},
                               .internal_services = {&dispatch_service},
                               .healthy = [&] { return store_metrics.Healthy(); },
                               .port_file = port_file,
                               .metrics_port = (*exposer)->port()});
  // No handler runs any more. Callers stop before the objects that they call.
  housekeeping.Stop();
  server.Stop();
  rider.Stop();
  loop.Stop();
  store.Stop();
  Log(LogLevel::kInfo, "stopped");
  return exit_code;
}

}  // namespace hail::driver
