// Converts our errors to google.rpc.Status, which grpc-status-details-bin and the command results of streams carry. No
// gRPC here. Pure functions, thread-safe.
#pragma once

#include "absl/status/status.h"
#include "google/rpc/status.pb.h"

namespace hail::rpc {

// `status` with its details as google.rpc messages: ErrorInfo (domain "hail") for each error, BadRequest if a field is
// named, RetryInfo if there is a retry delay. An error without a Reason gets the Reason of its code (DEADLINE_EXCEEDED:
// OUTCOME_UNKNOWN, UNIMPLEMENTED: NOT_SERVED), otherwise INTERNAL, because a missing Reason is a bug. CANCELLED is sent
// without details: its client is gone.
google::rpc::Status ToProto(const absl::Status& status);

// The inverse: DetailsOf finds reason, metadata, field and retry_after again. An unknown reason becomes INTERNAL with
// the name in metadata "unknown_reason"; the code stays.
absl::Status FromProto(const google::rpc::Status& status);

}  // namespace hail::rpc
