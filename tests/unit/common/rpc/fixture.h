// A server on loopback whose methods do what a test says. The contract's AssignmentService lends its shapes: a unary
// method, a bidirectional stream and a client stream; its meaning plays no part.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/rpc/channel.h"
#include "common/rpc/gate.h"
#include "common/rpc/service.h"
#include "common/rpc/service_host.h"
#include "common/rpc/stream_session.h"
#include "common/time/fake_clock.h"
#include "hail/internal/v1/assignment_service.grpc.pb.h"

namespace hail::rpc {

namespace v1 = hail::internal::v1;

// Longer than any step takes: only a hang lasts that long.
inline constexpr absl::Duration kPatience = absl::Seconds(30);

// A value that threads wait for.
template <typename T>
class Watched {
 public:
  explicit Watched(T value = {}) : value_(std::move(value)) {}
  void Update(const std::function<void(T&)>& change) {
    absl::MutexLock lock(&mutex_);
    change(value_);
  }
  T Get() const {
    absl::MutexLock lock(&mutex_);
    return value_;
  }
  bool WaitFor(const std::function<bool(const T&)>& condition, absl::Duration at_most = kPatience) {
    absl::MutexLock lock(&mutex_);
    const auto met = [&] { return condition(value_); };
    return mutex_.AwaitWithTimeout(absl::Condition(&met), at_most);
  }

 private:
  mutable absl::Mutex mutex_;
  T value_;
};

using WatchStreamWriter = StreamWriter<v1::WatchDriversResponse>;
using FindCall = UnaryCall<v1::FindAssignmentRequest, v1::FindAssignmentResponse>;

// A numbered message.
inline v1::WatchDriversResponse Numbered(std::int64_t number) {
  v1::WatchDriversResponse message;
  message.mutable_heartbeat()->set_sequence(number);
  return message;
}

// A message of about `bytes`.
inline v1::WatchDriversResponse Big(std::size_t bytes) {
  v1::WatchDriversResponse message;
  message.mutable_draining()->mutable_cursor()->set_ride_id(std::string(bytes, 'x'));
  return message;
}

inline v1::WatchDriversRequest Subscribe(const std::string& driver_id) {
  v1::WatchDriversRequest message;
  message.mutable_subscribe()->set_driver_id(driver_id);
  return message;
}

// A session whose reactions are functions. By default it finishes on half-close and drain and ignores the rest.
template <typename Request>
class FunctionSession final : public InboundSession<Request> {
 public:
  explicit FunctionSession(std::shared_ptr<StreamWriterBase> writer) : writer_(std::move(writer)) {}

  std::function<void(const Request&)> on_message = [](const Request&) {};
  std::function<void()> on_half_close = [this] { writer_->Finish(); };
  std::function<void()> on_heartbeat = [] {};
  std::function<void(absl::Duration)> on_drain = [this](absl::Duration) { writer_->Finish(); };
  std::function<void()> on_end = [] {};

  void OnMessage(const Request& message) override { on_message(message); }
  void OnHalfClose() override { on_half_close(); }
  void OnHeartbeat() override { on_heartbeat(); }
  void OnDrain(absl::Duration retry_after) override { on_drain(retry_after); }
  void OnEnd() override { on_end(); }

 private:
  const std::shared_ptr<StreamWriterBase> writer_;
};

using WatchSession = FunctionSession<v1::WatchDriversRequest>;
using ReportSession = FunctionSession<v1::ReportLocationsRequest>;

class FunctionService final : public Service {
 public:
  // `watch`: options of WatchDrivers. ReportLocations needs no heartbeats and does not age.
  explicit FunctionService(Gate* gate, const StreamOptions& watch = {.greets = true},
                           const Authenticator* authenticator = &ChecksNobody(),
                           limits::Class limit = limits::Class::kFree)
      : Service(gate, v1::AssignmentService::service_full_name(), authenticator) {
    Unary<v1::FindAssignmentRequest, v1::FindAssignmentResponse>(
        "FindAssignment", [this](const auto& call) { on_find(call); }, [](absl::Time) { return absl::OkStatus(); },
        limit);
    Bidi<v1::WatchDriversRequest, v1::WatchDriversResponse>(
        "WatchDrivers", watch, [this](std::shared_ptr<WatchStreamWriter> writer, const CallContext&) {
          auto session = std::make_shared<WatchSession>(writer);
          on_watch(*session, std::move(writer));
          return session;
        });
    Inbound<v1::ReportLocationsRequest, v1::ReportLocationsResponse>(
        "ReportLocations", {.must_beat = false, .ages = false, .greets = true},
        [this](std::shared_ptr<StreamWriterBase> writer, const CallContext&) {
          auto session = std::make_shared<ReportSession>(writer);
          on_report(*session, std::move(writer));
          return session;
        });
  }

  std::function<void(std::shared_ptr<FindCall>)> on_find;
  // Prepares a session just made.
  std::function<void(WatchSession&, std::shared_ptr<WatchStreamWriter>)> on_watch = [](auto&, auto) {};
  std::function<void(ReportSession&, std::shared_ptr<StreamWriterBase>)> on_report = [](auto&, auto) {};
};

// Records the reports of the gate.
class RecordingObserver final : public CallObserver {
 public:
  void OnUnaryDone(const char* method, absl::StatusCode code, absl::Duration) override {
    events.Update([&](auto& list) { list.push_back(std::string(method) + " " + absl::StatusCodeToString(code)); });
  }
  void OnStreamClosed(const char* method, absl::StatusCode code, absl::Duration) override {
    events.Update([&](auto& list) { list.push_back(std::string(method) + " " + absl::StatusCodeToString(code)); });
  }
  void OnException(const char* method, const std::string& what) override {
    events.Update([&](auto& list) { list.push_back(std::string(method) + " threw " + what); });
  }
  bool WaitFor(const std::string& event) {
    return events.WaitFor([&](const auto& list) { return std::find(list.begin(), list.end(), event) != list.end(); });
  }

  Watched<std::vector<std::string>> events;
};

// One server, complete. Its clock stands still, and its gate ticks only when the test calls Tick().
struct TestServer {
  explicit TestServer(GateOptions gate_options = {}, HostOptions host_options = {},
                      const StreamOptions& watch = {.greets = true},
                      const Authenticator* authenticator = &ChecksNobody())
      : gate(&clock, WithoutTicks(gate_options), &observer),
        service(&gate, watch, authenticator),
        host(host_options, &gate) {}

  void Start() {
    const absl::Status started = host.Start({}, {&service}, [] { return true; });
    ASSERT_TRUE(started.ok()) << started;
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(host.internal_port()); }

  static GateOptions WithoutTicks(GateOptions options) {
    options.tick = absl::ZeroDuration();
    return options;
  }

  FakeClock clock;
  RecordingObserver observer;
  Gate gate;
  FunctionService service;
  ServiceHost host;
};

}  // namespace hail::rpc
