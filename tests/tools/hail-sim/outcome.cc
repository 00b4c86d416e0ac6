#include "tests/tools/hail-sim/outcome.h"

#include "absl/status/status.h"

namespace hail::sim {

// gRPC's codes and abseil's are the same numbers.
std::string CodeName(int code) { return absl::StatusCodeToString(static_cast<absl::StatusCode>(code)); }

std::string Outcome::Name() const { return reason.empty() ? CodeName(code) : reason; }

}  // namespace hail::sim
