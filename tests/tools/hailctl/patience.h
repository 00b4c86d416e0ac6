// How hailctl handles a failed call or stream: the rules of docs/clients.md.
#pragma once

#include <random>

#include "absl/time/time.h"
#include "common/rpc/retry.h"
#include "common/rpc/status.h"
#include "grpcpp/support/status.h"

namespace hail::ctl {

// Whether the status is the service's final answer, which a retry would not change.
inline bool IsAnswer(const grpc::Status& status) { return rpc::IsAnswer(rpc::FromGrpc(status)); }

class Patience {
 public:
  // The wait before the next try after one that ended with `status`.
  absl::Duration After(const grpc::Status& status) {
    return backoff_.Next(std::uniform_real_distribution<double>(0, 1)(random_), rpc::RetryAfter(rpc::FromGrpc(status)));
  }
  // A message arrived.
  void Reset() { backoff_.Reset(); }

 private:
  rpc::Backoff backoff_;
  std::minstd_rand random_{std::random_device()()};
};

}  // namespace hail::ctl
