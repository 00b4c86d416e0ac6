#include "tests/tools/hail-sim/report.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"

namespace hail::sim {

double Samples::Quantile(double q) const {
  if (values_.empty()) return 0;
  std::vector<double> sorted = values_;
  const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(sorted.size())));
  const std::size_t index = rank == 0 ? 0 : rank - 1;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(index), sorted.end());
  return sorted[index];
}

bool Report::Clean() const {
  const auto count = [&](const char* name) {
    const auto entry = counts.find(name);
    return entry == counts.end() ? 0 : entry->second;
  };
  return lost == 0 && violations.double_booked == 0 && violations.out_of_order == 0 && violations.duplicate == 0 &&
         violations.missed == 0 && violations.protocol == 0 && Unaccounted() == 0 && count("request_conflicts") == 0 &&
         count("rides_missing_from_lists") == 0;
}

nlohmann::ordered_json Report::ToJson() const {
  const auto round = [](double value) { return std::round(value * 10) / 10; };
  nlohmann::ordered_json json;
  json["requested"] = requested;
  json["completed"] = completed;
  json["canceled"] = canceled;
  json["unfulfilled"] = unfulfilled;
  json["rejected"] = rejected;
  json["in_progress"] = in_progress;
  json["lost"] = lost;
  json["double_booked"] = violations.double_booked;
  json["out_of_order_events"] = violations.out_of_order;
  json["duplicate_events"] = violations.duplicate;
  json["missed_events"] = violations.missed;
  json["offers"] = offers;
  json["declined"] = declined;
  json["expired"] = expired;
  json["redispatched"] = redispatched;
  json["match_latency_ms"] = {{"p50", round(match_latency_ms.Quantile(0.5))},
                              {"p90", round(match_latency_ms.Quantile(0.9))},
                              {"p99", round(match_latency_ms.Quantile(0.99))}};
  json["pickup_wait_s"] = {{"p50", round(pickup_wait_s.Quantile(0.5))}, {"p95", round(pickup_wait_s.Quantile(0.95))}};
  json["wall_s"] = round(wall_s);
  json["offer_latency_ms"] = {{"p50", round(offer_latency_ms.Quantile(0.5))},
                              {"p99", round(offer_latency_ms.Quantile(0.99))}};
  json["simulator_lag_ms"] = {{"p50", round(simulator_lag_ms.Quantile(0.5))},
                              {"p99", round(simulator_lag_ms.Quantile(0.99))}};
  json["unaccounted"] = Unaccounted();
  json["protocol_errors"] = violations.protocol;
  json["interrupted"] = interrupted;
  json["counts"] = counts;
  return json;
}

std::string Report::ToTable() const {
  std::string table;
  const auto line = [&](const char* name, const std::string& value) {
    table += absl::StrFormat("  %-28s %s\n", name, value);
  };
  const auto number = [&](const char* name, std::int64_t value, bool must_be_zero = false) {
    line(name, absl::StrFormat("%8d%s", value, must_be_zero && value != 0 ? "   <-- must be 0" : ""));
  };
  const auto share = [&](std::int64_t value) {
    return absl::StrFormat("%8d   %5.1f %%", value, requested == 0 ? 0.0 : 100.0 * value / requested);
  };
  table += interrupted ? "Interrupted; so far:\n" : "Summary:\n";
  number("rides requested", requested);
  line("completed", share(completed));
  line("canceled", share(canceled));
  line("unfulfilled", share(unfulfilled));
  line("rejected", share(rejected));
  line("in progress", share(in_progress));
  number("lost", lost, true);
  number("double bookings", violations.double_booked, true);
  number("events out of order", violations.out_of_order, true);
  number("events repeated", violations.duplicate, true);
  number("events missed", violations.missed, true);
  if (violations.protocol != 0) number("protocol errors", violations.protocol, true);
  if (Unaccounted() != 0) number("unaccounted", Unaccounted(), true);
  line("offers", absl::StrFormat("%8d   %.2f per ride", offers,
                                 requested == rejected ? 0.0 : static_cast<double>(offers) / (requested - rejected)));
  number("  declined", declined);
  number("  expired", expired);
  number("rides dispatched again", redispatched);
  line("match latency p50/p90/p99", absl::StrFormat("%8.0f / %.0f / %.0f ms (wall)", match_latency_ms.Quantile(0.5),
                                                    match_latency_ms.Quantile(0.9), match_latency_ms.Quantile(0.99)));
  line("pickup wait p50/p95",
       absl::StrFormat("%8.0f / %.0f s (domain)", pickup_wait_s.Quantile(0.5), pickup_wait_s.Quantile(0.95)));
  line("simulator late p50/p99",
       absl::StrFormat("%8.0f / %.0f ms (wall)", simulator_lag_ms.Quantile(0.5), simulator_lag_ms.Quantile(0.99)));
  line("wall time", absl::StrFormat("%8.1f s", wall_s));
  table += "Also counted:\n";
  for (const auto& [name, value] : counts) number(name.c_str(), value);
  return table;
}

}  // namespace hail::sim
