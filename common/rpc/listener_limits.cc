#include "common/rpc/listener_limits.h"

#include <climits>

#include "common/rpc/newer_grpc.h"
#include "grpc/compression.h"
#include "grpcpp/resource_quota.h"
#include "grpcpp/support/channel_arguments.h"

namespace hail::rpc {
namespace {

// Keepalive pings find dead phones: the time without a byte before a ping, and the time-out of its answer. gRPC's
// default is two hours.
constexpr absl::Duration kKeepalive = absl::Seconds(60);
constexpr absl::Duration kKeepaliveAnswer = absl::Seconds(20);
// The number of early pings that are tolerated.
constexpr int kPingStrikes = 2;
// Four times a token of 4 KiB. gRPC's own default, 8 KiB in this version, is less than proxies sometimes add.
constexpr int kMetadataBytes = 16 * 1024;
// The minimum of HTTP/2, and gRPC's default: a larger frame has no benefit for messages as small as ours.
constexpr int kFrameBytes = 16 * 1024;
// For channelz only: gRPC's own service of the internal listener occupies a thread for each call until the client has
// taken the answer. Our health and reflection services occupy no threads.
constexpr int kThreads = 8;

int Milliseconds(absl::Duration duration) {
  return duration == absl::InfiniteDuration() ? INT_MAX : static_cast<int>(absl::ToInt64Milliseconds(duration));
}

}  // namespace

ListenerLimits PublicLimits() { return {}; }

ListenerLimits InternalLimits() {
  return {
      // One message may carry the whole fleet of a replica.
      .max_message_bytes = 16 << 20,
      // One connection carries all calls between two replicas: as many calls as the gate admits, and more.
      .max_streams = 10'000,
      // The peer is trusted, so it may fill the window.
      .adapt_window = true,
      // The two services stay connected when there is no traffic.
      .idle = absl::InfiniteDuration(),
  };
}

void SetLimits(const ListenerLimits& limits, grpc::ServerBuilder* builder) {
  const auto set = [builder](const char* argument, int value) { builder->AddChannelArgument(argument, value); };

  // Message sizes are wire sizes. gRPC checks the size of a compressed message before decompression, so 900 KB that
  // become 900 MB would pass. A call that announces gzip or deflate ends UNIMPLEMENTED, with the accepted encodings
  // (none) in grpc-accept-encoding, as the protocol requires; no decompression code runs.
  builder->SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder->SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  set(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  set(GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0);

  builder->SetMaxReceiveMessageSize(limits.max_message_bytes);
  // The senders limit their messages themselves.
  builder->SetMaxSendMessageSize(-1);

  // Without it (gRPC's default) one connection may open 2^31 streams.
  set(GRPC_ARG_MAX_CONCURRENT_STREAMS, limits.max_streams);
  set(GRPC_ARG_MAX_METADATA_SIZE, kMetadataBytes);
  set(kAbsoluteMaxMetadataSize, kMetadataBytes);
  set(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, kFrameBytes);
  set(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, limits.stream_window_bytes);
  // By default gRPC begins with 4 MiB and doubles the window while it fills in time: each unread stream of an untrusted
  // client could occupy that much memory.
  set(GRPC_ARG_HTTP2_BDP_PROBE, limits.adapt_window ? 1 : 0);

  set(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, Milliseconds(kLeastPingInterval));
  set(GRPC_ARG_HTTP2_MAX_PING_STRIKES, kPingStrikes);
  set(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(kKeepalive));
  set(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(kKeepaliveAnswer));
  set(kPingTimeout, Milliseconds(kKeepaliveAnswer));
  set(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // For our own pings: by default gRPC stops after two pings without data in between, and would not detect a phone that
  // dies later.
  set(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);

  // The defaults are two minutes, and no limit.
  set(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, Milliseconds(limits.greeting));
  set(GRPC_ARG_MAX_CONNECTION_IDLE_MS, Milliseconds(limits.idle));
  set(GRPC_ARG_MAX_CONNECTION_AGE_MS, Milliseconds(limits.age));
  // Streams on an old connection stay: the gate drains them at their own maximum age.
  set(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, INT_MAX);

  // By default Linux lets a second process listen on the same port and share its connections.
  set(GRPC_ARG_ALLOW_REUSEPORT, 0);

  // Limits threads only. gRPC's memory quota does not work as a limit: with 300 MB, a flood of resets took 1.5 GB. A
  // memory shortage also closes connections, beginning with a proxy's connection, which carries all its apps.
  grpc::ResourceQuota threads("listener");
  threads.SetMaxThreads(kThreads);
  builder->SetResourceQuota(threads);
  builder->SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder->SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder->SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
}

}  // namespace hail::rpc
