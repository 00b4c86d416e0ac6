// The one place where our errors and gRPC's meet.
#pragma once

#include "absl/status/status.h"
#include "common/rpc/error_codec.h"
#include "grpcpp/support/status.h"

namespace hail::rpc {

// As ToProto, in grpc-status-details-bin.
grpc::Status ToGrpc(const absl::Status& status);

// As FromProto. Details that cannot be read are left out; code and message stand in any case.
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace hail::rpc
