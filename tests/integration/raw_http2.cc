#include "tests/integration/raw_http2.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace hail::testing {
namespace {

// RFC 9113 §6.
constexpr std::uint8_t kData = 0;
constexpr std::uint8_t kHeaders = 1;
constexpr std::uint8_t kSettings = 4;
constexpr std::uint8_t kEndStream = 1;
constexpr std::uint8_t kEndHeaders = 4;
constexpr std::uint16_t kInitialWindowSize = 4;

std::string BigEndian(std::uint32_t value, int bytes) {
  std::string text;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) text += static_cast<char>(value >> shift);
  return text;
}

// "Literal header field without indexing, new name" (RFC 7541 §6.2.2), for lengths below 127.
std::string Field(const std::string& name, const std::string& value) {
  return std::string(1, '\0') + static_cast<char>(name.size()) + name + static_cast<char>(value.size()) + value;
}

}  // namespace

RawHttp2::RawHttp2(const std::string& address) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  int port = 0;
  EXPECT_TRUE(absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port)) << address;
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0) << address << ": errno " << errno;
}

RawHttp2::~RawHttp2() { close(fd_); }

void RawHttp2::Send(const std::string& bytes) {
  // A test sends little: the data fits the socket's buffer.
  EXPECT_EQ(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
}

void RawHttp2::SendFrame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, const std::string& payload) {
  Send(BigEndian(static_cast<std::uint32_t>(payload.size()), 3) + static_cast<char>(type) + static_cast<char>(flags) +
       BigEndian(stream, 4) + payload);
}

void RawHttp2::SendPreface(std::uint32_t stream_window) {
  Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  SendFrame(kSettings, 0, 0, BigEndian(kInitialWindowSize, 2) + BigEndian(stream_window, 4));
}

std::uint32_t RawHttp2::Call(const std::string& path) {
  const std::uint32_t stream = std::exchange(next_stream_, next_stream_ + 2);
  SendFrame(kHeaders, kEndHeaders, stream,
            Field(":method", "POST") + Field(":scheme", "http") + Field(":path", path) +
                Field(":authority", "localhost") + Field("content-type", "application/grpc") + Field("te", "trailers"));
  return stream;
}

void RawHttp2::SendMessage(std::uint32_t stream, const std::string& message, bool last) {
  // Uncompressed flag, length, message.
  SendFrame(kData, last ? kEndStream : 0, stream,
            std::string(1, '\0') + BigEndian(static_cast<std::uint32_t>(message.size()), 4) + message);
}

void RawHttp2::SendHalfAFrame() {
  // The header of a HEADERS frame of 100 bytes, and its first 10 bytes.
  Send(BigEndian(100, 3) + static_cast<char>(kHeaders) + static_cast<char>(kEndHeaders) +
       BigEndian(std::exchange(next_stream_, next_stream_ + 2), 4) + std::string(10, '\0'));
}

bool RawHttp2::AwaitClose(absl::Duration limit) {
  const absl::Time deadline = absl::Now() + limit;
  char buffer[4096];
  while (true) {
    pollfd polled{fd_, POLLIN, 0};
    const std::int64_t left = absl::ToInt64Milliseconds(deadline - absl::Now());
    if (left <= 0 || poll(&polled, 1, static_cast<int>(left)) <= 0) return false;
    if (recv(fd_, buffer, sizeof buffer, 0) <= 0) return true;
  }
}

}  // namespace hail::testing
