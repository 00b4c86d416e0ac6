#include "common/rpc/service.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#if __has_include("google/protobuf/stubs/logging.h")
#include "google/protobuf/stubs/logging.h"
#endif

namespace hail::rpc {
namespace {

using grpc::internal::RpcMethod;

bool Fits(const google::protobuf::MethodDescriptor* contract, RpcMethod::RpcType type,
          const google::protobuf::Descriptor* request, const google::protobuf::Descriptor* response) {
  return contract != nullptr && contract->input_type() == request && contract->output_type() == response &&
         contract->client_streaming() == (type == RpcMethod::CLIENT_STREAMING || type == RpcMethod::BIDI_STREAMING) &&
         contract->server_streaming() == (type == RpcMethod::SERVER_STREAMING || type == RpcMethod::BIDI_STREAMING);
}

// protobuf logs each text that is not UTF-8 to stderr. Received texts of this kind are answered and counted; only texts
// that we send ourselves are a bug worth logging.
#if __has_include("google/protobuf/stubs/logging.h")
void OnProtobufLine(google::protobuf::LogLevel, const char* file, int line, const std::string& message) {
  if (message.find("when parsing") != std::string::npos) return;
  std::fprintf(stderr, "protobuf %s:%d: %s\n", file, line, message.c_str());
}
void QuietProtobuf() {
  static const bool once = [] { return google::protobuf::SetLogHandler(&OnProtobufLine) != nullptr; }();
  static_cast<void>(once);
}
#else
void QuietProtobuf() {}
#endif

}  // namespace

Service::Service(Gate* gate, std::string full_name, const Authenticator* authenticator)
    : gate_(gate), full_name_(std::move(full_name)), authenticator_(authenticator) {
  QuietProtobuf();
}

void Service::Add(const char* method, RpcMethod::RpcType type, const google::protobuf::Descriptor* request,
                  const google::protobuf::Descriptor* response, grpc::internal::MethodHandler* handler) {
  const auto* const contract =
      google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(full_name_ + "." + method);
  if (!Fits(contract, type, request, response)) {
    std::fprintf(stderr, "%s.%s is not served as the contract has it\n", full_name_.c_str(), method);
    std::abort();
  }
  const std::string& path = paths_.emplace_back("/" + full_name_ + "/" + method);
  AddMethod(new grpc::internal::RpcServiceMethod(path.c_str(), type, nullptr));
  MarkMethodRawCallback(static_cast<int>(paths_.size()) - 1, handler);
}

}  // namespace hail::rpc
