// Our errors as google.rpc.Status: what travels in grpc-status-details-bin and in streams' command results. No gRPC
// here. Pure functions, thread-safe.
#pragma once

#include "absl/status/status.h"
#include "hail/type/v1/status.pb.h"

namespace hail::rpc {

// `status` with its details as google.rpc messages: ErrorInfo (domain "hail") for each error, BadRequest where a field
// is named, RetryInfo where a wait is. An error without a Reason is sent bare if it is one that gRPC itself makes
// (CANCELLED, DEADLINE_EXCEEDED, UNIMPLEMENTED), and else with reason INTERNAL: an error somebody forgot to name.
hail::type::v1::Status ToProto(const absl::Status& status);

// The way back: reason, metadata, field and retry_after are found again by DetailsOf. A reason this program does not
// know becomes INTERNAL with the name in metadata "unknown_reason"; the code stays as it was.
absl::Status FromProto(const hail::type::v1::Status& status);

}  // namespace hail::rpc
