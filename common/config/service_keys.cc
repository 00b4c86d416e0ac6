#include "common/config/service_keys.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/postgres/url.h"
#include "common/time/time_anchor.h"

namespace hail::config {
namespace {

constexpr char kSqlite[] = "sqlite:";
constexpr char kLocal[] = "local:";

std::string CheckStoreUrl(const Value& value) {
  const std::string& url = std::get<std::string>(value);
  if (postgres::IsUrl(url)) {
    const auto params = postgres::ParseUrl(url);
    return params.ok() ? "" : std::string(params.status().message());
  }
  return url.rfind(kSqlite, 0) == 0 && url.size() > sizeof(kSqlite) - 1 ? "" : "must be sqlite:FILE or postgres://…";
}

std::string CheckBusUrl(const Value& value) {
  const std::string& urls = std::get<std::string>(value);
  if (urls == kLocal) return "";
  for (const std::string& url : std::vector<std::string>(absl::StrSplit(urls, ','))) {
    const bool is_nats = url.rfind("nats://", 0) == 0 || url.rfind("tls://", 0) == 0;
    if (!is_nats || url.size() == url.find("://") + 3) return "must be local: or nats://HOST:PORT";
  }
  return "";
}

// Replaces users, passwords and tokens of all URLs in a list by ***.
std::string WithoutUserInfo(const std::string& urls) {
  std::vector<std::string> shown;
  for (const std::string& url : std::vector<std::string>(absl::StrSplit(urls, ','))) {
    const std::size_t at = url.rfind('@');
    const std::size_t scheme = url.find("://");
    const std::size_t begin = scheme == std::string::npos || scheme > at ? 0 : scheme + 3;
    shown.push_back(at == std::string::npos ? url : absl::StrCat(url.substr(0, begin), "***", url.substr(at)));
  }
  return absl::StrJoin(shown, ",");
}

constexpr absl::Duration kLongestTlsConnection = absl::Hours(1);

std::string CheckHealthListen(const Value& value) {
  const std::string& address = std::get<std::string>(value);
  if (address.empty()) return "";
  const std::string fault = Address(true)(value);
  if (!fault.empty()) return fault;
  return IsLoopback(address) ? "" : "must be an address of this machine (127.…, ::1, localhost): it has no TLS";
}

std::vector<std::string> CheckListeners(const Values& values) {
  const std::optional<TlsSettings> tls = ReadTlsSettings(values);
  if ((tls && !tls->edges.empty()) || IsLoopback(values.String("listen"))) return {};
  if (tls) return {"tls.edges is missing: without it listen has no TLS, and must then be an address of this machine"};
  if (ReadAuthSettings(values).mode != AuthMode::kTokens) return {};
  return {
      "tls.edges is missing: tokens would cross the network in the clear; give it with tls.certificate, tls.key and "
      "tls.ca, or listen on an address of this machine, with the edge beside"};
}

// Of files that are named: they can be read now.
std::vector<std::string> CheckFiles(const Values& values, const std::vector<const char*>& keys) {
  std::vector<std::string> problems;
  for (const char* key : keys) {
    const std::string& file = values.String(key);
    if (!file.empty() && access(file.c_str(), R_OK) != 0) {
      problems.push_back(absl::StrCat(key, ": ", file, " cannot be read: ", std::strerror(errno)));
    }
  }
  return problems;
}

std::vector<std::string> CheckBusFiles(const Values& values) {
  std::vector<std::string> problems =
      CheckFiles(values, {"bus.ca", "bus.certificate", "bus.key", "bus.credentials_file"});
  if (values.String("bus.certificate").empty() != values.String("bus.key").empty()) {
    problems.emplace_back("bus.certificate and bus.key belong together");
  }
  return problems;
}

std::vector<std::string> CheckPasswordFile(const Values& values) {
  if (!values.String("store.password_file").empty() && !postgres::IsUrl(values.String("store.url"))) {
    return {"store.password_file is of a database: store.url must be postgres://…"};
  }
  return CheckFiles(values, {"store.password_file"});
}

std::vector<std::string> CheckAuthMode(const Values& values) {
  if (values.String("auth.mode") != "off" || IsLoopback(values.String("listen"))) return {};
  return {
      "auth.mode: off needs a listen address of this machine (127.…, ::1, localhost); set auth.mode=tokens, or "
      "auth.mode=insecure to serve everybody"};
}

std::vector<std::string> CheckTime(const Values& values) {
  const auto scale = ParseTimeScale(values.Double("time_scale"), values.String("time_anchor"));
  if (scale.ok()) return {};
  return {absl::StrCat("time_scale and time_anchor: ", std::string(scale.status().message()))};
}

}  // namespace

bool IsLoopback(const std::string& address) {
  std::string host = address.substr(0, address.rfind(':'));
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (host == "localhost" || host == "::1") return true;
  in_addr v4{};
  return inet_pton(AF_INET, host.c_str(), &v4) == 1 && ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
}

void AddServiceKeys(const ServiceDefaults& defaults, Schema* schema) {
  schema->String("listen", defaults.listen, "Where apps call, HOST:PORT; port 0 takes a free one.", Address(true))
      .String("internal_listen", defaults.internal_listen,
              "Where the other service and operators call, HOST:PORT; never publish it.", Address(true))
      .String("metrics_listen", defaults.metrics_listen,
              "Where Prometheus scrapes /metrics, HOST:PORT with a numeric host.", Address(true))
      .String(
          "health_listen", "",
          "Where the health service alone is served, without TLS, for probes of this machine: HOST:PORT on loopback; "
          "empty: nowhere.",
          CheckHealthListen)
      .String(
          "reflection", "auto",
          "Whether gRPC's reflection describes what is served: on and off hold for listen and internal_listen; auto "
          "is on for listen alone, and only where that is an address of this machine (127.…, ::1, localhost).",
          OneOf({"auto", "on", "off"}))
      .String("data_dir", defaults.data_dir, "Directory of the embedded store; made if it is not there.", NotEmpty())
      .Add({.name = "store.url",
            .default_text = absl::StrCat(kSqlite, "{data_dir}/", defaults.store_file),
            .doc = "The store: sqlite:FILE, embedded, or postgres://USER:PASSWORD@HOST:PORT/DATABASE with libpq's "
                   "parameters.",
            .check = CheckStoreUrl,
            .redacted = postgres::WithoutPassword})
      .Add({.name = "bus.url",
            .default_text = kLocal,
            .doc = defaults.bus ? "Fan-out inside the service: local:, in this process, or between replicas "
                                  "nats://USER:PASSWORD@HOST:PORT (tls://…), more servers of the cluster after commas."
                                : "Fan-out inside the service: local:, in this process.",
            .check = defaults.bus ? CheckBusUrl : OneOf({kLocal}),
            .redacted = WithoutUserInfo})
      .String("store.password_file", "",
              "File whose first line is the password of the database in store.url; read for each new connection, so "
              "that a new one needs no restart.");
  if (defaults.bus) {
    schema->String("bus.ca", "", "File with the authorities that sign NATS servers' certificates (PEM); with it, TLS.")
        .String("bus.certificate", "", "File with the certificate to show to NATS (PEM).")
        .String("bus.key", "", "File with its private key (PEM).")
        .String("bus.credentials_file", "",
                "File with NATS credentials, a user's JWT and seed; read for each new connection.");
    schema->CheckAll(CheckBusFiles);
  }
  schema
      ->Double("time_scale", 1, "Domain seconds a wall second; the same in both services and the simulator.",
               DoubleFrom(0.001, 10'000))
      .String("time_anchor", "",
              "WALL:DOMAIN in epoch seconds, where domain time meets wall time; required unless time_scale is 1.")
      .String("log.level", "info", "Least severe lines that are logged: debug, info, warn or error.",
              OneOf({"debug", "info", "warn", "error"}))
      .Duration("shutdown.notice", absl::Seconds(1),
                "From NOT_SERVING until streams are asked to close, for load balancers to notice.",
                DurationFrom(absl::ZeroDuration(), absl::Minutes(10)))
      .Duration("shutdown.grace", absl::Seconds(8), "From then until calls and streams still open are cut off.",
                DurationFrom(absl::ZeroDuration(), absl::Minutes(10)))
      .Duration(
          "connection.age", absl::ZeroDuration(),
          "How long a client's connection, or an app's stream, is kept before it is asked to make another, so that "
          "new replicas get their share; 0: for ever.",
          DurationFrom(absl::ZeroDuration(), absl::Hours(24)));
  AddTlsKeys(schema);
  AddAuthKeys(defaults.audience, schema);
  AddLimitKeys(schema);
  schema->CheckAll(CheckAuthMode).CheckAll(CheckListeners).CheckAll(CheckPasswordFile).CheckAll(CheckTime);
}

ServiceSettings ReadServiceSettings(const Values& values) {
  ServiceSettings settings;
  settings.listen = values.String("listen");
  settings.internal_listen = values.String("internal_listen");
  settings.metrics_listen = values.String("metrics_listen");
  settings.health_listen = values.String("health_listen");
  settings.tls = ReadTlsSettings(values);
  settings.auth = ReadAuthSettings(values);
  settings.internal_reflection = values.String("reflection") == "on";
  settings.reflection =
      settings.internal_reflection || (values.String("reflection") == "auto" && IsLoopback(settings.listen));
  settings.data_dir = values.String("data_dir");
  const std::string& store_url = values.String("store.url");
  if (postgres::IsUrl(store_url)) {
    settings.store_database = postgres::ParseUrl(store_url).value();
    const std::string& password_file = values.String("store.password_file");
    // After, and so instead of, the URL's password.
    if (!password_file.empty()) settings.store_database->emplace_back(postgres::kPasswordFile, password_file);
  } else {
    settings.store_path = store_url.substr(sizeof(kSqlite) - 1);
  }
  if (values.String("bus.url") != kLocal) {
    settings.nats_url = values.String("bus.url");
    settings.nats_files = {.ca = values.String("bus.ca"),
                           .certificate = values.String("bus.certificate"),
                           .key = values.String("bus.key"),
                           .credentials = values.String("bus.credentials_file")};
  }
  // Checked when the values were loaded.
  settings.time_scale = ParseTimeScale(values.Double("time_scale"), values.String("time_anchor")).value();
  settings.log_level = ParseLogLevel(values.String("log.level")).value();
  settings.shutdown_notice = values.Duration("shutdown.notice");
  settings.shutdown_grace = values.Duration("shutdown.grace");
  const absl::Duration age = values.Duration("connection.age");
  settings.connection_age = age > absl::ZeroDuration() ? age : absl::InfiniteDuration();
  if (settings.tls) settings.connection_age = std::min(settings.connection_age, kLongestTlsConnection);
  settings.limits = ReadLimitSettings(values);
  return settings;
}

}  // namespace hail::config
