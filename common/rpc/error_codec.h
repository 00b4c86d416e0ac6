// Our errors as google.rpc.Status: what travels in grpc-status-details-bin and in streams' command results. No gRPC
// here. Pure functions, thread-safe.
#pragma once

#include "absl/status/status.h"
#include "hail/type/v1/status.pb.h"

namespace hail::rpc {

// `status` with its details as google.rpc messages: ErrorInfo (domain "hail") for each error, BadRequest where a field
// is named, RetryInfo where a wait is. An error without a Reason gets the one that its code has (DEADLINE_EXCEEDED:
// OUTCOME_UNKNOWN, UNIMPLEMENTED: NOT_SERVED), and else INTERNAL: an error somebody forgot to name. Only CANCELLED is
// sent bare: its client is gone.
hail::type::v1::Status ToProto(const absl::Status& status);

// The way back: reason, metadata, field and retry_after are found again by DetailsOf. A reason this program does not
// know becomes INTERNAL with the name in metadata "unknown_reason"; the code stays as it was.
absl::Status FromProto(const hail::type::v1::Status& status);

}  // namespace hail::rpc
