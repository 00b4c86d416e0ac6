// Request and reply with one named process, over a Bus (DESIGN §1).
//
// A request is a message on the topic "ask.NAME" of the process asked, with a number and the asker's name; the reply
// one on "reply.NAME" of the asker's, with the number. The bus may lose either, so the asker must cope without an
// answer. It may duplicate them: a request may be handled twice, and only the first reply counts.
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
  // Thread-safe; called once, now or later, or not at all: then the asker gets no reply.
  using Reply = std::function<void(std::string_view answer)>;

  // `on_request` runs on a thread of the bus's, must not block, and may run concurrently with itself; not after the end
  // of this object. `bus` must outlive this and every Reply.
  RequestServer(Bus* bus, std::string_view name, std::function<void(std::string_view request, Reply reply)> on_request);

 private:
  const std::unique_ptr<Bus::Subscription> subscription_;
};

// Asks other processes, as the process `name`. Thread-safe.
class RequestClient {
 public:
  // UNAVAILABLE (no Hail reason: the caller knows better) without an answer in time.
  using Done = std::function<void(absl::StatusOr<std::string> answer)>;

  // Both must outlive this. `executor` runs the time-outs.
  RequestClient(Bus* bus, Executor* executor, std::string_view name);
  // Forgets requests without an answer: their `done` does not run.
  ~RequestClient();
  RequestClient(const RequestClient&) = delete;
  RequestClient& operator=(const RequestClient&) = delete;

  // Asks the process `whom`. `done` runs once, on a thread of the bus's or on the executor, or before this returns; it
  // must not block, nor destroy the asker. `time_out` is wall time.
  void Ask(std::string_view whom, std::string_view request, absl::Duration time_out, Done done);

 private:
  struct Waiting;

  Bus* const bus_;
  Executor* const executor_;
  const std::string name_;
  // Shared with time-outs, which may come when the asker is gone.
  const std::shared_ptr<Waiting> waiting_;
  const std::unique_ptr<Bus::Subscription> subscription_;
};

}  // namespace hail
