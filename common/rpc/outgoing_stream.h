// A long-lived stream to the other service, as its senders see it. ReconnectingStream and ReconnectingWriter
// (client_stream.h) implement it over gRPC; the simulation has its own implementation.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"

namespace hail::rpc {

// The handlers of a stream's owner. They run on one executor, one at a time: on_up(link), on_message(…)…,
// on_down(status); then again with the next link number.
template <typename Request, typename Response>
struct StreamHandlers {
  std::function<void(std::uint64_t link)> on_up = nullptr;
  // Not called for streams on which the server sends no messages.
  std::function<void(const Response&)> on_message = nullptr;
  std::function<void(const absl::Status&)> on_down = nullptr;
  // Creates the heartbeat to send. Unset: no heartbeats.
  std::function<Request()> heartbeat = nullptr;
};

// Thread-safe.
template <typename Request>
class OutgoingStream {
 public:
  virtual ~OutgoingStream() = default;

  // Opens the stream, and reopens it whenever it ends. Call it once.
  virtual void Start() = 0;
  // Ends the stream. When this returns, no handler runs or will run. Idempotent; must not be called from a handler.
  virtual void Stop() = 0;

  // Sends on link number `link`. False if that link is not up (any more). A sent message may still be lost with the
  // link.
  virtual bool Send(std::uint64_t link, Request message) = 0;
  // Replaces a waiting message with the same key. The number of keys must be bounded.
  virtual bool SendLatest(std::uint64_t link, const std::string& key, Request message) = 0;
  virtual bool up() const = 0;
};

// Creates a stream with the given handlers.
template <typename Request, typename Response>
using StreamOpener = std::function<std::unique_ptr<OutgoingStream<Request>>(StreamHandlers<Request, Response>)>;

}  // namespace hail::rpc
