// Request and reply with one named process, over a Bus.
//
// A request is a message on the topic "ask.NAME" of the server process, with a number and the client's name. The reply
// is a message on "reply.NAME" of the client, with the same number. The bus may lose either, so the client must cope
// without a reply. The bus may duplicate them: a request may be handled twice; only the first reply counts.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/bus/bus.h"
#include "common/exec/executor.h"

namespace hail {

// Handles the requests to the process `name`. Thread-safe.
class RequestServer {
 public:
  // Thread-safe. May be called once, at any time, or not at all: then the client gets no reply.
  using Reply = std::function<void(std::string_view answer)>;

  // `on_request` runs on a thread of the bus, must not block, and may run concurrently with itself. It does not run
  // after the destructor. `bus` must outlive this object and every Reply.
  RequestServer(Bus* bus, std::string_view name, std::function<void(std::string_view request, Reply reply)> on_request);

 private:
  const std::unique_ptr<Bus::Subscription> subscription_;
};

// Sends requests to other processes, as the process `name`. Thread-safe.
class RequestClient {
 public:
  // UNAVAILABLE (without a Hail reason: the caller chooses one) if no reply came in time.
  using Done = std::function<void(absl::StatusOr<std::string> answer)>;

  // Both must outlive this. `executor` runs the time-outs.
  RequestClient(Bus* bus, Executor* executor, std::string_view name);
  // Drops open requests: their `done` does not run.
  ~RequestClient();
  RequestClient(const RequestClient&) = delete;
  RequestClient& operator=(const RequestClient&) = delete;

  // Sends `request` to the process `whom`. `done` runs once: on a thread of the bus, on the executor, or before this
  // returns. It must not block or destroy this client. `time_out` is wall time.
  void Ask(std::string_view whom, std::string_view request, absl::Duration time_out, Done done);

 private:
  struct Waiting;

  Bus* const bus_;
  Executor* const executor_;
  const std::string name_;
  // Shared with time-outs, which may fire after this client is destroyed.
  const std::shared_ptr<Waiting> waiting_;
  const std::unique_ptr<Bus::Subscription> subscription_;
};

}  // namespace hail
