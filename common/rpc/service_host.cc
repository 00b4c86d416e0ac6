#include "common/rpc/service_host.h"

#include <pthread.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/time/clock.h"
#include "common/errors/error.h"
#include "common/errors/reason.h"
#include "common/rpc/deadline.h"
#include "common/rpc/steady_waits.h"
#include "common/time/clock.h"
#include "grpcpp/ext/channelz_service_plugin.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"
#include "grpcpp/support/channel_arguments.h"

namespace hail::rpc {
namespace {

constexpr absl::Duration kBeat = absl::Milliseconds(250);
// After the grace: what cancelled calls get to unwind.
constexpr absl::Duration kUnwind = absl::Seconds(2);

// How often clients may ping, at most. Phones every 10 s; the other service's channel does every 5 s (channel.cc).
constexpr absl::Duration kPublicPings = absl::Seconds(10);
constexpr absl::Duration kInternalPings = absl::Seconds(2);

std::unique_ptr<grpc::Server> Build(const std::string& address, const std::vector<grpc::Service*>& services,
                                    int max_message_bytes, absl::Duration pings, absl::Duration age, int* port) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), port);
  for (grpc::Service* service : services) builder.RegisterService(service);
  builder.SetMaxReceiveMessageSize(max_message_bytes);
  // By default Linux lets a second process listen on the same port and share its connections.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // Dead phones are found.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             static_cast<int>(absl::ToInt64Milliseconds(pings)));
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, 16 * 1024);
  if (age < absl::InfiniteDuration()) {
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, static_cast<int>(absl::ToInt64Milliseconds(age)));
  }
  return builder.BuildAndStart();
}

}  // namespace

ServiceHost::ServiceHost(HostOptions options, Gate* gate) : options_(std::move(options)), gate_(gate) {
  WaitOnSteadyClock();
}

ServiceHost::~ServiceHost() { Drain(); }

absl::Status ServiceHost::Start(const std::vector<grpc::Service*>& public_services,
                                const std::vector<grpc::Service*>& internal_services, std::function<bool()> healthy) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  server_ = Build(options_.listen, public_services, options_.max_message_bytes, kPublicPings, options_.connection_age,
                  &port_);
  if (server_ == nullptr) return Unavailable(Reason::kInternal, "cannot listen on " + options_.listen);
  // Applies to servers built from here on: channelz tells about connections, which is no business of the public.
  grpc::channelz::experimental::InitChannelzService();
  internal_server_ = Build(options_.internal_listen, internal_services, options_.max_internal_message_bytes,
                           kInternalPings, options_.connection_age, &internal_port_);
  if (internal_server_ == nullptr)
    return Unavailable(Reason::kInternal, "cannot listen on " + options_.internal_listen);
  SetServing(healthy());
  awake_stub_ = std::make_unique<grpc::GenericStub>(server_->InProcessChannel(grpc::ChannelArguments()));
  beat_ = std::thread([this, healthy = std::move(healthy)] { Beat(healthy); });
  pthread_setname_np(beat_.native_handle(), "beat");
  return absl::OkStatus();
}

void ServiceHost::SetServing(bool serving) {
  server_->GetHealthCheckService()->SetServingStatus(serving);
  internal_server_->GetHealthCheckService()->SetServingStatus(serving);
}

void ServiceHost::Beat(const std::function<bool()>& healthy) {
  const auto draining = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return draining_; };
  while (true) {
    KeepAwake();
    const bool serving = healthy();
    absl::MutexLock lock(&mutex_);
    if (drain_.Await(&mutex_, kBeat, draining)) return;
    SetServing(serving);
  }
}

// gRPC's callback threads sleep for up to 100 ms once there was nothing to do for a second; a call of our own now and
// then keeps them awake for others'.
void ServiceHost::KeepAwake() {
  struct AwakeCall {
    std::optional<grpc::ClientContext> context{std::in_place};
    grpc::ByteBuffer request;
    grpc::ByteBuffer response;
  };
  auto call = std::make_shared<AwakeCall>();
  // An empty message is the question for the whole server.
  const grpc::Slice nothing;
  call->request = grpc::ByteBuffer(&nothing, 1);
  call->context->set_deadline(ToGrpcDeadline(WallNow() + absl::Seconds(1)));
  {
    absl::MutexLock lock(&mutex_);
    ++awake_calls_;
  }
  awake_stub_->UnaryCall(&*call->context, "/grpc.health.v1.Health/Check", {}, &call->request, &call->response,
                         [this, call](const grpc::Status&) {
                           // It holds a channel, whose last owner must not be one of gRPC's threads (see
                           // outgoing_calls.h).
                           call->context.reset();
                           absl::MutexLock lock(&mutex_);
                           --awake_calls_;
                         });
}

void ServiceHost::Drain() {
  if (server_ == nullptr || internal_server_ == nullptr) return;
  {
    absl::MutexLock lock(&mutex_);
    if (draining_) return;
    draining_ = true;
    drain_.Signal();
    SetServing(false);
  }
  beat_.join();
  absl::SleepFor(options_.notice);
  gate_->Drain(options_.retry_spread);
  if (!gate_->WaitIdle(options_.grace)) {
    gate_->CancelStreams();
    gate_->WaitIdle(kUnwind);
  }
  {
    absl::MutexLock lock(&mutex_);
    const auto none = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return awake_calls_ == 0; };
    mutex_.Await(absl::Condition(&none));
  }
  awake_stub_.reset();
  // Everything that was let in has been answered. From Shutdown on, gRPC ends calls that come in on open connections
  // with CANCELLED, until it closes the connections and clients see that nobody is there. A deadline that has passed
  // makes that a moment; giving it a second would be a second of CANCELLED.
  const auto now = std::chrono::system_clock::now();
  server_->Shutdown(now);
  internal_server_->Shutdown(now);
  server_->Wait();
  internal_server_->Wait();
}

NotServingHost::NotServingHost(const HostOptions& options) {
  grpc::EnableDefaultHealthCheckService(true);
  int port = 0;
  server_ = Build(options.listen, {}, options.max_message_bytes, kPublicPings, absl::InfiniteDuration(), &port);
  internal_server_ = Build(options.internal_listen, {}, options.max_internal_message_bytes, kInternalPings,
                           absl::InfiniteDuration(), &port);
  for (grpc::Server* server : {server_.get(), internal_server_.get()}) {
    if (server != nullptr) server->GetHealthCheckService()->SetServingStatus(false);
  }
}

NotServingHost::~NotServingHost() {
  for (grpc::Server* server : {server_.get(), internal_server_.get()}) {
    // Watches of health are cut off at once.
    if (server != nullptr) server->Shutdown(std::chrono::system_clock::now());
  }
}

absl::Status WritePortFile(const std::string& path, const std::map<std::string, int>& ports) {
  const std::string partial = path + ".partial";
  {
    std::ofstream file(partial, std::ios::trunc);
    file << nlohmann::json(ports).dump() << "\n";
    file.close();
    if (!file) return Unavailable(Reason::kInternal, "cannot write " + partial);
  }
  if (std::rename(partial.c_str(), path.c_str()) != 0) {
    return Unavailable(Reason::kInternal, "cannot rename " + partial + " to " + path);
  }
  return absl::OkStatus();
}

}  // namespace hail::rpc
