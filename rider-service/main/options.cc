#include "rider-service/main/options.h"

#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/errors/error.h"

namespace hail::rider {

config::Schema RiderSchema() {
  const auto at_least_1s = config::DurationFrom(absl::Seconds(1), absl::Hours(24));
  const RideRules rules;
  config::Schema schema;
  config::AddServiceKeys({.listen = "127.0.0.1:50051",
                          .internal_listen = "127.0.0.1:50061",
                          .metrics_listen = "127.0.0.1:9464",
                          .data_dir = "hail-data/rider-service",
                          .store_file = "rider.db",
                          .bus = true,
                          .audience = "hail-rider"},
                         &schema);
  schema
      .String("driver_service", "127.0.0.1:50062",
              "Internal address of driver-service: HOST:PORT, dns:///NAME:PORT or ipv4:IP:PORT,IP:PORT.",
              config::Peer())
      .String(
          "regions_file", "",
          "JSON file with regions, service areas, products and prices; empty: San Francisco and New York as shipped.")
      .String("regions", "", "Ids of the regions to serve, of those in regions_file, with commas between; empty: all.")
      .Duration("ride.match_deadline", rules.match_deadline,
                "How long a driver is looked for before a ride ends unfulfilled (domain time).", at_least_1s)
      .Duration("ride.offer_time", rules.offer_time, "How long a driver has to answer an offer (domain time).",
                at_least_1s)
      .Duration("ride.seen_within", rules.seen_within,
                "How long a driver's app may take to acknowledge an assignment (domain time).", at_least_1s)
      .Int("ride.max_redispatches", rules.max_redispatches,
           "How often a ride that its driver gave up goes to another one before it is canceled.",
           config::IntFrom(0, 100))
      .Duration("quote.valid_for", absl::Minutes(5), "How long a quoted price holds (domain time).", at_least_1s)
      .Duration("search.timeout", absl::Milliseconds(500),
                "How long a search for cars may take before a quote goes out without a pickup ETA.",
                config::DurationFrom(absl::Milliseconds(10), absl::Seconds(10)))
      .Duration("feed.check_every", absl::Seconds(2), "How often watched rides are checked against the store.",
                config::DurationFrom(absl::Milliseconds(100), absl::Seconds(60)))
      .Int("limits.max_calls", 256, "Unary calls in flight; beyond it calls are refused (OVERLOADED).",
           config::IntFrom(1, 1'000'000))
      .Int("limits.max_streams", 100'000, "Open streams; beyond it streams are refused (OVERLOADED).",
           config::IntFrom(1, 10'000'000))
      .Int("store.readers", 2, "Threads that read the store.", config::IntFrom(1, 64));
  return schema;
}

RiderOptions ReadRiderOptions(const config::Values& values) {
  RiderOptions options;
  options.service = config::ReadServiceSettings(values);
  options.driver_service = values.String("driver_service");
  options.regions_file = values.String("regions_file");
  options.regions = absl::StrSplit(values.String("regions"), absl::ByAnyChar(", "), absl::SkipEmpty());
  options.rules.match_deadline = values.Duration("ride.match_deadline");
  options.rules.offer_time = values.Duration("ride.offer_time");
  options.rules.seen_within = values.Duration("ride.seen_within");
  options.rules.max_redispatches = static_cast<int>(values.Int("ride.max_redispatches"));
  options.quote_valid_for = values.Duration("quote.valid_for");
  options.search_timeout = values.Duration("search.timeout");
  options.feed_check = values.Duration("feed.check_every");
  options.max_calls = static_cast<std::size_t>(values.Int("limits.max_calls"));
  options.max_streams = static_cast<std::size_t>(values.Int("limits.max_streams"));
  options.store_readers = static_cast<int>(values.Int("store.readers"));
  return options;
}

absl::StatusOr<Regions> LoadRegions(const RiderOptions& options) {
  std::string json = Regions::ShippedJson();
  if (!options.regions_file.empty()) {
    std::ifstream in(options.regions_file);
    std::stringstream text;
    text << in.rdbuf();
    if (!in) return InvalidField("regions_file", "regions_file: cannot be read");
    json = text.str();
  }
  absl::StatusOr<Regions> regions = Regions::FromJson(json);
  if (!regions.ok()) return InvalidField("regions_file", absl::StrCat("regions_file: ", regions.status().message()));
  if (options.regions.empty()) return regions;
  const absl::Status kept = regions->KeepOnly(options.regions);
  if (!kept.ok()) return InvalidField("regions", absl::StrCat("regions: ", kept.message()));
  return regions;
}

}  // namespace hail::rider
