// hail_conformance_server: common/rpc as the server under test of Connect's conformance suite.
//
//   connectconformance --mode server … -- hail_conformance_server
//
// Reads a ServerCompatRequest from stdin, answers on stdout with its address, and serves until SIGTERM.
#include <arpa/inet.h>

#include <cstdint>
#include <iostream>
#include <string>

#include "absl/time/time.h"
#include "common/exec/loop.h"
#include "common/rpc/gate.h"
#include "common/rpc/service.h"
#include "common/rpc/service_host.h"
#include "common/rpc/termination.h"
#include "common/time/clock.h"
#include "connectrpc/conformance/v1/server_compat.pb.h"
#include "tests/protocol/conformance_service.h"
#include "tests/protocol/extras.h"

namespace hail::protocol {
namespace {

using connectrpc::conformance::v1::ServerCompatRequest;
using connectrpc::conformance::v1::ServerCompatResponse;

// On stdin and stdout each message follows its size in 4 bytes.
bool Read(ServerCompatRequest* request) {
  std::uint32_t size = 0;
  if (!std::cin.read(reinterpret_cast<char*>(&size), sizeof(size))) return false;
  std::string bytes(ntohl(size), '\0');
  return std::cin.read(bytes.data(), static_cast<std::streamsize>(bytes.size())) && request->ParseFromString(bytes);
}

void Write(const ServerCompatResponse& response) {
  const std::string bytes = response.SerializeAsString();
  const std::uint32_t size = htonl(static_cast<std::uint32_t>(bytes.size()));
  std::cout.write(reinterpret_cast<const char*>(&size), sizeof(size));
  std::cout << bytes << std::flush;
}

int Run() {
  ServerCompatRequest request;
  if (!Read(&request)) {
    std::cerr << "hail_conformance_server: stdin has no ServerCompatRequest\n";
    return 2;
  }
  KeepExtras();
  // The suite asks for RESOURCE_EXHAUSTED beyond the limit. Of Hail's two limits, the listener's answers so.
  const SystemClock clock;
  rpc::HostOptions options{.grace = absl::Seconds(1)};
  options.limits.max_message_bytes = static_cast<int>(request.message_receive_limit());
  rpc::Gate gate(&clock, {.max_request_bytes = request.message_receive_limit()}, nullptr);

  Loop loop("answers");
  ConformanceService service(&loop);
  rpc::GrpcService<ConformanceService> served(&gate, &service, &rpc::ChecksNobody());
  rpc::ServiceHost host(options, &gate);
  if (const absl::Status started = host.Start({&served}, {}, [] { return true; }); !started.ok()) {
    std::cerr << "hail_conformance_server: " << started << "\n";
    return 1;
  }
  ServerCompatResponse response;
  response.set_host("127.0.0.1");
  response.set_port(static_cast<std::uint32_t>(host.port()));
  Write(response);
  rpc::WaitForTermination();
  host.Drain();
  return 0;
}

}  // namespace
}  // namespace hail::protocol

int main() {
  // Before any thread exists.
  hail::rpc::BlockTermination();
  return hail::protocol::Run();
}
