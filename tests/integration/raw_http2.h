// A client with just enough HTTP/2 (RFC 9113) to open gRPC calls. It then does what no gRPC client does: it never
// reads, grants no window, or stops in the middle of a frame.
#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace hail::testing {

// One TCP connection. Not thread-safe. Only AwaitClose reads.
class RawHttp2 {
 public:
  // Connects to "127.0.0.1:PORT" and sends nothing.
  explicit RawHttp2(const std::string& address);
  ~RawHttp2();
  RawHttp2(const RawHttp2&) = delete;
  RawHttp2& operator=(const RawHttp2&) = delete;

  // The connection preface, with the window each stream grants for answers, in bytes.
  void SendPreface(std::uint32_t stream_window);
  // Opens the next stream with a call of `path` ("/hail.rider.v1.RiderService/WatchRide"); returns its number.
  std::uint32_t Call(const std::string& path);
  // Sends a serialized message on a stream; `last` closes the client's half of the stream.
  void SendMessage(std::uint32_t stream, const std::string& message, bool last);
  // Sends the beginning of a frame that never ends.
  void SendHalfAFrame();

  // Reads and drops bytes until the other side closes. Returns whether that happened within `limit`.
  bool AwaitClose(absl::Duration limit);

 private:
  void Send(const std::string& bytes);
  void SendFrame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, const std::string& payload);

  int fd_ = -1;
  std::uint32_t next_stream_ = 1;
};

}  // namespace hail::testing
