#include "tests/tools/hail-load/pacer.h"

#include <algorithm>

#include "absl/time/clock.h"

namespace hail::load {
namespace {

// A shorter sleep would wake up late anyway.
constexpr absl::Duration kLeastSleep = absl::Microseconds(500);

}  // namespace

Paced SendPaced(absl::Time start, double rate, absl::Duration length, const std::function<void(absl::Time)>& send) {
  Paced paced;
  const auto all = static_cast<std::int64_t>(absl::ToDoubleSeconds(length) * rate);
  absl::Time now = absl::Now();
  for (; paced.sent < all; ++paced.sent) {
    const absl::Time intended = start + absl::Seconds(static_cast<double>(paced.sent) / rate);
    if (intended > now) {
      now = absl::Now();
      if (intended > now) {
        absl::SleepFor(std::max(intended - now, kLeastSleep));
        now = absl::Now();
      }
    }
    paced.lag.Add(std::max(absl::ZeroDuration(), now - intended));
    send(intended);
  }
  return paced;
}

}  // namespace hail::load
