// Channel arguments that gRPC knows since later versions than 1.51, which ignores them.
#pragma once

namespace hail::rpc {

// How long the answer to any ping may take, in milliseconds; GRPC_ARG_KEEPALIVE_TIMEOUT_MS is for keepalive's alone.
// One ping is under way at a time: after one for another purpose, on a connection that has gone silent, keepalive waits
// for this (by default a minute) before the connection is given up.
inline constexpr char kPingTimeout[] = "grpc.http2.ping_timeout_ms";

// From how many bytes of metadata on a call is always refused. From GRPC_ARG_MAX_METADATA_SIZE on it is refused by
// chance; this is a quarter more by default.
inline constexpr char kAbsoluteMaxMetadataSize[] = "grpc.absolute_max_metadata_size";

}  // namespace hail::rpc
