// A service's two gRPC servers: the public one, and the internal one that is never published.
//
//   int main(…) {
//     rpc::BlockTermination();
//     …
//     rpc::ServiceHost host(options, &gate);
//     absl::Status started = host.Start({&rider_service}, {&assignment_service}, [&] { return store.healthy(); });
//     rpc::WritePortFile(port_file, {{"listen", host.port()}, …});
//     rpc::WaitForTermination();
//     host.Drain();   // servers are empty and closed when this returns
//     …               // then stop what the handlers used: links, loops, stores
//   }
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/rpc/gate.h"
#include "common/rpc/listener_limits.h"
#include "common/time/cond_var.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/impl/codegen/service_type.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server.h"

namespace hail::rpc {

namespace detail {
struct Listener;
}

struct HostOptions {
  // HOST:PORT; port 0 takes a free one.
  std::string listen = "127.0.0.1:0";
  std::string internal_listen = "127.0.0.1:0";
  // Where health alone is served, without TLS; empty: nowhere.
  std::string health_listen;
  // Of listen and internal_listen; null: no TLS.
  std::shared_ptr<grpc::ServerCredentials> credentials;
  std::shared_ptr<grpc::ServerCredentials> internal_credentials;
  // gRPC's own limits; the gate's limits are lower.
  ListenerLimits limits = PublicLimits();
  ListenerLimits internal_limits = InternalLimits();
  // Whether the addresses serve reflection.
  bool reflection = false;
  bool internal_reflection = false;
  // For Drain, in wall time: the time in which load balancers notice NOT_SERVING, while the service still accepts
  // calls.
  absl::Duration notice = absl::ZeroDuration();
  // The time in which calls and streams may end before they are cancelled.
  absl::Duration grace = absl::Seconds(10);
  // At this age a connection gets GOAWAY: its client opens a new connection, to any present address of the name. Open
  // streams stay. InfiniteDuration: never.
  absl::Duration connection_age = absl::InfiniteDuration();
  // The period over which drained clients return.
  absl::Duration retry_spread = absl::Seconds(2);
};

// Not thread-safe, except port(), internal_port() and health_port() after Start.
class ServiceHost {
 public:
  // `gate` must outlive the host.
  ServiceHost(HostOptions options, Gate* gate);
  // Drains, unless done already.
  ~ServiceHost();
  ServiceHost(const ServiceHost&) = delete;
  ServiceHost& operator=(const ServiceHost&) = delete;

  // Serves `public_services` on `listen`, and `internal_services` (and channelz) on `internal_listen`. Both have the
  // standard health service, for the server and for each service by its name. Every other method is refused with
  // NOT_SERVED. Health is SERVING while `healthy` returns true (called every 250 ms, on a thread of the host; must not
  // block). Services and the objects that they use must outlive Drain(). UNAVAILABLE if an address cannot be bound.
  absl::Status Start(const std::vector<grpc::Service*>& public_services,
                     const std::vector<grpc::Service*>& internal_services, std::function<bool()> healthy);

  int port() const;
  int internal_port() const;
  // 0 without health_listen.
  int health_port() const;

  // Sets health to NOT_SERVING, waits for the notice, then drains streams and refuses new calls. The servers close when
  // all have ended, or at the end of the grace, after cancelling the rest. When this returns, no handler runs.
  // Idempotent; must not be called on one of gRPC's threads.
  void Drain();

 private:
  void Beat(const std::function<bool()>& healthy);
  void SetServing(bool serving);
  void KeepAwake();

  const HostOptions options_;
  Gate* const gate_;
  // Null until Start has bound it.
  std::unique_ptr<detail::Listener> public_;
  std::unique_ptr<detail::Listener> internal_;
  std::unique_ptr<detail::Listener> health_;
  std::unique_ptr<grpc::GenericStub> awake_stub_;

  absl::Mutex mutex_;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  SteadyCondVar drain_;
  int awake_calls_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread beat_;
};

// Serves before the real service can: health is NOT_SERVING on both addresses, and every other method ends
// STORE_UNAVAILABLE, which clients retry. The destructor frees the addresses. Use it only before the process's
// ServiceHost starts.
class NotServingHost {
 public:
  explicit NotServingHost(const HostOptions& options);
  ~NotServingHost();
  NotServingHost(const NotServingHost&) = delete;
  NotServingHost& operator=(const NotServingHost&) = delete;

  // Whether listen and internal_listen are bound.
  bool bound() const { return public_ != nullptr && internal_ != nullptr; }
  // 0 if not bound.
  int port() const;
  int internal_port() const;

 private:
  std::unique_ptr<detail::Listener> public_;
  std::unique_ptr<detail::Listener> internal_;
  std::unique_ptr<detail::Listener> health_;
};

// Writes {"listen":50051,…} to `path` atomically: readers (this user only) see all or nothing; a link of that name is
// replaced. UNAVAILABLE on failure.
absl::Status WritePortFile(const std::string& path, const std::map<std::string, int>& ports);

}  // namespace hail::rpc
