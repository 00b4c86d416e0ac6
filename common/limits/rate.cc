#include "common/limits/rate.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace hail::limits {
namespace {

constexpr std::array<std::pair<const char*, absl::Duration>, 4> kUnits{
    {{"s", absl::Seconds(1)}, {"min", absl::Minutes(1)}, {"h", absl::Hours(1)}, {"d", absl::Hours(24)}}};
constexpr int kMostCount = 1'000'000;
constexpr char kOff[] = "off";

absl::Status Fault() {
  return absl::InvalidArgumentError("must be off, or up to three rates like 10/min,30/h (units s, min, h, d)");
}

// Nanoseconds in which one token comes back. At least 1 us, as rates end at a million a second.
std::int64_t Interval(const Rate& rate) { return absl::ToInt64Nanoseconds(rate.per) / rate.count; }

}  // namespace

absl::StatusOr<Rates> ParseRates(std::string_view text) {
  Rates rates;
  if (text == kOff) return rates;
  for (const std::string& one : std::vector<std::string>(absl::StrSplit(std::string(text), ','))) {
    const std::size_t slash = one.find('/');
    Rate rate;
    if (slash == std::string::npos || !absl::SimpleAtoi(one.substr(0, slash), &rate.count)) return Fault();
    const auto unit = std::find_if(kUnits.begin(), kUnits.end(),
                                   [&](const auto& known) { return one.substr(slash + 1) == known.first; });
    if (rate.count < 1 || rate.count > kMostCount || unit == kUnits.end() || rates.size() == kMostRates) {
      return Fault();
    }
    rate.per = unit->second;
    rates.push_back(rate);
  }
  return rates;
}

std::string FormatRates(const Rates& rates) {
  if (rates.empty()) return kOff;
  return absl::StrJoin(rates, ",", [](std::string* out, const Rate& rate) {
    const auto unit =
        std::find_if(kUnits.begin(), kUnits.end(), [&](const auto& known) { return known.second == rate.per; });
    absl::StrAppend(out, rate.count, "/", unit == kUnits.end() ? "?" : unit->first);
  });
}

absl::Duration UntilToken(const Bucket& bucket, const Rate& rate, absl::Time now) {
  const std::int64_t interval = Interval(rate);
  const std::int64_t empty_until = bucket.full_at - interval * (rate.count - 1);
  return absl::Nanoseconds(std::max<std::int64_t>(0, empty_until - absl::ToUnixNanos(now)));
}

void TakeToken(Bucket* bucket, const Rate& rate, absl::Time now) {
  bucket->full_at = std::max(bucket->full_at, absl::ToUnixNanos(now)) + Interval(rate);
}

void GiveBackToken(Bucket* bucket, const Rate& rate) { bucket->full_at -= Interval(rate); }

}  // namespace hail::limits
