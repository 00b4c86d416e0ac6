// Channel arguments of gRPC versions later than 1.51, which ignores them.
#pragma once

namespace hail::rpc {

// The time-out of any ping, in milliseconds; GRPC_ARG_KEEPALIVE_TIMEOUT_MS applies to keepalive pings only. One ping is
// in flight at a time: after another ping on a silent connection, keepalive waits for this time (by default a minute)
// before it closes the connection.
inline constexpr char kPingTimeout[] = "grpc.http2.ping_timeout_ms";

// The size of metadata above which a call is always refused. Above GRPC_ARG_MAX_METADATA_SIZE a call is refused at
// random; by default this limit is a quarter higher.
inline constexpr char kAbsoluteMaxMetadataSize[] = "grpc.absolute_max_metadata_size";

}  // namespace hail::rpc
