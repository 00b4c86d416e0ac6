#include "tests/tools/hail-load/connections.h"

#include <utility>

#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"

namespace hail::load {

namespace {

std::shared_ptr<grpc::ChannelCredentials>& Credentials() {
  static auto& credentials = *new std::shared_ptr<grpc::ChannelCredentials>(grpc::InsecureChannelCredentials());
  return credentials;
}

}  // namespace

void UseCredentials(std::shared_ptr<grpc::ChannelCredentials> credentials) {
  Credentials() = credentials != nullptr ? std::move(credentials) : grpc::InsecureChannelCredentials();
}

std::vector<std::shared_ptr<grpc::Channel>> Connect(const std::string& address, int count) {
  grpc::ChannelArguments arguments;
  // Otherwise all channels share one connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  // This is also the time limit of one attempt: where thousands connect, each has to wait.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 10'000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  // The load decides which calls to retry, and when.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  // With a list of replicas (ipv4:…) each call and each stream goes to the next replica.
  arguments.SetLoadBalancingPolicyName("round_robin");
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (int i = 0; i < count; ++i) {
    channels.push_back(grpc::CreateCustomChannel(address, Credentials(), arguments));
  }
  return channels;
}

}  // namespace hail::load
