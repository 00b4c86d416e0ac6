// What a client does with an error: docs/clients.md says the same in words. No gRPC here. Thread-safe where const.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace hail::rpc {

// Whether an error is the service's answer. One that is not says nothing about the outcome, or only that it cannot be
// had now: a call is to be repeated, a stream to be resumed.
//
// `by_hail`: it carries an ErrorInfo of Hail's. Without one it is the network's, a proxy's or a library's, whatever its
// code: a proxy whose upstream dies ends an open stream as INTERNAL.
bool IsAnswer(absl::StatusCode code, bool by_hail);

// The same for a status that FromGrpc or FromProto made. OK is an answer.
bool IsAnswer(const absl::Status& status);

// RetryInfo, if `status` carries one.
std::optional<absl::Duration> RetryAfter(const absl::Status& status);

// The waits before a call is repeated or a stream opened again, in wall time.
class Backoff {
 public:
  static constexpr absl::Duration kFirst = absl::Milliseconds(100);
  static constexpr absl::Duration kMost = absl::Seconds(2);

  // Each wait is twice the one before, shortened by up to half (`random` in [0, 1), so that clients do not come back at
  // once), and no shorter than the service asked for.
  absl::Duration Next(double random, std::optional<absl::Duration> asked = std::nullopt);
  // After a success.
  void Reset() { next_ = kFirst; }

 private:
  absl::Duration next_ = kFirst;
};

}  // namespace hail::rpc
