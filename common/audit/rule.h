// Which calls are audited. Pure.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "common/auth/caller.h"

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

}  // namespace hail::audit
