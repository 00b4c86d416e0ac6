#include "rider-service/main/process.h"

#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/auth/caller.h"
#include "common/bus/bus.h"
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
#include "common/time/cond_var.h"
#include "rider-service/api/commit_log.h"
#include "rider-service/api/privacy_service.h"
#include "rider-service/api/retention.h"
#include "rider-service/api/rider_server.h"
#include "rider-service/main/driver_client.h"
#include "rider-service/storage/postgres_ride_store.h"
#include "rider-service/storage/sqlite_ride_store.h"

namespace hail::rider {
namespace {

// Wall time.
constexpr absl::Duration kProbeEvery = absl::Seconds(2);
constexpr absl::Duration kEndLeaseWithin = absl::Seconds(1);

// NATS subjects of rider-service's replicas start with this (docs/operations.md).
constexpr char kBusSubject[] = "hail.rider";

// Waits for an answer of the store. Must not be called on a thread of the store.
template <typename T>
absl::StatusOr<T> Await(const std::function<void(Done<T>)>& ask) {
  absl::Notification answered;
  absl::StatusOr<T> answer = absl::UnknownError("no answer");
  ask([&](absl::StatusOr<T> result) {
    answer = std::move(result);
    answered.Notify();
  });
  answered.WaitForNotification();
  return answer;
}

// UNAVAILABLE while the store cannot be reached.
absl::Status OpenDatabase(const RiderOptions& options, const Clock* clock, StoreMetrics* metrics,
                          const std::string& incarnation_id, std::unique_ptr<RideDatabase>* database) {
  if (options.service.store_database) {
    auto opened =
        PostgresRideStore::Open(*options.service.store_database, {.incarnation_id = incarnation_id}, clock, metrics);
    if (opened.ok()) *database = *std::move(opened);
    return opened.status();
  }
  if (absl::Status status = KeepDataPrivate(options.service); !status.ok()) return status;
  auto opened =
      SqliteRideStore::Open({.path = options.service.store_path, .readers = options.store_readers}, clock, metrics);
  if (opened.ok()) *database = *std::move(opened);
  return opened.status();
}

// The rides in each live state, as of the latest read of the store.
class CachedCounts {
 public:
  void Set(std::map<RideState, LiveRides> rides) {
    absl::MutexLock lock(&mutex_);
    rides_ = std::move(rides);
  }
  std::map<RideState, LiveRides> rides() const {
    absl::MutexLock lock(&mutex_);
    return rides_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::map<RideState, LiveRides> rides_ ABSL_GUARDED_BY(mutex_);
};

// The gauges that are read at each scrape.
class Gauges {
 public:
  explicit Gauges(metrics::Registry* registry)
      : rides_(registry->Gauges("rides", "Live rides, by state.")),
        oldest_(
            registry->Gauges("oldest_ride_seconds",
                             "Domain time since the last change of the ride that is unchanged for longest, by state.")),
        lease_held_(
            registry->Gauges("lease_held", "1 while this process owns the rides that it committed last; 0: others may.")
                .Of()),
        link_up_(registry->Gauges("dispatch_link_up", "1 while the dispatch link is up.").Of()),
        dispatching_(registry->Gauges("dispatch_rides", "Rides that the dispatch scheduler holds, by purpose.")),
        queues_(registry->Gauges("queue_depth", "Waiting jobs, by queue.")),
        fixes_(registry->Gauges("driver_fixes", "Rides whose driver's position is known.").Of()) {}

  void SetRides(const std::map<RideState, LiveRides>& live, absl::Time domain) {
    for (const StateRow& row : kStates) {
      if (!kLive.Has(row.state)) continue;
      const auto found = live.find(row.state);
      const bool any = found != live.end();
      rides_.Of({{"state", std::string(row.name)}}).Set(any ? static_cast<double>(found->second.count) : 0);
      oldest_.Of({{"state", std::string(row.name)}})
          .Set(any ? absl::ToDoubleSeconds(domain - found->second.oldest) : 0);
    }
  }

  void SetServer(const RiderServer::Stats& stats) {
    lease_held_.Set(stats.dispatch.leased ? 1 : 0);
    link_up_.Set(stats.dispatch.link_up ? 1 : 0);
    dispatching_.Of({{"for", "match"}}).Set(static_cast<double>(stats.dispatch.matching));
    dispatching_.Of({{"for", "seen"}}).Set(static_cast<double>(stats.dispatch.unseen));
    queues_.Of({{"queue", "dispatch"}}).Set(static_cast<double>(stats.dispatch.queue));
    fixes_.Set(static_cast<double>(stats.fixes));
  }

  void SetQueues(const RideDatabase& store, const Loop& housekeeping) {
    queues_.Of({{"queue", "writes"}}).Set(static_cast<double>(store.writes_queued()));
    queues_.Of({{"queue", "reads"}}).Set(static_cast<double>(store.reads_queued()));
    queues_.Of({{"queue", "housekeeping"}}).Set(static_cast<double>(housekeeping.depth()));
  }

 private:
  const metrics::GaugeFamily rides_;
  const metrics::GaugeFamily oldest_;
  const metrics::Gauge lease_held_;
  const metrics::Gauge link_up_;
  const metrics::GaugeFamily dispatching_;
  const metrics::GaugeFamily queues_;
  const metrics::Gauge fixes_;
};

}  // namespace

int RunRiderService(const RiderOptions& options, Regions regions, const std::string& port_file) {
  const SystemClock clock(options.service.time_scale);
  metrics::Registry registry("hail_rider");
  CallMetrics call_metrics(&registry);
  StoreMetrics store_metrics(&registry, &clock);

  const auto security =
      ServiceSecurity::Start(options.service, "rider-service", auth::Role::kDriverService, &clock, &registry);
  if (security == nullptr) return 1;
  const std::string incarnation_id = UuidV7(clock.Read().wall, SystemRandom());
  std::unique_ptr<RideDatabase> database;
  const auto open = [&] { return OpenDatabase(options, &clock, &store_metrics, incarnation_id, &database); };
  // A file that cannot be used will not recover, so only a database is awaited.
  const absl::Status opened =
      options.service.store_database ? AwaitStore(options.service, security->tls(), open) : open();
  if (absl::IsCancelled(opened)) return 0;
  if (!opened.ok()) return FailedToStart("store_not_opened", opened);
  RideDatabase& store = *database;
  const auto quote_key = Await<std::string>([&](Done<std::string> done) { store.QuoteKey(std::move(done)); });
  if (!quote_key.ok()) return FailedToStart("quote_key_not_read", quote_key.status());
  const auto pseudonym_key = Await<std::string>([&](Done<std::string> done) { store.PseudonymKey(std::move(done)); });
  if (!pseudonym_key.ok()) return FailedToStart("pseudonym_key_not_read", pseudonym_key.status());

  std::unique_ptr<Bus> bus;
  // The same bus, if it reaches other replicas.
  NatsBus* nats = nullptr;
  if (options.service.nats_url.empty()) {
    bus = MakeLocalBus();
  } else {
    auto made = MakeNatsBus({.url = options.service.nats_url,
                             .files = options.service.nats_files,
                             .prefix = kBusSubject,
                             .name = "rider-service"});
    if (!made.ok()) return FailedToStart("bus_not_made", made.status());
    nats = made->get();
    bus = *std::move(made);
  }
  DriverClient driver_service(options.driver_service, security->ToPeer(), options.search_timeout);
  CommitLog commit_log(&registry);
  CachedCounts live_rides;
  People people(&store, &store, Pseudonyms(*pseudonym_key));
  PrivacyService privacy(&people);
  Retention retention(&people, &clock, options.keep_rides, &registry);
  // Their threads use the objects between here and their Stop below.
  Loop dispatch_loop("scheduler");
  Loop housekeeping("housekeeping");
  RiderServer server({.store = &store,
                      .bus = bus.get(),
                      .clock = &clock,
                      .random = SystemRandom(),
                      .dispatch_loop = &dispatch_loop,
                      .housekeeping = &housekeeping,
                      .search = &driver_service,
                      .dispatch_links = driver_service.DispatchLinks(&dispatch_loop, &clock),
                      .observer = &commit_log},
                     {.regions = &regions,
                      .quote_key = *quote_key,
                      .quote_valid_for = options.quote_valid_for,
                      .rules = options.rules,
                      .incarnation_id = incarnation_id,
                      .replicas = nats != nullptr,
                      .feed_check = options.feed_check});

  housekeeping.Every(kProbeEvery, [&] {
    store.CountLive([&](const absl::StatusOr<std::map<RideState, LiveRides>>& found) {
      store_metrics.OnProbe(found.status());
      if (found.ok()) live_rides.Set(*found);
    });
    if (store_metrics.BeginWriteProbe()) {
      store.ProbeWrite([&](const absl::Status& status) { store_metrics.OnWriteProbe(status); });
    }
  });

  rpc::Gate gate(&clock,
                 security->Limited({.max_unary_in_flight = options.max_calls,
                                    .max_streams = options.max_streams,
                                    .stream_age = options.service.connection_age}),
                 &call_metrics);
  rpc::GrpcService<RiderService> rider_service(&gate, server.rider_service(), security->public_callers());
  rpc::GrpcService<AssignmentService> assignment_service(&gate, server.assignment_service(),
                                                         security->internal_callers());
  rpc::GrpcService<PrivacyService> privacy_service(&gate, &privacy, security->internal_callers());

  const ProcessMetrics process_metrics(&registry, &gate, nats);
  const LimitMetrics limit_metrics(&registry, &gate, security->audit_log());
  Gauges gauges(&registry);
  const auto refresh = registry.BeforeScrape([&] {
    gauges.SetRides(live_rides.rides(), clock.Read().domain);
    gauges.SetServer(server.stats());
    gauges.SetQueues(store, housekeeping);
  });
  auto exposer = metrics::Exposer::Start(options.service.metrics_listen, registry);
  if (!exposer.ok()) return FailedToStart("metrics_not_served", exposer.status());

  server.Start();
  if (options.keep_rides > absl::ZeroDuration()) retention.Start(&housekeeping);
  const int exit_code = Serve(options.service, &gate,
                              {.tls = security->tls(),
                               .public_services = {&rider_service},
                               .internal_services = {&assignment_service, &privacy_service},
                               .healthy = [&] { return store_metrics.Healthy() && security->ready(); },
                               .port_file = port_file,
                               .metrics_port = (*exposer)->port()});
  // No handler runs any more. Callers stop before the objects that they call.
  SteadyNotification lease_ended;
  server.Stop([&] { lease_ended.Notify(); });
  // Otherwise the lease expires by itself.
  lease_ended.WaitFor(kEndLeaseWithin);
  dispatch_loop.Stop();
  driver_service.Stop();
  housekeeping.Stop();
  store.Stop();
  Log(LogLevel::kInfo, "stopped");
  return exit_code;
}

}  // namespace hail::rider
