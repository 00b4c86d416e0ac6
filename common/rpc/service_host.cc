#include "common/rpc/service_host.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "common/errors/error.h"
#include "common/errors/reason.h"
#include "common/rpc/deadline.h"
#include "common/rpc/health_service.h"
#include "common/rpc/reflection_service.h"
#include "common/rpc/refusing_service.h"
#include "common/rpc/steady_waits.h"
#include "common/time/clock.h"
#include "grpcpp/ext/channelz_service_plugin.h"
#include "grpcpp/impl/server_builder_option.h"
#include "grpcpp/impl/server_builder_plugin.h"
#include "grpcpp/impl/server_initializer.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"
#include "grpcpp/support/channel_arguments.h"

namespace hail::rpc {
namespace {

constexpr absl::Duration kBeat = absl::Milliseconds(250);
// The time after the grace in which cancelled calls may finish.
constexpr absl::Duration kUnwind = absl::Seconds(2);

// Reports the names of all registered services, before the first call can arrive.
class NamesOfServices final : public grpc::ServerBuilderOption {
 public:
  using Tell = std::function<void(const std::vector<std::string>& names)>;
  explicit NamesOfServices(Tell tell) : tell_(std::move(tell)) {}

  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    plugins->push_back(std::make_unique<Plugin>(tell_));
  }

 private:
  class Plugin final : public grpc::ServerBuilderPlugin {
   public:
    explicit Plugin(Tell tell) : tell_(std::move(tell)) {}
    std::string name() override { return "names_of_services"; }
    // This plugin is the last: channelz has registered itself by now.
    void InitServer(grpc::ServerInitializer* server) override { tell_(*server->GetServiceList()); }
    void Finish(grpc::ServerInitializer*) override {}
    void ChangeArguments(const std::string&, void*) override {}

   private:
    const Tell tell_;
  };

  const Tell tell_;
};

}  // namespace

// A gRPC server on one address, with our services on it.
struct detail::Listener {
  // Plaintext if `secured_by` is null.
  Listener(absl::Status refusal, CallObserver* observer, std::shared_ptr<grpc::ServerCredentials> secured_by)
      : refusing(std::move(refusal), observer),
        credentials(secured_by != nullptr ? std::move(secured_by) : grpc::InsecureServerCredentials()) {}
  ~Listener() {
    if (server != nullptr) Close();
  }

  // Adds reflection. Must be called before Serve.
  void Reflect(Gate* gate) {
    for (const char* version : {"v1", "v1alpha"}) {
      reflection.push_back(std::make_unique<ReflectionService>(gate, version));
    }
  }

  // Serves `services`, health and reflection. False if the address cannot be bound.
  bool Serve(const std::string& address, const std::vector<grpc::Service*>& services, const ListenerLimits& limits) {
    grpc::ServerBuilder builder;
    for (grpc::Service* service : services) builder.RegisterService(service);
    for (const auto& version : reflection) builder.RegisterService(version.get());
    builder.SetOption(std::make_unique<NamesOfServices>([this](const std::vector<std::string>& names) {
      health.SetNames(names);
      for (const auto& version : reflection) version->SetServices(names);
    }));
    return Listen(address, limits, &builder);
  }

  // Serves health (every name) and refuses all other calls.
  bool Refuse(const std::string& address, const ListenerLimits& limits) {
    grpc::ServerBuilder builder;
    return Listen(address, limits, &builder);
  }

  bool Listen(const std::string& address, const ListenerLimits& limits, grpc::ServerBuilder* builder) {
    builder->AddListeningPort(address, credentials, &port);
    builder->RegisterService(&health);
    builder->RegisterCallbackGenericService(&refusing);
    SetLimits(limits, builder);
    server = builder->BuildAndStart();
    return server != nullptr;
  }

  // Ends all running calls.
  void Close() {
    health.End();
    server->Shutdown(std::chrono::system_clock::now());
  }

  HealthService health;
  RefusingService refusing;
  const std::shared_ptr<grpc::ServerCredentials> credentials;
  std::vector<std::unique_ptr<ReflectionService>> reflection;
  int port = 0;
  // Destroyed first.
  std::unique_ptr<grpc::Server> server;
};

namespace {

int PortOf(const std::unique_ptr<detail::Listener>& listener) { return listener == nullptr ? 0 : listener->port; }

}  // namespace

ServiceHost::ServiceHost(HostOptions options, Gate* gate) : options_(std::move(options)), gate_(gate) {
  WaitOnSteadyClock();
}

ServiceHost::~ServiceHost() { Drain(); }

int ServiceHost::port() const { return PortOf(public_); }

int ServiceHost::internal_port() const { return PortOf(internal_); }

int ServiceHost::health_port() const { return PortOf(health_); }

absl::Status ServiceHost::Start(const std::vector<grpc::Service*>& public_services,
                                const std::vector<grpc::Service*>& internal_services, std::function<bool()> healthy) {
  const auto bind = [this](const std::string& address, const std::vector<grpc::Service*>& services,
                           ListenerLimits limits, bool reflection,
                           const std::shared_ptr<grpc::ServerCredentials>& credentials,
                           std::unique_ptr<detail::Listener>* listener) {
    limits.age = options_.connection_age;
    auto made = std::make_unique<detail::Listener>(NoSuchMethod(), &gate_->observer(), credentials);
    if (reflection) made->Reflect(gate_);
    if (!made->Serve(address, services, limits)) {
      return Unavailable(Reason::kInternal, "cannot listen on " + address);
    }
    *listener = std::move(made);
    return absl::OkStatus();
  };
  absl::Status bound =
      bind(options_.listen, public_services, options_.limits, options_.reflection, options_.credentials, &public_);
  if (!bound.ok()) return bound;
  if (!options_.health_listen.empty()) {
    bound = bind(options_.health_listen, {}, options_.limits, false, nullptr, &health_);
    if (!bound.ok()) return bound;
  }
  // Applies to servers built from here on: channelz describes connections, which must not be public.
  grpc::channelz::experimental::InitChannelzService();
  bound = bind(options_.internal_listen, internal_services, options_.internal_limits, options_.internal_reflection,
               options_.internal_credentials, &internal_);
  if (!bound.ok()) return bound;
  SetServing(healthy());
  awake_stub_ = std::make_unique<grpc::GenericStub>(public_->server->InProcessChannel(grpc::ChannelArguments()));
  beat_ = std::thread([this, healthy = std::move(healthy)] { Beat(healthy); });
  pthread_setname_np(beat_.native_handle(), "beat");
  return absl::OkStatus();
}

void ServiceHost::SetServing(bool serving) {
  public_->health.SetServing(serving);
  internal_->health.SetServing(serving);
  if (health_ != nullptr) health_->health.SetServing(serving);
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

// gRPC's callback threads sleep for up to 100 ms after one second without work. A call of the process to itself every
// kBeat keeps them awake. docs/life-of-a-ride.md lists what to check at an upgrade of gRPC.
void ServiceHost::KeepAwake() {
  struct AwakeCall {
    std::optional<grpc::ClientContext> context{std::in_place};
    grpc::ByteBuffer request;
    grpc::ByteBuffer response;
  };
  auto call = std::make_shared<AwakeCall>();
  // The empty message asks for the health of the whole server.
  const grpc::Slice nothing;
  call->request = grpc::ByteBuffer(&nothing, 1);
  call->context->set_deadline(ToGrpcDeadline(WallNow() + absl::Seconds(1)));
  {
    absl::MutexLock lock(&mutex_);
    ++awake_calls_;
  }
  awake_stub_->UnaryCall(&*call->context, "/grpc.health.v1.Health/Check", {}, &call->request, &call->response,
                         [this, call](const grpc::Status&) {
                           // The context holds a channel, whose last owner must not be one of gRPC's threads (see
                           // outgoing_calls.h).
                           call->context.reset();
                           absl::MutexLock lock(&mutex_);
                           --awake_calls_;
                         });
}

void ServiceHost::Drain() {
  if (public_ == nullptr || internal_ == nullptr) return;
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
  // All admitted calls have been answered. From Shutdown on, gRPC ends new calls on open connections with CANCELLED,
  // until it closes the connections and clients notice. A deadline in the past makes this period short; a deadline of
  // one second would mean one second of CANCELLED.
  for (const auto* listener : {&public_, &internal_, &health_}) {
    if (*listener != nullptr) (*listener)->Close();
  }
  for (const auto* listener : {&public_, &internal_, &health_}) {
    if (*listener != nullptr) (*listener)->server->Wait();
  }
}

NotServingHost::NotServingHost(const HostOptions& options) {
  const absl::Status refusal = Unavailable(Reason::kStoreUnavailable, "the store is not available yet");
  const auto bind = [&refusal](const std::string& address, const ListenerLimits& limits,
                               const std::shared_ptr<grpc::ServerCredentials>& credentials) {
    auto made = std::make_unique<detail::Listener>(refusal, nullptr, credentials);
    return made->Refuse(address, limits) ? std::move(made) : nullptr;
  };
  public_ = bind(options.listen, options.limits, options.credentials);
  internal_ = bind(options.internal_listen, options.internal_limits, options.internal_credentials);
  if (!options.health_listen.empty()) health_ = bind(options.health_listen, options.limits, nullptr);
}

NotServingHost::~NotServingHost() = default;

int NotServingHost::port() const { return PortOf(public_); }

int NotServingHost::internal_port() const { return PortOf(internal_); }

absl::Status WritePortFile(const std::string& path, const std::map<std::string, int>& ports) {
  // A temporary file with an unpredictable name, created here for this user alone.
  std::string partial = path + ".XXXXXX";
  const int file = mkostemp(partial.data(), O_CLOEXEC);
  if (file < 0) return Unavailable(Reason::kInternal, "cannot write " + path + ": " + std::strerror(errno));
  const std::string text = nlohmann::json(ports).dump() + "\n";
  const bool written = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (close(file) == 0 && written && std::rename(partial.c_str(), path.c_str()) == 0) return absl::OkStatus();
  const int error = errno;
  unlink(partial.c_str());
  return Unavailable(Reason::kInternal, "cannot write " + path + ": " + std::strerror(error));
}

}  // namespace hail::rpc
