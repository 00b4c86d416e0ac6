// How a client reacts to an error; docs/clients.md describes the same rules. No gRPC here. Thread-safe where const.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace hail::rpc {

// Whether an error is the service's answer. Any other error says nothing about the outcome, or only that it is not
// available now: repeat the call, or resume the stream.
//
// `by_hail`: the error carries an ErrorInfo of Hail. Without one it comes from the network, a proxy or a library,
// whatever its code: a proxy whose upstream dies ends an open stream as INTERNAL.
bool IsAnswer(absl::StatusCode code, bool by_hail);

// The same for a status that FromGrpc or FromProto made. OK is an answer. TOKEN_EXPIRED is none: repeat the call with a
// new token.
bool IsAnswer(const absl::Status& status);

// RetryInfo, if `status` carries one.
std::optional<absl::Duration> RetryAfter(const absl::Status& status);

// The back-off before a call is repeated or a stream reopened, in wall time.
class Backoff {
 public:
  static constexpr absl::Duration kFirst = absl::Milliseconds(100);
  static constexpr absl::Duration kMost = absl::Seconds(2);

  // Each wait is twice the previous one, shortened by up to half (`random` in [0, 1), so that clients do not return at
  // once), but at least `asked`.
  absl::Duration Next(double random, std::optional<absl::Duration> asked = std::nullopt);
  // After a success.
  void Reset() { next_ = kFirst; }

 private:
  absl::Duration next_ = kFirst;
};

}  // namespace hail::rpc
