#include "common/rpc/listener_limits.h"

#include <climits>

#include "common/rpc/newer_grpc.h"
#include "grpc/compression.h"
#include "grpcpp/resource_quota.h"
#include "grpcpp/support/channel_arguments.h"

namespace hail::rpc {
namespace {

// Dead phones are found: a ping after so long without a byte, and how long its answer may take. gRPC: two hours.
constexpr absl::Duration kKeepalive = absl::Seconds(60);
constexpr absl::Duration kKeepaliveAnswer = absl::Seconds(20);
// Pings too early that are forgiven.
constexpr int kPingStrikes = 2;
// A token of 4 KiB, four times. gRPC's own default, 8 KiB in this version, is less than proxies add on a bad day.
constexpr int kMetadataBytes = 16 * 1024;
// HTTP/2's least, and gRPC's default: a larger one buys nothing for messages as small as ours.
constexpr int kFrameBytes = 16 * 1024;
// channelz, gRPC's own service of the internal listener, serves each call on a thread that waits until its answer was
// taken. Health and reflection are ours and need none.
constexpr int kThreads = 8;

int Milliseconds(absl::Duration duration) {
  return duration == absl::InfiniteDuration() ? INT_MAX : static_cast<int>(absl::ToInt64Milliseconds(duration));
}

}  // namespace

ListenerLimits PublicLimits() { return {}; }

ListenerLimits InternalLimits() {
  return {
      // A replica's whole fleet may be in one message.
      .max_message_bytes = 16 << 20,
      // One connection carries all that a replica asks of another: as many calls as its gate lets in, and more.
      .max_streams = 10'000,
      // A friend may fill it.
      .adapt_window = true,
      // The two services stay connected through a calm night.
      .idle = absl::InfiniteDuration(),
  };
}

void SetLimits(const ListenerLimits& limits, grpc::ServerBuilder* builder) {
  const auto set = [builder](const char* argument, int value) { builder->AddChannelArgument(argument, value); };

  // Messages are as large as they are on the wire. gRPC measures a compressed message before it unpacks it: 900 KB that
  // become 900 MB would pass. A call that announces gzip or deflate ends UNIMPLEMENTED, with the encodings that are
  // taken (none) in grpc-accept-encoding, as the protocol wants it; and nothing is there that could unpack.
  builder->SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder->SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  set(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  set(GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0);

  builder->SetMaxReceiveMessageSize(limits.max_message_bytes);
  // What we send is ours to bound, message by message.
  builder->SetMaxSendMessageSize(-1);

  // Without it (gRPC's default) one connection may hold two thousand million.
  set(GRPC_ARG_MAX_CONCURRENT_STREAMS, limits.max_streams);
  set(GRPC_ARG_MAX_METADATA_SIZE, kMetadataBytes);
  set(kAbsoluteMaxMetadataSize, kMetadataBytes);
  set(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, kFrameBytes);
  set(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, limits.stream_window_bytes);
  // gRPC's default is to begin with 4 MiB and to double it for as long as it is filled in time: each stream of a
  // stranger's that we do not read yet would hold as much.
  set(GRPC_ARG_HTTP2_BDP_PROBE, limits.adapt_window ? 1 : 0);

  set(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, Milliseconds(kLeastPingInterval));
  set(GRPC_ARG_HTTP2_MAX_PING_STRIKES, kPingStrikes);
  set(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(kKeepalive));
  set(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(kKeepaliveAnswer));
  set(kPingTimeout, Milliseconds(kKeepaliveAnswer));
  set(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // Our own pings: by default gRPC stops after two with nothing said in between, and a phone that dies later is never
  // found.
  set(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);

  // By default two minutes, and for ever.
  set(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, Milliseconds(limits.greeting));
  set(GRPC_ARG_MAX_CONNECTION_IDLE_MS, Milliseconds(limits.idle));
  set(GRPC_ARG_MAX_CONNECTION_AGE_MS, Milliseconds(limits.age));
  // Streams on an old connection stay: the gate drains them at an age of their own.
  set(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, INT_MAX);

  // By default Linux lets a second process listen on the same port and share its connections.
  set(GRPC_ARG_ALLOW_REUSEPORT, 0);

  // Of threads only. As a bound of memory gRPC's quota is none: with 300 MB, a flood of resets took 1.5 GB, and a
  // shortage of it ends connections, a proxy's with all its apps first.
  grpc::ResourceQuota threads("listener");
  threads.SetMaxThreads(kThreads);
  builder->SetResourceQuota(threads);
  builder->SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder->SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder->SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
}

}  // namespace hail::rpc
