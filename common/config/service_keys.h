// The keys that every service of Hail has.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/config/schema.h"
#include "common/logging/level.h"
#include "common/postgres/url.h"
#include "common/time/clock.h"

namespace hail::config {

// What differs between the services in the keys they share.
struct ServiceDefaults {
  // "127.0.0.1:50051"
  std::string listen;
  std::string internal_listen;
  std::string metrics_listen;
  // "hail-data/rider-service"
  std::string data_dir;
  // The store's file in data_dir: "rider.db".
  std::string store_file;
  // Whether the service has something to say between its replicas: bus.url may be NATS's.
  bool bus = false;
};

// Declares listen, internal_listen, metrics_listen, reflection, data_dir, store.url, bus.url, time_scale, time_anchor,
// log.level, shutdown.notice, shutdown.grace and connection.age.
void AddServiceKeys(const ServiceDefaults& defaults, Schema* schema);

// Those keys' values, ready for use.
struct ServiceSettings {
  std::string listen;
  std::string internal_listen;
  std::string metrics_listen;
  // Whether listen and internal_listen describe what they serve.
  bool reflection = false;
  bool internal_reflection = false;
  std::string data_dir;
  // store.url: the SQLite file, or else the PostgreSQL database.
  std::string store_path;
  std::optional<postgres::ConnectParams> store_database;
  // bus.url; empty: in this process.
  std::string nats_url;
  TimeScale time_scale;
  LogLevel log_level = LogLevel::kInfo;
  // Between NOT_SERVING and the end of the first stream: time for load balancers to look elsewhere.
  absl::Duration shutdown_notice;
  // From the end of the notice until what still runs is cut off.
  absl::Duration shutdown_grace;
  // Of connections, and of apps' streams; InfiniteDuration: they are kept.
  absl::Duration connection_age;
};

// `values` must come from a schema that AddServiceKeys filled.
ServiceSettings ReadServiceSettings(const Values& values);

}  // namespace hail::config
