#include "common/config/service_keys.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "common/postgres/url.h"
#include "common/time/time_anchor.h"

namespace hail::config {
namespace {

constexpr char kSqlite[] = "sqlite:";

std::string CheckStoreUrl(const Value& value) {
  const std::string& url = std::get<std::string>(value);
  if (postgres::IsUrl(url)) {
    const auto params = postgres::ParseUrl(url);
    return params.ok() ? "" : std::string(params.status().message());
  }
  return url.rfind(kSqlite, 0) == 0 && url.size() > sizeof(kSqlite) - 1 ? "" : "must be sqlite:FILE or postgres://…";
}

std::vector<std::string> CheckTime(const Values& values) {
  const auto scale = ParseTimeScale(values.Double("time_scale"), values.String("time_anchor"));
  if (scale.ok()) return {};
  return {absl::StrCat("time_scale and time_anchor: ", std::string(scale.status().message()))};
}

}  // namespace

void AddServiceKeys(const ServiceDefaults& defaults, Schema* schema) {
  schema->String("listen", defaults.listen, "Where apps call, HOST:PORT; port 0 takes a free one.", Address(true))
      .String("internal_listen", defaults.internal_listen,
              "Where the other service and operators call, HOST:PORT; never publish it.", Address(true))
      .String("metrics_listen", defaults.metrics_listen,
              "Where Prometheus scrapes /metrics, HOST:PORT with a numeric host.", Address(true))
      .String("data_dir", defaults.data_dir, "Directory of the embedded store; made if it is not there.", NotEmpty())
      .Add({.name = "store.url",
            .default_text = absl::StrCat(kSqlite, "{data_dir}/", defaults.store_file),
            .doc = "The store: sqlite:FILE, embedded, or postgres://USER:PASSWORD@HOST:PORT/DATABASE with libpq's "
                   "parameters.",
            .check = CheckStoreUrl,
            .redacted = postgres::WithoutPassword})
      .String("bus.url", "local:", "Fan-out inside the service: local:, in this process.", OneOf({"local:"}))
      .Double("time_scale", 1, "Domain seconds a wall second; the same in both services and the simulator.",
              DoubleFrom(0.001, 10'000))
      .String("time_anchor", "",
              "WALL:DOMAIN in epoch seconds, where domain time meets wall time; required unless time_scale is 1.")
      .String("log.level", "info", "Least severe lines that are logged: debug, info, warn or error.",
              OneOf({"debug", "info", "warn", "error"}))
      .Duration("shutdown.notice", absl::Seconds(1),
                "From NOT_SERVING until streams are told to go, for load balancers to notice.",
                DurationFrom(absl::ZeroDuration(), absl::Minutes(10)))
      .Duration("shutdown.grace", absl::Seconds(8), "From then until calls and streams still open are cut off.",
                DurationFrom(absl::ZeroDuration(), absl::Minutes(10)));
  schema->CheckAll(CheckTime);
}

ServiceSettings ReadServiceSettings(const Values& values) {
  ServiceSettings settings;
  settings.listen = values.String("listen");
  settings.internal_listen = values.String("internal_listen");
  settings.metrics_listen = values.String("metrics_listen");
  settings.data_dir = values.String("data_dir");
  const std::string& store_url = values.String("store.url");
  if (postgres::IsUrl(store_url)) {
    settings.store_database = postgres::ParseUrl(store_url).value();
  } else {
    settings.store_path = store_url.substr(sizeof(kSqlite) - 1);
  }
  // Checked when the values were loaded.
  settings.time_scale = ParseTimeScale(values.Double("time_scale"), values.String("time_anchor")).value();
  settings.log_level = ParseLogLevel(values.String("log.level")).value();
  settings.shutdown_notice = values.Duration("shutdown.notice");
  settings.shutdown_grace = values.Duration("shutdown.grace");
  return settings;
}

}  // namespace hail::config
