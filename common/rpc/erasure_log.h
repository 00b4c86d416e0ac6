// The trace that the erasure of a person leaves, which must not name the person. Thread-safe.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "common/rpc/call_context.h"

namespace hail::rpc {

// How much of the person an erasure changed or deleted.
struct ErasedCounts {
  std::int64_t rides = 0;
  std::int64_t offers = 0;
};

// INVALID_FIELD "note" unless the note names somebody or something, as CheckNote.
absl::Status CheckErasureNote(const std::string& note);

// "person_erased" or "person_erasure_refused", with the operator's note and the caller. `person`: "rider" or "driver".
void LogErasure(const CallContext& call, const char* person, const std::string& note, const absl::Status& status,
                const ErasedCounts& counts);

}  // namespace hail::rpc
