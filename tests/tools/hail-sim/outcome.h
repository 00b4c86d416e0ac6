// What became of a call, a command or a stream, in plain types.
#pragma once

#include <optional>
#include <string>

#include "absl/time/time.h"

namespace hail::sim {

struct Outcome {
  // A gRPC status code; 0 is OK.
  int code = 0;
  // google.rpc.ErrorInfo.reason. Empty: none, as for errors that the transport made.
  std::string reason;
  std::string message;
  // google.rpc.RetryInfo.
  std::optional<absl::Duration> retry_after;

  bool ok() const { return code == 0; }
  // Whether the outcome is unknown or the service asks for another try: the same call may be made again.
  bool Retryable() const {
    switch (code) {
      case 1:   // CANCELLED
      case 2:   // UNKNOWN
      case 4:   // DEADLINE_EXCEEDED
      case 8:   // RESOURCE_EXHAUSTED
      case 10:  // ABORTED
      case 14:  // UNAVAILABLE
        return true;
      case 13:  // INTERNAL: the transport's, unless Hail says otherwise
        return reason.empty();
      default:
        return false;
    }
  }
  // "OFFER_EXPIRED", or the code where no reason is known.
  std::string Name() const;
};

// "UNAVAILABLE", …
std::string CodeName(int code);

}  // namespace hail::sim
