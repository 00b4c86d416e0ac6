// A minimal HTTP/2 client, which can behave in ways that gRPC's own client never does.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace hail::rpc {

class RawHttp2 {
 public:
  enum Kind : std::uint8_t { kData = 0, kHeaders = 1, kSettings = 4, kPing = 6, kGoAway = 7 };
  static constexpr std::uint8_t kEndStream = 1;
  static constexpr std::uint8_t kEndHeaders = 4;
  static constexpr std::uint8_t kAck = 1;

  struct Frame {
    std::uint8_t kind = 0;
    std::uint8_t flags = 0;
    std::uint32_t stream = 0;
    std::string payload;
  };

  // Connects to 127.0.0.1. Half a minute without data counts as the end of the connection.
  explicit RawHttp2(int port) : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{30, 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    connected_ = connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~RawHttp2() { close(socket_); }
  RawHttp2(const RawHttp2&) = delete;
  RawHttp2& operator=(const RawHttp2&) = delete;

  bool connected() const { return connected_; }

  void Send(std::string_view bytes) const { (void)!send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  void SendFrame(const Frame& frame) const {
    std::string bytes = Number(static_cast<std::uint32_t>(frame.payload.size())).substr(1);
    bytes += static_cast<char>(frame.kind);
    bytes += static_cast<char>(frame.flags);
    Send(bytes + Number(frame.stream) + frame.payload);
  }
  void Greet() const {
    Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    SendFrame({.kind = kSettings});
  }
  // A unary call with an empty message.
  void Call(std::uint32_t stream, const std::string& path) const {
    std::string block;
    for (const auto& [name, value] : {std::pair<std::string, std::string>{":method", "POST"},
                                      {":scheme", "http"},
                                      {":path", path},
                                      {":authority", "localhost"},
                                      {"te", "trailers"},
                                      {"content-type", "application/grpc"}}) {
      block += '\0' + Text(name) + Text(value);
    }
    SendFrame({.kind = kHeaders, .flags = kEndHeaders, .stream = stream, .payload = block});
    SendFrame({.kind = kData, .flags = kEndStream, .stream = stream, .payload = std::string(5, '\0')});
  }

  // nullopt at the end of the connection.
  std::optional<Frame> Next() const {
    const std::optional<std::string> head = Read(9);
    if (!head) return std::nullopt;
    const auto byte = [&](int at) { return static_cast<std::uint8_t>((*head)[at]); };
    std::optional<std::string> payload = Read(byte(0) << 16 | byte(1) << 8 | byte(2));
    if (!payload) return std::nullopt;
    return Frame{byte(3), byte(4),
                 static_cast<std::uint32_t>((byte(5) & 127) << 24 | byte(6) << 16 | byte(7) << 8 | byte(8)),
                 *std::move(payload)};
  }
  std::optional<Frame> NextThat(const std::function<bool(const Frame&)>& wanted) const {
    while (std::optional<Frame> frame = Next()) {
      if (wanted(*frame)) return frame;
    }
    return std::nullopt;
  }

  // The parameters of a SETTINGS frame.
  static std::map<int, std::uint32_t> Settings(const std::string& payload) {
    std::map<int, std::uint32_t> settings;
    for (std::size_t at = 0; at + 6 <= payload.size(); at += 6) {
      std::uint32_t value = 0;
      for (std::size_t i = 2; i < 6; ++i) value = value << 8 | static_cast<std::uint8_t>(payload[at + i]);
      settings[static_cast<std::uint8_t>(payload[at]) << 8 | static_cast<std::uint8_t>(payload[at + 1])] = value;
    }
    return settings;
  }

 private:
  static std::string Number(std::uint32_t number) {
    return {static_cast<char>(number >> 24), static_cast<char>(number >> 16), static_cast<char>(number >> 8),
            static_cast<char>(number)};
  }
  // Of less than 127 bytes, not compressed.
  static std::string Text(const std::string& text) { return static_cast<char>(text.size()) + text; }

  std::optional<std::string> Read(std::size_t bytes) const {
    std::string read;
    while (read.size() < bytes) {
      char buffer[4096];
      const ssize_t got = recv(socket_, buffer, std::min(sizeof(buffer), bytes - read.size()), 0);
      if (got <= 0) return std::nullopt;
      read.append(buffer, static_cast<std::size_t>(got));
    }
    return read;
  }

  const int socket_;
  bool connected_ = false;
};

}  // namespace hail::rpc
