#include "tests/tools/hailctl/health.h"

#include <chrono>
#include <iostream>
#include <utility>

#include "common/text/text.h"
#include "grpcpp/completion_queue.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/support/byte_buffer.h"
#include "nlohmann/json.hpp"
#include "tests/tools/hailctl/table.h"

namespace hail::ctl {
namespace {

// grpc.health.v1.HealthCheckResponse has one field, number 1, an enum: two bytes for any value that is not 0. gRPC's
// own generated classes for it are not installed, and one field does not justify a copy of the file.
std::string StatusWord(const grpc::ByteBuffer& response) {
  std::vector<grpc::Slice> slices;
  if (!response.Dump(&slices).ok()) return "unknown";
  std::string bytes;
  for (const grpc::Slice& slice : slices) bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  if (bytes == std::string("\x08\x01", 2)) return "serving";
  if (bytes == std::string("\x08\x02", 2)) return "not_serving";
  return "unknown";
}

std::pair<std::string, grpc::Status> Ask(const Context& context, const std::string& address) {
  grpc::GenericStub stub(context.Connect(address));
  grpc::CompletionQueue queue;
  grpc::ByteBuffer response;
  // An empty HealthCheckRequest asks for the server as a whole.
  const grpc::Slice empty;
  const grpc::ByteBuffer request(&empty, 1);
  const grpc::Status status = context.Call([&](grpc::ClientContext* call) {
    grpc::Status finished;
    const auto reader = stub.PrepareUnaryCall(call, "/grpc.health.v1.Health/Check", request, &queue);
    reader->StartCall();
    reader->Finish(&response, &finished, nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    return finished;
  });
  queue.Shutdown();
  return {status.ok() ? StatusWord(response) : "unreachable", status};
}

}  // namespace

ExitCode Health(Context& context, const std::vector<std::string>& addresses) {
  std::vector<std::pair<std::string, std::string>> targets;
  for (const std::string& address : addresses) targets.emplace_back("service", address);
  if (targets.empty()) {
    targets.emplace_back("rider-service", context.options().rider_address);
    targets.emplace_back("driver-service", context.options().driver_address);
  }
  ExitCode code = kOk;
  Table table({"SERVICE", "ADDRESS", "STATUS", ""});
  nlohmann::json json = nlohmann::json::array();
  for (const auto& [service, address] : targets) {
    const auto [word, status] = Ask(context, address);
    if (word != "serving") code = kUnavailable;
    table.Add({service, address, word, status.error_message()});
    json.push_back({{"service", service}, {"address", address}, {"status", word}});
  }
  if (context.json()) {
    std::cout << Shown(nlohmann::json{{"services", json}}.dump()) << '\n' << std::flush;
  } else {
    std::cout << table.Text() << std::flush;
  }
  return code;
}

}  // namespace hail::ctl
