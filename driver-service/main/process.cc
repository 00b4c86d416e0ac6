#include "driver-service/main/process.h"

#include <array>
#include <memory>
#include <utility>

#include "absl/synchronization/notification.h"
#include "common/auth/caller.h"
#include "common/bus/nats_bus.h"
#include "common/exec/loop.h"
#include "common/ids/uuid.h"
#include "common/logging/log.h"
#include "common/metrics/exposer.h"
#include "common/metrics/metrics.h"
#include "common/rpc/gate.h"
#include "common/rpc/service.h"
#include "common/service/await_store.h"
#include "common/service/call_metrics.h"
#include "common/service/data_dir.h"
#include "common/service/limit_metrics.h"
#include "common/service/process_metrics.h"
#include "common/service/serve.h"
#include "common/service/service_security.h"
#include "common/service/store_metrics.h"
#include "driver-service/api/driver_server.h"
#include "driver-service/api/privacy_service.h"
#include "driver-service/api/rider_client.h"
#include "driver-service/domain/road_travel_times.h"
#include "driver-service/main/offer_metrics.h"
#include "driver-service/main/retention.h"
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

// The gauges that are read at each scrape.
class Gauges {
 public:
  explicit Gauges(metrics::Registry* registry)
      : drivers_(registry->Gauges("drivers", "Drivers with a session, by status.")),
        streams_(registry->Gauges("driver_streams", "Drivers with an open stream.").Of()),
        offerable_(
            registry->Gauges("drivers_offerable", "Drivers who can be found for a ride, or have an offer.").Of()),
        rides_(registry->Gauges("dispatch_rides", "Rides that wait for a driver.").Of()),
        offers_(registry->Gauges("offers_live", "Offers without an outcome, by status.")),
        feed_up_(registry->Gauges("rider_feed_up", "1 while the feed from rider-service is open.").Of()),
        queues_(registry->Gauges("queue_depth", "Waiting jobs, by queue.")),
        records_lost_(
            registry->Gauges("offer_records_lost", "Settled offers lost before the log, since the start.").Of()) {}

  void Set(const DriverServer::Stats& stats, const DriverDatabase& store) {
    constexpr std::array kStatusNames = {"OFFLINE", "AVAILABLE", "OFFERED", "RESERVED", "ON_TRIP"};
    const DispatchCounts& counts = stats.dispatch;
    for (std::size_t i = 0; i < kStatusNames.size(); ++i)
      drivers_.Of({{"status", kStatusNames[i]}}).Set(counts.drivers[i]);
    streams_.Set(counts.streams);
    offerable_.Set(static_cast<double>(stats.on_map));
    rides_.Set(counts.rides);
    offers_.Of({{"status", "PENDING"}}).Set(counts.offers_pending);
    offers_.Of({{"status", "CONFIRMING"}}).Set(counts.offers_confirming);
    feed_up_.Set(stats.rider_feed_up ? 1 : 0);
    queues_.Of({{"queue", "dispatch"}}).Set(static_cast<double>(stats.queue));
    queues_.Of({{"queue", "store"}}).Set(static_cast<double>(store.depth()));
    records_lost_.Set(static_cast<double>(store.lost_records()));
  }

 private:
  const metrics::GaugeFamily drivers_;
  const metrics::Gauge streams_;
  const metrics::Gauge offerable_;
  const metrics::Gauge rides_;
  const metrics::GaugeFamily offers_;
  const metrics::Gauge feed_up_;
  const metrics::GaugeFamily queues_;
  const metrics::Gauge records_lost_;
};

}  // namespace

int RunDriverService(const DriverOptions& options, const std::string& port_file) {
  const SystemClock clock(options.service.time_scale);
  metrics::Registry registry("hail_driver");
  CallMetrics call_metrics(&registry);
  StoreMetrics store_metrics(&registry, &clock);
  OfferMetrics offer_metrics(&registry);

  const auto security =
      ServiceSecurity::Start(options.service, "driver-service", auth::Role::kRiderService, &clock, &registry);
  if (security == nullptr) return 1;
  std::unique_ptr<DriverDatabase> database;
  const auto open = [&] { return OpenDatabase(options, &clock, &store_metrics, &database); };
  // A file that cannot be used will not recover, so only a database is awaited.
  const absl::Status opened =
      options.service.store_database ? AwaitStore(options.service, security->tls(), open) : open();
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
    auto made = MakeNatsBus({.url = options.service.nats_url,
                             .files = options.service.nats_files,
                             .prefix = kBusSubject,
                             .name = "driver-service"});
    if (!made.ok()) return FailedToStart("bus_not_made", made.status());
    bus = *std::move(made);
  }
  const std::string incarnation_id = UuidV7(clock.Read().wall, SystemRandom());
  // Its thread uses the objects between here and its Stop below.
  Loop loop("dispatch");
  RiderClient rider(RiderChannel(options.rider_service, security->ToPeer()), &loop, &clock);
  DriverServer server(
      {.store = &store,
       .bus = bus.get(),
       .clock = &clock,
       .random = SystemRandom(),
       .dispatch_loop = &loop,
       .travel_times = &travel_times,
       .rider = &rider,
       .on_offer_settled = [&](const OfferRecord& record) { offer_metrics.OnSettled(record); }},
      {.dispatch = options.dispatch, .incarnation_id = incarnation_id, .drivers_register = options.drivers_register});

  rpc::Gate gate(&clock, security->Limited({.stream_age = options.service.connection_age}), &call_metrics);
  rpc::GrpcService<DriverService> driver_service(&gate, server.driver_service(), security->public_callers());
  rpc::GrpcService<DispatchService> dispatch_service(&gate, server.dispatch_service(), security->internal_callers());
  PrivacyService privacy({.host = server.dispatch(), .rider = &rider, .drivers = &store, .persons = &store});
  rpc::GrpcService<PrivacyService> privacy_service(&gate, &privacy, security->internal_callers());

  Retention retention(&store, &clock, options.keep_offers, &registry);
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

  const ProcessMetrics process_metrics(&registry, &gate, bus.get());
  const LimitMetrics limit_metrics(&registry, &gate, security->audit_log());
  Gauges gauges(&registry);
  const auto refresh = registry.BeforeScrape([&] { gauges.Set(server.stats(), store); });
  auto exposer = metrics::Exposer::Start(options.service.metrics_listen, registry);
  if (!exposer.ok()) return FailedToStart("metrics_not_served", exposer.status());

  absl::Notification ready;
  server.Start([&] { ready.Notify(); });
  ready.WaitForNotification();
  if (options.keep_offers > absl::ZeroDuration()) retention.Start(&housekeeping);
  if (bus != nullptr) Log(LogLevel::kInfo, "replica_joined", {{"replica", incarnation_id}});
  const int exit_code = Serve(options.service, &gate,
                              {.tls = security->tls(),
                               .public_services = {&driver_service},
                               .internal_services = {&dispatch_service, &privacy_service},
                               .healthy = [&] { return store_metrics.Healthy() && security->ready(); },
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
