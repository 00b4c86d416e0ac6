#include "tests/tools/hailctl/context.h"

#include <iostream>

#include "absl/time/clock.h"
#include "common/text/text.h"
#include "google/protobuf/util/json_util.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"

namespace hail::ctl {

std::shared_ptr<grpc::Channel> Context::Connect(const std::string& address) const {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  // This is also the time limit of one attempt: on a busy machine a handshake takes long.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  // Each command decides which calls to repeat, and when (docs/clients.md).
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  return grpc::CreateCustomChannel(
      address, options_.credentials != nullptr ? options_.credentials : grpc::InsecureChannelCredentials(), arguments);
}

std::string JsonText(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(message, &json, options).ok()) return "{}";
  return Shown(json);
}

hail::rider::v1::RiderService::Stub& Context::rider() {
  if (rider_ == nullptr) rider_ = hail::rider::v1::RiderService::NewStub(Connect(options_.rider_address));
  return *rider_;
}

hail::driver::v1::DriverService::Stub& Context::driver() {
  if (driver_ == nullptr) driver_ = hail::driver::v1::DriverService::NewStub(Connect(options_.driver_address));
  return *driver_;
}

void Context::Authorize(grpc::ClientContext* call) const {
  if (options_.tokens == nullptr || options_.bearer.role.empty()) return;
  const std::string token = options_.tokens->Authorization(options_.bearer, absl::Now());
  if (!token.empty()) call->AddMetadata("authorization", token);
}

void Context::Print(const google::protobuf::Message& message, const std::string& text) const {
  if (options_.json) {
    std::cout << JsonText(message) << '\n' << std::flush;
  } else {
    std::cout << ShownLines(text) << std::flush;
  }
}

}  // namespace hail::ctl
