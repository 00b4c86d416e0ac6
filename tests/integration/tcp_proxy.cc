#include "tests/integration/tcp_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <iterator>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace hail::testing {
namespace {

constexpr std::size_t kReadBytes = 16 * 1024;
// The interval at which Trickle delivers bytes.
constexpr absl::Duration kDole = absl::Milliseconds(20);
// A limit, so that a missed wake-up does not hang.
constexpr absl::Duration kMaxWait = absl::Seconds(1);

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

// A socket bound to `port` of 127.0.0.1, which other sockets of this process may share.
int Bind(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  const sockaddr_in address = Loopback(port);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ADD_FAILURE() << "cannot bind port " << port << ": errno " << errno;
  }
  return fd;
}

void Reset(int fd) {
  const linger now{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close(fd);
}

}  // namespace

// One direction of a connection: the bytes read, and when they are to be delivered.
struct TcpProxy::Pipe {
  struct Chunk {
    absl::Time due;
    std::string bytes;
  };
  std::deque<Chunk> held;
  std::size_t held_bytes = 0;
  // How many bytes Trickle may deliver now, and when that was computed.
  double credit = 0;
  absl::Time credited = absl::Now();
  bool read_ended = false;
  bool write_ended = false;
  // Bytes are missing: the pipe delivers nothing any more.
  bool swallowed = false;
};

struct TcpProxy::Connection {
  // By the Way that begins at the end; -1 once the end is gone.
  int ends[2] = {-1, -1};
  // By Way.
  Pipe pipes[2];
  // Neither end learns that the other has gone.
  bool Silent() const { return pipes[0].swallowed || pipes[1].swallowed; }
};

TcpProxy::TcpProxy() : holder_(Bind(0)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  getsockname(holder_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  {
    absl::MutexLock lock(&mutex_);
    Listen();
  }
  thread_ = std::thread([this] { Run(); });
}

TcpProxy::~TcpProxy() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  Wake();
  thread_.join();
  absl::MutexLock lock(&mutex_);
  ResetAll();
  if (listener_ >= 0) close(listener_);
  close(holder_);
  close(wake_);
}

std::string TcpProxy::address() const { return absl::StrCat("127.0.0.1:", port_); }

void TcpProxy::SetTarget(const std::string& address) {
  absl::MutexLock lock(&mutex_);
  EXPECT_TRUE(absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &target_port_)) << address;
}

void TcpProxy::Wake() const {
  const std::uint64_t one = 1;
  (void)!write(wake_, &one, sizeof one);
}

void TcpProxy::Listen() {
  if (listener_ >= 0) return;
  listener_ = Bind(port_);
  if (listen(listener_, 64) != 0) ADD_FAILURE() << "cannot listen: errno " << errno;
}

void TcpProxy::ResetAll() {
  for (Connection& connection : connections_) ResetEnds(connection);
  connections_.clear();
}

void TcpProxy::ResetEnds(Connection& connection) {
  for (int& end : connection.ends) {
    if (end >= 0) Reset(end);
    end = -1;
  }
}

void TcpProxy::Treat(const Treatment& forth, const Treatment& back) {
  {
    absl::MutexLock lock(&mutex_);
    treatments_[0] = forth;
    treatments_[1] = back;
    Listen();
  }
  Wake();
}

void TcpProxy::Pass() { Treat({}, {}); }
void TcpProxy::BlackHole() { Treat({.black_hole = true}, {.black_hole = true}); }
void TcpProxy::BlackHole(Way way) { Treat({.black_hole = way == Way::kForth}, {.black_hole = way == Way::kBack}); }
void TcpProxy::Delay(absl::Duration each_way) { Treat({.delay = each_way}, {.delay = each_way}); }
void TcpProxy::Trickle(std::int64_t bytes_per_second) {
  Treat({.bytes_per_second = bytes_per_second}, {.bytes_per_second = bytes_per_second});
}

void TcpProxy::Cut() {
  {
    absl::MutexLock lock(&mutex_);
    ResetAll();
  }
  Wake();
}

void TcpProxy::Refuse() {
  {
    absl::MutexLock lock(&mutex_);
    if (listener_ >= 0) close(listener_);
    listener_ = -1;
    ResetAll();
  }
  Wake();
}

std::size_t TcpProxy::connections() const {
  absl::MutexLock lock(&mutex_);
  return connections_.size();
}

std::int64_t TcpProxy::swallowed(Way way) const {
  absl::MutexLock lock(&mutex_);
  return swallowed_[static_cast<int>(way)];
}

void TcpProxy::Accept() {
  const int near = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (near < 0) return;
  // On the loopback a connect succeeds or fails at once, even if the listener has not accepted it yet.
  const int far = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(target_port_);
  if (connections_.size() >= kMaxConnections || target_port_ == 0 ||
      connect(far, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    Reset(near);
    close(far);
    return;
  }
  fcntl(far, F_SETFL, fcntl(far, F_GETFL) | O_NONBLOCK);
  const int on = 1;
  setsockopt(near, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(far, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  Connection& connection = connections_.emplace_back();
  connection.ends[0] = near;
  connection.ends[1] = far;
}

void TcpProxy::Run() {
  while (true) {
    std::vector<pollfd> polled;
    absl::Time look_again;
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return;
      polled = WhatToWaitFor(look_again);
    }
    const absl::Duration wait = std::max(absl::ZeroDuration(), look_again - absl::Now());
    // Rounded up, so as not to spin.
    const std::int64_t ms =
        wait >= kMaxWait ? absl::ToInt64Milliseconds(kMaxWait) : absl::ToInt64Milliseconds(wait) + 1;
    poll(polled.data(), polled.size(), static_cast<int>(ms));
    std::uint64_t woken;
    (void)!read(wake_, &woken, sizeof woken);

    absl::MutexLock lock(&mutex_);
    if (listener_ >= 0) Accept();
    // Sockets do not block: try each of them.
    for (auto connection = connections_.begin(); connection != connections_.end();) {
      connection = Move(*connection) ? std::next(connection) : connections_.erase(connection);
    }
  }
}

std::vector<pollfd> TcpProxy::WhatToWaitFor(absl::Time& look_again) const {
  std::vector<pollfd> polled = {{wake_, POLLIN, 0}, {listener_, POLLIN, 0}};
  look_again = absl::InfiniteFuture();
  const absl::Time now = absl::Now();
  for (const Connection& connection : connections_) {
    short events[2] = {0, 0};
    for (int way = 0; way < 2; ++way) {
      const Pipe& pipe = connection.pipes[way];
      if (!pipe.read_ended && pipe.held_bytes < kMaxHeld) events[way] |= POLLIN;
      if (pipe.held.empty()) continue;
      if (pipe.held.front().due > now) {
        look_again = std::min(look_again, pipe.held.front().due);
      } else if (treatments_[way].bytes_per_second > 0) {
        look_again = std::min(look_again, now + kDole);
      } else {
        events[1 - way] |= POLLOUT;
      }
    }
    for (int end = 0; end < 2; ++end) {
      // A connection that was reset and is not waiting would wake the poll again and again.
      polled.push_back({events[end] == 0 ? -1 : connection.ends[end], events[end], 0});
    }
  }
  return polled;
}

bool TcpProxy::Move(Connection& connection) {
  const absl::Time now = absl::Now();
  for (int way = 0; way < 2; ++way) {
    if (connection.ends[way] >= 0 && !Read(connection.ends[way], way, connection.pipes[way], now)) {
      Reset(std::exchange(connection.ends[way], -1));
    }
    if (connection.ends[1 - way] >= 0 && !Deliver(connection.ends[1 - way], way, connection.pipes[way], now)) {
      Reset(std::exchange(connection.ends[1 - way], -1));
    }
  }
  const bool gone = connection.ends[0] < 0 || connection.ends[1] < 0;
  const bool all_gone = connection.ends[0] < 0 && connection.ends[1] < 0;
  const bool finished = connection.pipes[0].write_ended && connection.pipes[1].write_ended;
  if (!all_gone && !finished && (!gone || connection.Silent())) return true;
  ResetEnds(connection);
  return false;
}

bool TcpProxy::Read(int fd, int way, Pipe& pipe, absl::Time now) {
  const Treatment& treatment = treatments_[way];
  char buffer[kReadBytes];
  while (!pipe.read_ended && pipe.held_bytes < kMaxHeld) {
    const ssize_t got = read(fd, buffer, sizeof buffer);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) {
      pipe.read_ended = true;
    } else if (treatment.black_hole || pipe.swallowed) {
      pipe.swallowed = true;
      swallowed_[way] += got;
    } else {
      pipe.held.push_back({now + treatment.delay, std::string(buffer, static_cast<std::size_t>(got))});
      pipe.held_bytes += static_cast<std::size_t>(got);
    }
  }
  return true;
}

bool TcpProxy::Deliver(int fd, int way, Pipe& pipe, absl::Time now) {
  const Treatment& treatment = treatments_[way];
  if (treatment.black_hole && !pipe.held.empty()) {
    pipe.swallowed = true;
    swallowed_[way] += static_cast<std::int64_t>(pipe.held_bytes);
    pipe.held.clear();
    pipe.held_bytes = 0;
  }
  const auto rate = static_cast<double>(treatment.bytes_per_second);
  // At most one second's worth is saved up.
  pipe.credit = std::min(pipe.credit + absl::ToDoubleSeconds(now - std::exchange(pipe.credited, now)) * rate, rate);
  while (!pipe.held.empty() && pipe.held.front().due <= now) {
    std::string& bytes = pipe.held.front().bytes;
    std::size_t size = bytes.size();
    if (rate > 0) size = std::min(size, static_cast<std::size_t>(pipe.credit));
    if (size == 0) break;
    const ssize_t sent = send(fd, bytes.data(), size, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    pipe.credit -= static_cast<double>(sent);
    pipe.held_bytes -= static_cast<std::size_t>(sent);
    bytes.erase(0, static_cast<std::size_t>(sent));
    if (bytes.empty()) pipe.held.pop_front();
  }
  const bool ended = pipe.read_ended && pipe.held.empty() && !pipe.swallowed && !treatment.black_hole;
  if (ended && !std::exchange(pipe.write_ended, true)) shutdown(fd, SHUT_WR);
  return true;
}

}  // namespace hail::testing
