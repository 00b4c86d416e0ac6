// The limits of a listener towards its clients. gRPC has defaults for all of them, many of which trust every client;
// Hail sets them here, in one place.
//
// These bind clients that keep to HTTP/2. gRPC 1.51 holds a client to the number of streams and to the size of metadata
// only once it has acknowledged our SETTINGS, and no limit here counts streams that are reset at once, or headers that
// never end: a port that strangers reach belongs behind a proxy that does (docs/operations.md).
#pragma once

#include "absl/time/time.h"
#include "grpcpp/server_builder.h"

namespace hail::rpc {

struct ListenerLimits {
  // gRPC refuses larger messages before it has read them.
  int max_message_bytes = 1 << 20;
  // Calls and streams under way on one connection. A client that wants more waits, or opens another connection.
  int max_streams = 500;
  // Limits a client's unread bytes, on each stream.
  int stream_window_bytes = 65'535;
  // gRPC may enlarge that window to suit a fast connection.
  bool adapt_window = false;
  // A TCP connection without HTTP/2's greeting is closed after this.
  absl::Duration greeting = absl::Seconds(20);
  // A connection without calls is closed after this.
  absl::Duration idle = absl::Minutes(10);
  // At this age a connection gets GOAWAY: its client makes no more calls on it, streams on it stay. InfiniteDuration:
  // never.
  absl::Duration age = absl::InfiniteDuration();
};

// Of the address that apps call, through a proxy or by themselves.
ListenerLimits PublicLimits();

// Of the address for the other service and for operators.
ListenerLimits InternalLimits();

// The least time between two HTTP/2 pings of a client; one that pings more often three times is cut off. Nothing that
// is sent in between counts.
inline constexpr absl::Duration kLeastPingInterval = absl::Seconds(2);

// Makes the servers that `builder` builds keep to `limits`.
void SetLimits(const ListenerLimits& limits, grpc::ServerBuilder* builder);

}  // namespace hail::rpc
