// The configuration keys that every service of Hail has.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/bus/nats_bus.h"
#include "common/config/auth_keys.h"
#include "common/config/limit_keys.h"
#include "common/config/schema.h"
#include "common/config/tls_keys.h"
#include "common/logging/level.h"
#include "common/postgres/url.h"
#include "common/time/clock.h"

namespace hail::config {

// The defaults of the shared keys, which differ between the services.
struct ServiceDefaults {
  // "127.0.0.1:50051"
  std::string listen;
  std::string internal_listen;
  std::string metrics_listen;
  // "hail-data/rider-service"
  std::string data_dir;
  // The store's file in data_dir: "rider.db".
  std::string store_file;
  // Whether the replicas of the service exchange messages: bus.url may then be a NATS URL.
  bool bus = false;
  // "hail-rider"
  std::string audience;
};

// Whether HOST:PORT is a loopback address; decided from the text alone.
bool IsLoopback(const std::string& address);

// Declares listen, internal_listen, metrics_listen, health_listen, tls.*, reflection, data_dir, store.url,
// store.password_file, bus.*, time_scale, time_anchor, log.level, shutdown.notice, shutdown.grace, connection.age and
// the keys of AddAuthKeys and AddLimitKeys.
void AddServiceKeys(const ServiceDefaults& defaults, Schema* schema);

// The values of those keys, ready for use.
struct ServiceSettings {
  std::string listen;
  std::string internal_listen;
  std::string metrics_listen;
  // Where health alone is served, without TLS; empty: nowhere.
  std::string health_listen;
  // nullopt: no TLS.
  std::optional<TlsSettings> tls;
  // Who may call listen.
  AuthSettings auth;
  // Whether gRPC reflection is served on listen and internal_listen.
  bool reflection = false;
  bool internal_reflection = false;
  std::string data_dir;
  // store.url: the SQLite file; otherwise the PostgreSQL database.
  std::string store_path;
  std::optional<postgres::ConnectParams> store_database;
  // bus.url; empty: the bus inside this process.
  std::string nats_url;
  // bus.ca, bus.certificate, bus.key and bus.credentials_file.
  NatsFiles nats_files;
  TimeScale time_scale;
  LogLevel log_level = LogLevel::kInfo;
  // Time between NOT_SERVING and the end of the first stream, in which load balancers choose another replica.
  absl::Duration shutdown_notice;
  // Time from the end of the notice until open calls are cancelled.
  absl::Duration shutdown_grace;
  // Maximum age of connections, and of apps' streams; InfiniteDuration: no limit. With TLS at most an hour: a peer's
  // certificate is checked once, when it connects.
  absl::Duration connection_age;
  LimitSettings limits;
};

// `values` must come from a schema that AddServiceKeys filled.
ServiceSettings ReadServiceSettings(const Values& values);

}  // namespace hail::config
