#include "common/limits/call_rates.h"

#include <algorithm>
#include <utility>

namespace hail::limits {
namespace {

// The parts of a caller's key: a class has as many as it may have rates. The last ones are a network's over all
// classes.
constexpr std::uint8_t FirstPart(std::size_t what) { return static_cast<std::uint8_t>(1 + what * kMostRates); }

}  // namespace

CallLimits CallLimits::Shipped() {
  CallLimits limits;
  for (const ClassRow& row : kClassRows) {
    limits.of_class[static_cast<std::size_t>(row.value)] = ParseRates(row.rates).value();
  }
  limits.of_network = ParseRates(kNetworkRates).value();
  return limits;
}

CallRates::CallRates(CallLimits limits) : limits_(std::move(limits)), buckets_(limits_.buckets) {}

absl::Duration CallRates::Take(const Key& caller, Class what, absl::Time now) {
  if (what == Class::kFree) return absl::ZeroDuration();
  const auto number = static_cast<std::size_t>(what);
  return Take(caller, FirstPart(number), limits_.of_class[number], now);
}

absl::Duration CallRates::TakeOfNetwork(const Key& network, absl::Time now) {
  return Take(network, FirstPart(kClasses), limits_.of_network, now);
}

void CallRates::GiveBackToNetwork(const Key& network) {
  if (!network) return;
  for (std::size_t i = 0; i < limits_.of_network.size(); ++i) {
    GiveBackToken(&BucketOf(network, FirstPart(kClasses), i), limits_.of_network[i]);
  }
}

absl::Duration CallRates::Take(const Key& caller, std::uint8_t first_part, const Rates& rates, absl::Time now) {
  absl::Duration wait;
  if (!caller) return wait;
  for (std::size_t i = 0; i < rates.size(); ++i) {
    wait = std::max(wait, UntilToken(BucketOf(caller, first_part, i), rates[i], now));
  }
  if (wait > absl::ZeroDuration()) return wait;
  for (std::size_t i = 0; i < rates.size(); ++i) TakeToken(&BucketOf(caller, first_part, i), rates[i], now);
  return wait;
}

Bucket& CallRates::BucketOf(const Key& caller, std::uint8_t first_part, std::size_t rate) {
  return buckets_.Use(Part(caller, static_cast<std::uint8_t>(first_part + rate)));
}

}  // namespace hail::limits
