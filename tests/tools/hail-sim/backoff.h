// Back-off between tries, as docs/clients.md requires.
#pragma once

#include <optional>

#include "absl/time/time.h"
#include "common/rpc/retry.h"
#include "tests/tools/hail-sim/random.h"

namespace hail::sim {

class Backoff {
 public:
  // `asked`: the service's RetryInfo.
  absl::Duration Next(Random& random, std::optional<absl::Duration> asked = std::nullopt) {
    return waits_.Next(random.Unit(), asked);
  }
  void Reset() { waits_.Reset(); }

 private:
  rpc::Backoff waits_;
};

}  // namespace hail::sim
