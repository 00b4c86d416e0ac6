// The simulated network: streams and unary calls between phones and services, delayed, lost, cut and doubled at random.
// A stream keeps its messages in order, as TCP does; messages in flight are lost when it breaks.
//
// The server's end of a stream is the same StreamWriter and StreamCall that gRPC's reactors drive (common/rpc); only
// the reactor is replaced.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/gate.h"
#include "common/rpc/inbound.h"
#include "common/rpc/methods.h"
#include "common/rpc/outgoing_stream.h"
#include "common/rpc/server_stream.h"
#include "common/rpc/status.h"
#include "common/rpc/stream_call.h"
#include "common/rpc/stream_session.h"
#include "common/rpc/stream_writer.h"
#include "tests/simulation/scheduler.h"
#include "tests/tools/hail-sim/random.h"

namespace hail::simulation {

// The faults of one kind of route. All odds are per message or call.
struct Weather {
  absl::Duration latency_mean = absl::Milliseconds(2);
  absl::Duration latency_max = absl::Milliseconds(20);
  // Odds that a message takes up to 3 s.
  double late = 0;
  // Odds that a stream's connection breaks and one of its ends does not notice.
  double cut = 0;
  double cut_unnoticed = 0;
  // Unary calls.
  double lose_request = 0;
  double lose_reply = 0;
  double double_request = 0;
};

// The route between two kinds of places.
struct Route {
  std::string name;
  Weather weather;
  // No message passes, and neither end is notified.
  bool partitioned = false;
};

// Counts of faults.
struct NetworkCounts {
  std::int64_t cuts = 0;
  std::int64_t lost_requests = 0;
  std::int64_t lost_replies = 0;
  std::int64_t doubled = 0;
  std::int64_t late = 0;
};

class Network {
 public:
  Network(Scheduler* scheduler, sim::Random* random) : scheduler_(scheduler), random_(random) {}

  Scheduler& scheduler() { return *scheduler_; }
  sim::Random& random() { return *random_; }
  NetworkCounts& counts() { return counts_; }

  absl::Duration Latency(const Route& route) {
    if (random_->Chance(route.weather.late)) {
      ++counts_.late;
      return absl::Milliseconds(random_->Between(20, 3000));
    }
    return std::min(route.weather.latency_max, route.weather.latency_mean * -std::log(1.0 - random_->Unit()));
  }

 private:
  Scheduler* const scheduler_;
  sim::Random* const random_;
  NetworkCounts counts_;
};

// The server's ends of all streams of one process. They are dropped with the process.
class ServerEnd {
 public:
  virtual ~ServerEnd() = default;
  // The process is dead: the client notices later.
  virtual void ProcessDied() = 0;
};
// In the order of their opening. An order by address would differ between runs.
class ServerEnds {
 public:
  std::uint64_t Add(std::shared_ptr<ServerEnd> end) {
    ends_.emplace(++last_, std::move(end));
    return last_;
  }
  void Remove(std::uint64_t number) { ends_.erase(number); }
  // The process is dead.
  void Die() {
    for (const auto& [number, end] : std::exchange(ends_, {})) end->ProcessDied();
  }

 private:
  std::map<std::uint64_t, std::shared_ptr<ServerEnd>> ends_;
  std::uint64_t last_ = 0;
};

// Callbacks of a client's stream. None is called after the client has released the stream.
template <typename Response>
struct ClientEnd {
  // The client's process; null for phones, which do not die.
  const Life* life = nullptr;
  std::function<void()> on_connected;
  // For observers: called for each message that leaves the server for this client, whether it arrives or not.
  std::function<void(const Response&)> on_sent;
  std::function<void(const Response&)> on_message;
  std::function<void(const absl::Status&)> on_end;
  bool open = true;
};

// One direction of a stream: keeps the order.
struct Lane {
  absl::Time last = absl::InfinitePast();

  absl::Time Next(absl::Time arrival) { return last = std::max(last, arrival); }
};

template <typename Request, typename Response>
class ServerCall final : public ServerEnd,
                         public rpc::StreamTransport<Response>,
                         public std::enable_shared_from_this<ServerCall<Request, Response>> {
 public:
  ServerCall(Network* network, Route* route, const Life* life, rpc::Gate* gate, ServerEnds* ends,
             std::shared_ptr<ClientEnd<Response>> client, const char* method, const rpc::StreamOptions& options,
             bool inbound)
      : network_(network),
        route_(route),
        life_(life),
        ends_(ends),
        client_(std::move(client)),
        max_bytes_(options.max_message_bytes > 0 ? options.max_message_bytes : gate->options().max_request_bytes),
        writer_(std::make_shared<rpc::StreamWriter<Response>>(this, options.queue)),
        call_(std::make_shared<rpc::detail::StreamCall>(gate, method, writer_, inbound && options.must_beat,
                                                        options.ages)),
        inbound_(inbound) {}

  template <typename MakeSession>
  void Open(MakeSession&& make_session) {
    // A refusal reaches the client by the writer.
    call_
        ->Open({},
               [&](absl::Time, std::uint64_t) -> rpc::detail::StreamCall::Opened { return {make_session(writer_)}; })
        .IgnoreError();
    if (inbound_) writer_->ReadOn();
    ToClient([](ClientEnd<Response>& client) {
      if (client.on_connected) client.on_connected();
    });
  }

  // Called by the client's end.
  void SendToServer(const Request& request) {
    if (*broken_) return;
    Network& network = *network_;
    if (route_->partitioned) return;
    if (MaybeCut()) return;
    network.scheduler().At(to_server_.Next(network.scheduler().now() + network.Latency(*route_)), life_,
                           [self = this->shared_from_this(), request] {
                             if (*self->broken_ || self->over_ || self->notified_) return;
                             self->arrived_.push_back(request);
                             self->TakeNext();
                           });
  }
  // The client releases the stream.
  void ClientLeft() {
    if (*broken_) return;
    Network& network = *network_;
    broken_by_client_ = true;
    // The notice may be lost as well; then the server finds out by silence.
    if (route_->partitioned || network.random().Chance(route_->weather.cut_unnoticed)) return;
    network.scheduler().At(to_server_.Next(network.scheduler().now() + network.Latency(*route_)), life_,
                           [self = this->shared_from_this()] { self->Gone(); });
  }

  void set_number(std::uint64_t number) { number_ = number; }
  bool broken() const { return *broken_; }

  void ProcessDied() override {
    if (client_ == nullptr) return;
    const std::shared_ptr<ClientEnd<Response>> client = std::exchange(client_, nullptr);
    *broken_ = true;
    // A dead machine sends nothing; for a dead process its kernel closes the connection.
    if (route_->partitioned || network_->random().Chance(0.1)) return;
    network_->scheduler().After(network_->Latency(*route_), client->life, [client] {
      if (!std::exchange(client->open, false)) return;
      client->on_end(absl::UnavailableError("connection reset"));
    });
  }

  // --- StreamTransport: the writer calls these with its mutex held ---

  void TransportWrite(const Response* message) override {
    writing_ = true;
    if (client_ != nullptr && client_->on_sent) client_->on_sent(*message);
    // Nothing is acknowledged: the write stays in flight.
    if (*broken_ || broken_by_client_ || route_->partitioned) return;
    if (!MaybeCut()) {
      ToClient([copy = *message](ClientEnd<Response>& client) { client.on_message(copy); });
    }
    network_->scheduler().After(absl::Microseconds(network_->random().Between(0, 300)), life_,
                                [self = this->shared_from_this()] {
                                  if (!std::exchange(self->writing_, false)) return;
                                  self->writer_->OnWriteDone(!self->notified_);
                                });
  }
  void TransportFinish(const grpc::Status& status) override {
    ToClient([status = rpc::FromGrpc(status)](ClientEnd<Response>& client) {
      client.open = false;
      client.on_end(status);
    });
    network_->scheduler().After(absl::ZeroDuration(), life_, [self = this->shared_from_this()] { self->Done(); });
  }
  void TransportCancel() override {
    ToClient([](ClientEnd<Response>& client) {
      client.open = false;
      client.on_end(absl::CancelledError("cut off"));
    });
    network_->scheduler().After(absl::ZeroDuration(), life_, [self = this->shared_from_this()] { self->Gone(); });
  }
  void TransportRead() override {
    reads_ = true;
    if (arrived_.empty()) return;
    network_->scheduler().After(absl::ZeroDuration(), life_, [self = this->shared_from_this()] { self->TakeNext(); });
  }

 private:
  template <typename Deliver>
  void ToClient(Deliver deliver) {
    if (client_ == nullptr || *broken_ || route_->partitioned) return;
    network_->scheduler().At(to_client_.Next(network_->scheduler().now() + network_->Latency(*route_)), client_->life,
                             [broken = broken_, client = client_, deliver] {
                               if (*broken || !client->open) return;
                               deliver(*client);
                             });
  }

  // Whether the connection breaks now. Messages in flight are lost.
  bool MaybeCut() {
    if (!network_->random().Chance(route_->weather.cut)) return false;
    ++network_->counts().cuts;
    *broken_ = true;
    const double unnoticed = route_->weather.cut_unnoticed;
    if (client_ != nullptr && !network_->random().Chance(unnoticed)) {
      network_->scheduler().After(network_->Latency(*route_), client_->life, [client = client_] {
        if (!std::exchange(client->open, false)) return;
        client->on_end(absl::UnavailableError("connection reset"));
      });
    }
    if (!network_->random().Chance(unnoticed)) {
      network_->scheduler().After(network_->Latency(*route_), life_,
                                  [self = this->shared_from_this()] { self->Gone(); });
    }
    return true;
  }

  // Passes the next received message to the session, if the session reads.
  void TakeNext() {
    if (*broken_ || over_ || arrived_.empty() || !std::exchange(reads_, false)) return;
    const Request request = std::move(arrived_.front());
    arrived_.pop_front();
    if (request.ByteSizeLong() > max_bytes_) return writer_->Abort(rpc::detail::TooLarge("message", max_bytes_));
    rpc::detail::TakeIn(*call_, *writer_, request);
  }

  // The transport reports that the client is gone, as gRPC does to the reactor.
  void Gone() {
    if (std::exchange(notified_, true)) return;
    writer_->OnCancel();
    if (std::exchange(reads_, false)) rpc::detail::TakeInEnd<Request>(*call_);
    if (std::exchange(writing_, false)) writer_->OnWriteDone(false);
  }
  void Done() {
    if (std::exchange(over_, true)) return;
    const auto self = this->shared_from_this();
    reads_ = false;
    call_->Close();
    ends_->Remove(number_);
  }

  Network* const network_;
  Route* const route_;
  const Life* const life_;
  ServerEnds* const ends_;
  std::uint64_t number_ = 0;
  std::shared_ptr<ClientEnd<Response>> client_;
  const std::size_t max_bytes_;
  const std::shared_ptr<rpc::StreamWriter<Response>> writer_;
  const std::shared_ptr<rpc::detail::StreamCall> call_;
  Lane to_server_;
  Lane to_client_;
  const bool inbound_;
  // A read is in progress.
  bool reads_ = false;
  // Received messages that the session has not read yet.
  std::deque<Request> arrived_;
  bool writing_ = false;
  // The connection is gone; messages are dropped. Shared with the messages in flight to the client, because those must
  // not keep the server's end alive beyond its process.
  const std::shared_ptr<bool> broken_ = std::make_shared<bool>(false);
  bool broken_by_client_ = false;
  // The server has been notified.
  bool notified_ = false;
  bool over_ = false;
};

// A client's handle of its stream.
template <typename Request, typename Response>
class ClientCall {
 public:
  explicit ClientCall(std::shared_ptr<ClientEnd<Response>> end) : end_(std::move(end)) {}
  ~ClientCall() { Cancel(); }

  // Messages sent before the server has accepted the stream go out once it has.
  void Send(const Request& request) {
    if (!end_->open) return;
    if (const auto server = server_.lock()) {
      server->SendToServer(request);
    } else if (!connected_) {
      early_.push_back(request);
    }
  }
  // The client gets no more callbacks.
  void Cancel() {
    if (!std::exchange(end_->open, false)) return;
    if (const auto server = server_.lock()) server->ClientLeft();
  }
  bool open() const { return end_->open; }
  // Whether a message can still arrive.
  bool healthy() const {
    const auto server = server_.lock();
    return server != nullptr && !server->broken();
  }

  void Connected(const std::shared_ptr<ServerCall<Request, Response>>& server) {
    connected_ = true;
    server_ = server;
    for (const Request& request : std::exchange(early_, {})) server->SendToServer(request);
  }

 private:
  const std::shared_ptr<ClientEnd<Response>> end_;
  std::weak_ptr<ServerCall<Request, Response>> server_;
  bool connected_ = false;
  std::vector<Request> early_;
};

// Opens a stream to the process that `host` returns when the opening arrives (null: no process). `serve(Host&, writer)`
// makes the session.
template <typename Request, typename Response, typename Host, typename Serve>
std::shared_ptr<ClientCall<Request, Response>> OpenStream(Network* network, Route* route,
                                                          std::shared_ptr<ClientEnd<Response>> client,
                                                          std::function<Host*()> host, const char* method,
                                                          const rpc::StreamOptions& options, bool inbound,
                                                          Serve serve) {
  auto call = std::make_shared<ClientCall<Request, Response>>(client);
  if (route->partitioned) return call;
  const auto refused = [network, route, client](const char* why) {
    network->scheduler().After(network->Latency(*route), client->life, [client, why] {
      if (!std::exchange(client->open, false)) return;
      client->on_end(absl::UnavailableError(why));
    });
  };
  network->scheduler().After(
      network->Latency(*route), nullptr,
      [network, route, client, host, method, options, inbound, serve, refused,
       weak = std::weak_ptr<ClientCall<Request, Response>>(call)] {
        if (client->life != nullptr && !client->life->alive()) return;
        const auto call = weak.lock();
        if (!client->open || call == nullptr) return;
        Host* const process = host();
        if (process == nullptr || !process->serving()) return refused("connection refused");
        auto server = std::make_shared<ServerCall<Request, Response>>(
            network, route, &process->life(), &process->gate(), &process->ends(), client, method, options, inbound);
        server->set_number(process->ends().Add(server));
        server->Open(
            [&](std::shared_ptr<rpc::StreamWriter<Response>> writer) { return serve(*process, std::move(writer)); });
        call->Connected(server);
      });
  return call;
}

// One unary call. `serve(Host&, request, deadline (wall), answer)` handles it. `done` gets the outcome once, unless
// `life` (the caller's; null: a phone's) has ended.
template <typename Request, typename Response, typename Host, typename Serve>
void Call(Network* network, Route* route, const Life* life, std::function<Host*()> host, absl::Duration timeout,
          const Request& request, Serve serve, std::function<void(absl::StatusOr<Response>)> done) {
  Scheduler& scheduler = network->scheduler();
  const absl::Time deadline = scheduler.now() + timeout;
  auto waiting = std::make_shared<std::function<void(absl::StatusOr<Response>)>>(std::move(done));
  const auto finish = [waiting](absl::StatusOr<Response> outcome) {
    if (const auto finish = std::exchange(*waiting, nullptr)) finish(std::move(outcome));
  };
  const auto finish_later = [network, route, life, finish](absl::StatusOr<Response> outcome) {
    network->scheduler().After(network->Latency(*route), life, [finish, outcome] { finish(outcome); });
  };
  scheduler.At(deadline, life, [finish] { finish(absl::DeadlineExceededError("deadline exceeded")); });
  if (route->partitioned) return;
  if (network->random().Chance(route->weather.lose_request)) {
    ++network->counts().lost_requests;
    if (network->random().Chance(0.5)) finish_later(absl::UnavailableError("connection reset"));
    return;
  }
  const auto arrive = [network, route, life, host, request, serve, deadline, finish_later] {
    Host* const process = host();
    if (process == nullptr || !process->serving()) return finish_later(absl::UnavailableError("connection refused"));
    if (const absl::Status admitted = process->gate().EnterUnary(); !admitted.ok()) return finish_later(admitted);
    auto open = std::make_shared<bool>(true);
    serve(*process, request, process->clock().Own(deadline),
          [network, route, process, open, finish_later](absl::StatusOr<Response> outcome) {
            if (!std::exchange(*open, false)) return;
            process->gate().LeaveUnary();
            if (route->partitioned) return;
            if (network->random().Chance(route->weather.lose_reply)) {
              ++network->counts().lost_replies;
              if (network->random().Chance(0.5)) finish_later(absl::UnavailableError("connection reset"));
              return;
            }
            finish_later(std::move(outcome));
          });
  };
  scheduler.After(network->Latency(*route), nullptr, arrive);
  if (network->random().Chance(route->weather.double_request)) {
    ++network->counts().doubled;
    scheduler.After(network->Latency(*route) + absl::Milliseconds(network->random().Between(0, 2000)), nullptr, arrive);
  }
}

// Nobody in the simulated city speaks for another.
inline rpc::CallContext UncheckedCall() {
  rpc::CallContext call;
  call.caller = auth::Caller::Unchecked();
  return call;
}

// A unary call by the table of `Service` (common/rpc/methods.h). `Host::service` finds the service in a process;
// `Host::Observe` observes the answer.
template <typename Service, typename Host, typename Request>
void CallMethod(Network* network, Route* route, const Life* life, std::function<Host*()> host, absl::Duration timeout,
                const Request& request, Done<rpc::ResponseTo<Service, Request>> done) {
  using Response = rpc::ResponseTo<Service, Request>;
  Call<Request, Response, Host>(
      network, route, life, std::move(host), timeout, request,
      [](Host& process, const Request& request, absl::Time deadline, const Done<Response>& answer) {
        constexpr auto kMethod = rpc::MethodOf<Service, Request>();
        Service& service = process.service(static_cast<const Service*>(nullptr));
        if (const absl::Status admitted = kMethod.Admit(service, deadline); !admitted.ok()) return answer(admitted);
        // The request and the context must live until the answer.
        struct Arrived {
          rpc::CallContext context;
          Request request;
        };
        const auto arrived = std::make_shared<Arrived>();
        arrived->context = UncheckedCall();
        arrived->context.deadline = deadline;
        arrived->request = request;
        kMethod.Serve(service, arrived->context, arrived->request,
                      [arrived, observed = process.Observe(request, answer)](absl::StatusOr<Response> response) {
                        observed(std::move(response));
                      });
      },
      std::move(done));
}

// A stream by the table of `Service`. `request`: for a method that takes one. `opens`: observes that `Host` opens the
// stream.
template <typename Service, typename Host, typename Request>
auto OpenMethod(Network* network, Route* route, std::shared_ptr<ClientEnd<rpc::ResponseTo<Service, Request>>> client,
                std::function<Host*()> host, const Request& request = {}, std::function<void(Host&)> opens = nullptr) {
  using Response = rpc::ResponseTo<Service, Request>;
  constexpr auto kMethod = rpc::MethodOf<Service, Request>();
  return OpenStream<Request, Response, Host>(
      network, route, std::move(client), std::move(host), kMethod.name, kMethod.options, kMethod.kClientStreams,
      [request, opens](Host& process, std::shared_ptr<rpc::StreamWriter<Response>> writer) {
        if (opens) opens(process);
        constexpr auto kMethod = rpc::MethodOf<Service, Request>();
        Service& service = process.service(static_cast<const Service*>(nullptr));
        if constexpr (kMethod.kClientStreams) {
          return kMethod.Open(service, UncheckedCall(), std::move(writer));
        } else {
          return kMethod.Open(service, UncheckedCall(), request, std::move(writer));
        }
      });
}

// A service's long-lived stream to the other service, reopened whenever it ends: the counterpart of ReconnectingStream.
template <typename Request, typename Response>
class SimOutgoingStream final : public rpc::OutgoingStream<Request> {
 public:
  using Opener = std::function<std::shared_ptr<ClientCall<Request, Response>>(std::shared_ptr<ClientEnd<Response>>)>;

  // `server_sends`: the server sends on this stream, so silence means that it is gone. `life` is the process's.
  SimOutgoingStream(Network* network, const Life* life, Executor* executor, Opener open, bool server_sends,
                    rpc::StreamHandlers<Request, Response> handlers,
                    std::function<void(std::uint64_t link, const Request&)> on_send = nullptr)
      : network_(network),
        life_(life),
        executor_(executor),
        open_(std::move(open)),
        server_sends_(server_sends),
        handlers_(std::move(handlers)),
        on_send_(std::move(on_send)) {}
  ~SimOutgoingStream() override { call_.reset(); }

  void Start() override { Attempt(); }
  void Stop() override {
    stopped_ = true;
    call_.reset();
    up_ = false;
  }
  bool Send(std::uint64_t link, Request message) override {
    if (link != link_ || !up_ || call_ == nullptr) return false;
    if (on_send_) on_send_(link, message);
    call_->Send(message);
    return true;
  }
  bool SendLatest(std::uint64_t link, const std::string&, Request message) override {
    return Send(link, std::move(message));
  }
  bool up() const override { return up_; }

 private:
  void Attempt() {
    if (stopped_) return;
    const std::uint64_t link = ++link_;
    auto end = std::make_shared<ClientEnd<Response>>();
    end->life = life_;
    end->on_connected = [this, link] { executor_->Post([this, link] { BeUp(link); }); };
    end->on_message = [this, link](const Response& message) {
      last_received_ = network_->scheduler().now();
      executor_->Post([this, link, message] {
        if (link != link_ || stopped_) return;
        BeUp(link);
        if (handlers_.on_message) rpc::ForEachJoined(message, handlers_.on_message);
      });
    };
    end->on_end = [this, link](const absl::Status& status) {
      executor_->Post([this, link, status] { Ended(link, status); });
    };
    last_received_ = beat_ = network_->scheduler().now();
    call_ = open_(end);
    Tick(link);
  }
  void BeUp(std::uint64_t link) {
    if (link != link_ || up_ || stopped_ || call_ == nullptr) return;
    up_ = true;
    failures_ = 0;
    handlers_.on_up(link);
  }
  void Ended(std::uint64_t link, const absl::Status& status) {
    if (link != link_ || stopped_ || call_ == nullptr) return;
    call_.reset();
    if (std::exchange(up_, false) && handlers_.on_down) handlers_.on_down(status);
    const absl::Duration wait = std::min(absl::Milliseconds(50) * (1 << std::min(failures_++, 6)), absl::Seconds(2));
    network_->scheduler().After(wait * network_->random().Between(0.5, 1), life_, [this] { Attempt(); });
  }
  void Tick(std::uint64_t link) {
    network_->scheduler().After(absl::Milliseconds(500), life_, [this, link] {
      if (link != link_ || stopped_ || call_ == nullptr) return;
      const absl::Time now = network_->scheduler().now();
      // The server sends nothing to a writer. A writer detects a dead server when its writes are not acknowledged.
      if (!server_sends_ && call_->healthy()) last_received_ = now;
      if (now - last_received_ >= (server_sends_ ? absl::Seconds(12) : absl::Seconds(20))) {
        return Ended(link, absl::DeadlineExceededError("nothing was received for too long"));
      }
      if (up_ && handlers_.heartbeat && now - beat_ >= absl::Seconds(5)) {
        beat_ = now;
        call_->Send(handlers_.heartbeat());
      }
      Tick(link);
    });
  }

  Network* const network_;
  const Life* const life_;
  Executor* const executor_;
  const Opener open_;
  const bool server_sends_;
  const rpc::StreamHandlers<Request, Response> handlers_;
  // For observers.
  const std::function<void(std::uint64_t, const Request&)> on_send_;
  std::shared_ptr<ClientCall<Request, Response>> call_;
  bool stopped_ = false;
  bool up_ = false;
  std::uint64_t link_ = 0;
  int failures_ = 0;
  absl::Time last_received_;
  absl::Time beat_;
};

}  // namespace hail::simulation
