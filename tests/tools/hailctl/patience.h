// What hailctl makes of a call or stream that failed: docs/clients.md's rules.
#pragma once

#include <random>

#include "absl/time/time.h"
#include "common/rpc/retry.h"
#include "common/rpc/status.h"
#include "grpcpp/support/status.h"

namespace hail::ctl {

// Whether the service said so, and would again.
inline bool IsAnswer(const grpc::Status& status) { return rpc::IsAnswer(rpc::FromGrpc(status)); }

class Patience {
 public:
  // The wait before another try after one that ended with `status`.
  absl::Duration After(const grpc::Status& status) {
    return backoff_.Next(std::uniform_real_distribution<double>(0, 1)(random_), rpc::RetryAfter(rpc::FromGrpc(status)));
  }
  // Something came.
  void Reset() { backoff_.Reset(); }

 private:
  rpc::Backoff backoff_;
  std::minstd_rand random_{std::random_device()()};
};

}  // namespace hail::ctl
