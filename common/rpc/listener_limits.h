// The limits of a listener towards its clients. gRPC has defaults for all of them, many of which trust every client.
// Hail sets them here, in one place.
//
// These limits hold for clients that follow HTTP/2. gRPC 1.51 enforces the number of streams and the size of metadata
// only after the client has acknowledged our SETTINGS. No limit here counts streams that are reset at once, or endless
// headers: a public port needs a proxy that does (docs/operations.md).
#pragma once

#include "absl/time/time.h"
#include "grpcpp/server_builder.h"

namespace hail::rpc {

struct ListenerLimits {
  // gRPC refuses larger messages before it has read them.
  int max_message_bytes = 1 << 20;
  // Open calls and streams per connection. A client that wants more waits, or opens another connection.
  int max_streams = 500;
  // Limits a client's unread bytes on each stream.
  int stream_window_bytes = 65'535;
  // Lets gRPC enlarge that window for a fast connection.
  bool adapt_window = false;
  // A TCP connection without an HTTP/2 preface is closed after this.
  absl::Duration greeting = absl::Seconds(20);
  // A connection without calls is closed after this.
  absl::Duration idle = absl::Minutes(10);
  // At this age a connection gets GOAWAY: its client makes new calls on another connection; open streams stay.
  // InfiniteDuration: never.
  absl::Duration age = absl::InfiniteDuration();
};

// For the address that apps call, directly or through a proxy.
ListenerLimits PublicLimits();

// For the address for the other service and operators.
ListenerLimits InternalLimits();

// The minimum interval between two HTTP/2 pings of a client. The connection is closed at the third ping that is too
// early. Data sent in between makes no difference.
inline constexpr absl::Duration kLeastPingInterval = absl::Seconds(2);

// Makes the servers that `builder` builds keep to `limits`.
void SetLimits(const ListenerLimits& limits, grpc::ServerBuilder* builder);

}  // namespace hail::rpc
