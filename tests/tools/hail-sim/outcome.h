// The outcome of a call, a command or a stream, in plain types.
#pragma once

#include <optional>
#include <string>

#include "absl/time/time.h"

namespace hail::sim {

struct Outcome {
  // A gRPC status code; 0 is OK.
  int code = 0;
  // google.rpc.ErrorInfo.reason, if its domain is Hail's. Empty: the network, a proxy or a library made the error.
  std::string reason;
  std::string message;
  // google.rpc.RetryInfo.
  std::optional<absl::Duration> retry_after;

  bool ok() const { return code == 0; }
  // Whether the same call may be repeated: the outcome is unknown, the service asks for another try, or
  // a token has expired.
  bool Retryable() const;
  // "OFFER_EXPIRED", or the code if no reason is known.
  std::string Name() const;
};

// "UNAVAILABLE", …
std::string CodeName(int code);

}  // namespace hail::sim
