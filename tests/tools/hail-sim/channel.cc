#include "tests/tools/hail-sim/channel.h"

#include <utility>

#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"

namespace hail::sim {

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address,
                                           std::shared_ptr<grpc::ChannelCredentials> credentials) {
  grpc::ChannelArguments arguments;
  // Channels with equal arguments would share one connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  // This is also the time limit of one attempt: on a busy machine a handshake takes long.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  // Each app decides which calls to repeat, and when. Also, with gRPC's own retries gRPC 1.51 loses one in a hundred
  // streams that HAProxy answers with 503: they never end, even if they are cancelled.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  // With a list of replicas (ipv4:…) each call and each stream goes to the next replica.
  arguments.SetLoadBalancingPolicyName("round_robin");
  if (credentials == nullptr) credentials = grpc::InsecureChannelCredentials();
  return grpc::CreateCustomChannel(address, credentials, arguments);
}

}  // namespace hail::sim
