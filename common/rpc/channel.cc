#include "common/rpc/channel.h"

#include <nlohmann/json.hpp>

#include "common/rpc/newer_grpc.h"
#include "common/rpc/target.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"

namespace hail::rpc {
namespace {

constexpr int kMaxMessageBytes = 16 << 20;

std::string ServiceConfig(bool replicas, const std::vector<IdempotentMethod>& idempotent) {
  nlohmann::json config = {{"loadBalancingConfig", {{{"round_robin", nlohmann::json::object()}}}}};
  // New calls avoid a replica that drains or cannot reach its store. With a single address, the replica's own error
  // says more.
  if (replicas) config["healthCheckConfig"] = {{"serviceName", ""}};
  if (!idempotent.empty()) {
    nlohmann::json names = nlohmann::json::array();
    for (const IdempotentMethod& method : idempotent) {
      names.push_back({{"service", method.service}, {"method", method.method}});
    }
    config["methodConfig"] = {{{"name", names},
                               {"retryPolicy",
                                {{"maxAttempts", 4},
                                 {"initialBackoff", "0.05s"},
                                 {"maxBackoff", "0.5s"},
                                 {"backoffMultiplier", 2},
                                 {"retryableStatusCodes", {"UNAVAILABLE"}}}}}};
    config["retryThrottling"] = {{"maxTokens", 100}, {"tokenRatio", 0.1}};
  }
  return config.dump();
}

}  // namespace

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& target, const std::vector<IdempotentMethod>& idempotent,
                                           std::shared_ptr<grpc::ChannelCredentials> credentials) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  // Also the time-out of one attempt to connect.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2000);
  // Closes a silent connection about when its streams end (LinkOptions::silence). Otherwise reopened streams, and
  // calls, would use the dead connection again. Must exceed the internal server's
  // GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, or the server closes the connection.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 5'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 7'000);
  arguments.SetInt(kPingTimeout, 7'000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetMaxSendMessageSize(kMaxMessageBytes);
  arguments.SetServiceConfigJSON(ServiceConfig(ParseTarget(target).replicas, idempotent));
  if (credentials == nullptr) credentials = grpc::InsecureChannelCredentials();
  return grpc::CreateCustomChannel(target, credentials, arguments);
}

}  // namespace hail::rpc
