#include "tests/integration/health.h"

#include <functional>
#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpcpp/client_context.h"
#include "grpcpp/completion_queue.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/support/byte_buffer.h"

namespace hail::testing {
namespace {

bool Await(const std::function<bool()>& holds) {
  const absl::Time limit = absl::Now() + absl::Seconds(30);
  while (!holds()) {
    if (absl::Now() > limit) return false;
    absl::SleepFor(absl::Milliseconds(50));
  }
  return true;
}

Health AskHealth(const std::shared_ptr<grpc::Channel>& channel) {
  // grpc.health.v1.HealthCheckResponse {status}: field 1, a varint; 1 is SERVING and 2 NOT_SERVING. The request for the
  // whole server is empty.
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(10)));
  const grpc::Slice nothing;
  const grpc::ByteBuffer request(&nothing, 1);
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check", request, &queue);
  call->StartCall();
  grpc::ByteBuffer response;
  grpc::Status status;
  call->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  grpc::Slice slice;
  if (!status.ok() || !response.DumpToSingleSlice(&slice).ok()) return Health::kNone;
  const std::string bytes(reinterpret_cast<const char*>(slice.begin()), slice.size());
  if (bytes == "\x08\x01") return Health::kServing;
  return bytes == "\x08\x02" ? Health::kNotServing : Health::kNone;
}

}  // namespace

Health HealthOf(const ServiceProcess& service) { return AskHealth(service.PublicChannel()); }

Health HealthAt(const std::string& address) { return AskHealth(MakeTestChannel(address)); }

bool Serving(const ServiceProcess& service) { return HealthOf(service) == Health::kServing; }

bool AwaitServing(const ServiceProcess& service, bool serving) {
  return Await([&] { return Serving(service) == serving; });
}

bool AwaitHealth(const ServiceProcess& service, Health health) {
  return Await([&] { return HealthOf(service) == health; });
}

}  // namespace hail::testing
