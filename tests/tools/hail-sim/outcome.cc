#include "tests/tools/hail-sim/outcome.h"

#include "absl/status/status.h"
#include "common/rpc/retry.h"

namespace hail::sim {

// gRPC's and abseil's codes are the same numbers.
std::string CodeName(int code) { return absl::StatusCodeToString(static_cast<absl::StatusCode>(code)); }

bool Outcome::Retryable() const {
  // The next call has a new token.
  return reason == "TOKEN_EXPIRED" || !rpc::IsAnswer(static_cast<absl::StatusCode>(code), !reason.empty());
}

std::string Outcome::Name() const { return reason.empty() ? CodeName(code) : reason; }

}  // namespace hail::sim
