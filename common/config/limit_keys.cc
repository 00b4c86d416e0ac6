#include "common/config/limit_keys.h"

#include <variant>

#include "absl/strings/str_cat.h"

namespace hail::config {
namespace {

constexpr char kAddress[] = "limits.address";

std::string CheckRates(const Value& value) {
  const auto rates = limits::ParseRates(std::get<std::string>(value));
  return rates.ok() ? "" : std::string(rates.status().message());
}

}  // namespace

void AddLimitKeys(Schema* schema) {
  for (const limits::ClassRow& row : limits::kClassRows) {
    schema->String(row.key, row.rates,
                   absl::StrCat("How often one caller may ", row.what,
                                ": COUNT/UNIT (s, min, h, d), more rates after commas, or off; who has no token is "
                                "counted by address."),
                   CheckRates);
  }
  schema
      ->String(kAddress, limits::kNetworkRates,
               "How often all callers of one address (IPv6: of one /64) together may call; as above.", CheckRates)
      .Int("limits.buckets", 1'000'000,
           "Callers and addresses whose calls are remembered for these limits; 90 bytes each.",
           IntFrom(1'000, 100'000'000))
      .Probability("limits.subject_share", 1.0 / 16,
                   "The share of the calls in flight that one caller may have; servers and operators have that of an "
                   "address.")
      .Probability("limits.address_share", 1.0 / 4,
                   "The share of the calls in flight, and of the open streams, that one address may have.")
      .Int("limits.streams_per_subject", 3, "Open streams of one caller; servers and operators have more.",
           IntFrom(1, 1'000'000))
      .Int("limits.connections_per_address", 1'000,
           "Open connections of one address, except this machine's; 0: no limit.", IntFrom(0, 1'000'000))
      .String("audit.file", "",
              "File of the audit log, appended to, and made anew after a rename; empty: among the ordinary lines.");
}

LimitSettings ReadLimitSettings(const Values& values) {
  LimitSettings settings;
  // Checked when the values were loaded.
  for (const limits::ClassRow& row : limits::kClassRows) {
    settings.rates.of_class[static_cast<std::size_t>(row.value)] = limits::ParseRates(values.String(row.key)).value();
  }
  settings.rates.of_network = limits::ParseRates(values.String(kAddress)).value();
  settings.rates.buckets = static_cast<std::size_t>(values.Int("limits.buckets"));
  settings.subject_share = values.Double("limits.subject_share");
  settings.network_share = values.Double("limits.address_share");
  settings.streams_of_subject = static_cast<std::size_t>(values.Int("limits.streams_per_subject"));
  settings.connections_of_network = static_cast<int>(values.Int("limits.connections_per_address"));
  settings.audit_file = values.String("audit.file");
  return settings;
}

}  // namespace hail::config
