// Rates, and the token bucket that keeps one. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace hail::limits {

// `count` calls in `per`, which may come all at once.
struct Rate {
  int count = 0;
  absl::Duration per;
  friend bool operator==(const Rate&, const Rate&) = default;
};

// All of them apply. Empty: no limit.
using Rates = std::vector<Rate>;
inline constexpr std::size_t kMostRates = 3;

// "10/min,30/h": up to three rates of 1 to 1,000,000 per "s", "min", "h" or "d". "off": no limit. INVALID_ARGUMENT
// for another text; the message is for people.
absl::StatusOr<Rates> ParseRates(std::string_view text);
// Text that ParseRates reads back.
std::string FormatRates(const Rates& rates);

// A token bucket in one number (the generic cell rate algorithm, ITU-T I.371): `full_at` is when the bucket would be
// full again. The default is a full bucket. Wall time, in nanoseconds since 1970.
struct Bucket {
  std::int64_t full_at = 0;
};

// How long until the bucket has a token; zero: now. Exact.
absl::Duration UntilToken(const Bucket& bucket, const Rate& rate, absl::Time now);
// Takes a token, which must be there.
void TakeToken(Bucket* bucket, const Rate& rate, absl::Time now);
// Undoes one TakeToken.
void GiveBackToken(Bucket* bucket, const Rate& rate);

}  // namespace hail::limits
