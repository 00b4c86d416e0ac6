// Which calls are audited. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/auth/caller.h"
#include "common/limits/key.h"
#include "common/limits/lru_table.h"

namespace hail::audit {

// What the row of a method says (common/rpc/methods.h). Calls that are denied are audited whatever it says.
enum class Audited : std::uint8_t {
  // Calls of servers and operators: they reach other people's data.
  kStaff,
  // Every call: it makes, erases or hands out a person's data, or overrules a rule.
  kAlways,
  // Denied calls alone: the method concerns no person, or its calls are too many to be read.
  kDenied,
};

// Whether the caller was denied the call for who he is or how often he calls, not for what he asked.
bool IsDenied(const absl::Status& status);

// Whether a call of `caller` that was not denied is audited.
bool IsAudited(Audited row, const auth::Caller& caller);

// Keeps denied calls from filling the log: of each caller, and of all, the first in a second are written, then one in
// kOneIn. Not thread-safe.
class DenialSampler {
 public:
  static constexpr int kEach = 10;
  static constexpr int kAll = 500;
  static constexpr int kOneIn = 100;

  // Whether to write a line for a denied call of `caller` (the subject's key, or else the network's) now: nullopt says
  // no; otherwise how many of this caller's were left out since the line before.
  std::optional<std::uint64_t> Sample(const limits::Key& caller, absl::Time now);

 private:
  static constexpr std::size_t kCallers = 10'000;
  struct Count {
    std::int64_t second = 0;
    std::uint64_t in_second = 0;
    std::uint64_t skipped = 0;
  };
  static bool Pass(Count* count, int at_first, std::int64_t second);

  Count all_;
  limits::LruTable<Count> callers_{kCallers};
};

}  // namespace hail::audit
