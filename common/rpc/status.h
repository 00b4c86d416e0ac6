// The one place that converts between our errors and gRPC's.
#pragma once

#include "absl/status/status.h"
#include "common/rpc/error_codec.h"
#include "grpcpp/support/status.h"

namespace hail::rpc {

// Like ToProto, in grpc-status-details-bin.
grpc::Status ToGrpc(const absl::Status& status);

// Like FromProto. Unreadable details are dropped; code and message are kept.
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace hail::rpc
