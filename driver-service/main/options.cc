#include "driver-service/main/options.h"

#include <string>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "driver-service/roads/road_files.h"

namespace hail::driver {
namespace {

// Reads the graphs as the service will, so that a fault in a file is listed together with all others.
std::string CheckRoadGraphs(const config::Value& value) {
  const auto graphs = ReadRoadGraphs(std::get<std::string>(value));
  return graphs.ok() ? "" : absl::StrCat("cannot be used: ", std::string(graphs.status().message()));
}

}  // namespace

config::Schema DriverSchema() {
  using config::DoubleFrom;
  using config::DurationFrom;
  const DispatchOptions defaults;
  config::Schema schema;
  config::AddServiceKeys({.listen = "127.0.0.1:50052",
                          .internal_listen = "127.0.0.1:50062",
                          .metrics_listen = "127.0.0.1:9465",
                          .data_dir = "hail-data/driver-service",
                          .store_file = "driver.db",
                          .bus = true,
                          .audience = "hail-driver"},
                         &schema);
  schema
      .Bool(
          "auth.drivers_register", false,
          "Whether drivers may register themselves; else only the operator, by a token of the role server or operator.")
      .String("rider_service", "127.0.0.1:50061",
              "Internal address of rider-service: HOST:PORT, dns:///NAME:PORT or ipv4:IP:PORT,IP:PORT.", config::Peer())
      .Duration("offer.receive_time", defaults.receive_time,
                "How long a driver's app has to say that it shows an offer (wall time).",
                DurationFrom(absl::Milliseconds(100), absl::Minutes(1)))
      .Duration("position.freshness", defaults.position_freshness,
                "A driver whose latest position is older gets no offers (domain time).",
                DurationFrom(absl::Seconds(1), absl::Hours(1)))
      .Double("search.radius_start", defaults.radius_start_m, "Metres around the pickup to look in at first.",
              DoubleFrom(10, 100'000))
      .Double("search.radius_factor", defaults.radius_factor, "What the radius is multiplied by at each step.",
              DoubleFrom(1, 10))
      .Duration("search.radius_step", defaults.radius_step, "How long until the radius grows (domain time).",
                DurationFrom(absl::Milliseconds(100), absl::Minutes(10)))
      .Double("search.radius_max", defaults.radius_max_m, "Metres beyond which no driver is asked.",
              DoubleFrom(10, 100'000))
      .String("travel.road_graphs", "",
              "Streets to estimate travel times by: PREFIX of PREFIX_nodes.csv and PREFIX_edges.csv (or .csv.gz), more "
              "after commas, each with @FACTOR behind to multiply its times; empty: straight lines.",
              CheckRoadGraphs)
      .CheckAll([](const config::Values& values) -> std::vector<std::string> {
        if (values.Double("search.radius_start") <= values.Double("search.radius_max")) return {};
        return {"search.radius_start must not be above search.radius_max"};
      });
  return schema;
}

DriverOptions ReadDriverOptions(const config::Values& values) {
  DriverOptions options;
  options.service = config::ReadServiceSettings(values);
  options.drivers_register = values.Bool("auth.drivers_register");
  options.rider_service = values.String("rider_service");
  options.dispatch.receive_time = values.Duration("offer.receive_time");
  options.dispatch.position_freshness = values.Duration("position.freshness");
  options.dispatch.radius_start_m = values.Double("search.radius_start");
  options.dispatch.radius_factor = values.Double("search.radius_factor");
  options.dispatch.radius_step = values.Duration("search.radius_step");
  options.dispatch.radius_max_m = values.Double("search.radius_max");
  options.road_graphs = values.String("travel.road_graphs");
  return options;
}

}  // namespace hail::driver
