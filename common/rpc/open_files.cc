#include "common/rpc/open_files.h"

#include <dlfcn.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/limits/connections.h"
#include "common/limits/network.h"

namespace hail::rpc {
namespace {

// A higher limit would only cost kernel memory: no process has so many connections.
constexpr rlim_t kMostFiles = 1 << 20;

// New connections are refused if their descriptor is not below this.
std::atomic<int> refuse_from{INT_MAX};

std::atomic<std::size_t> most_of_network{0};
std::atomic<bool> limit_loopback{false};
std::atomic<std::uint64_t> refused{0};

// The connections that are counted. Locked for a few map operations; nothing is called meanwhile.
struct Counted {
  absl::Mutex mutex;
  limits::Connections connections ABSL_GUARDED_BY(mutex);
  // Their number, so that other files are closed without the lock.
  std::atomic<std::size_t> size{0};
};
Counted& Open() {
  static auto* const counted = new Counted;
  return *counted;
}

std::optional<limits::Network> NetworkOf(int socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  if (getpeername(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0) return std::nullopt;
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    return limits::NetworkOf4(reinterpret_cast<const std::uint8_t*>(&v4.sin_addr));
  }
  if (address.ss_family != AF_INET6) return std::nullopt;
  return limits::NetworkOf16(reinterpret_cast<const sockaddr_in6&>(address).sin6_addr.s6_addr);
}

// Whether the new connection may stay.
bool Admits(int descriptor) {
  if (descriptor >= refuse_from.load(std::memory_order_relaxed)) return false;
  const std::size_t most = most_of_network.load(std::memory_order_relaxed);
  if (most == 0) return true;
  const std::optional<limits::Network> network = NetworkOf(descriptor);
  if (!network || (network->loopback() && !limit_loopback.load(std::memory_order_relaxed))) return true;
  Counted& open = Open();
  absl::MutexLock lock(&open.mutex);
  const bool added = open.connections.Add(descriptor, *network, most);
  open.size = open.connections.size();
  return added;
}

void Forget(int descriptor) {
  Counted& open = Open();
  if (open.size.load(std::memory_order_relaxed) == 0) return;
  absl::MutexLock lock(&open.mutex);
  open.connections.Remove(descriptor);
  open.size = open.connections.size();
}

}  // namespace

int UseAllOpenFiles() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlim_t wanted = std::min(limit.rlim_max, std::max(limit.rlim_cur, kMostFiles));
  if (wanted > limit.rlim_cur) {
    const rlimit raised{wanted, limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  const int most = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, INT_MAX));
  refuse_from = std::max(most / 2, most - kReservedFiles);
  return most;
}

void LimitConnectionsOfNetwork(std::size_t most, bool loopback_too) {
  limit_loopback = loopback_too;
  most_of_network = most;
}

std::uint64_t ConnectionsRefused() { return refused; }

std::size_t ConnectionsCounted() { return Open().size; }

}  // namespace hail::rpc

// Replaces the C library's accept4 for gRPC's listeners, because gRPC's own interface cannot limit the connections of a
// server. The kernel gives a new descriptor the lowest free number, so the number shows how many are in use.
// docs/life-of-a-ride.md lists what to check at an upgrade of gRPC.
extern "C" int accept4(int socket, sockaddr* address, socklen_t* length, int flags) {
  static const auto next = reinterpret_cast<decltype(&accept4)>(dlsym(RTLD_NEXT, "accept4"));
  const int descriptor = next(socket, address, length, flags);
  if (descriptor >= 0) {
    if (hail::rpc::Admits(descriptor)) return descriptor;
    hail::rpc::refused.fetch_add(1, std::memory_order_relaxed);
    close(descriptor);
    // As after an interrupted call: the listener goes on with the next connection.
    errno = EINTR;
  } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
    // As without a waiting connection: the listener waits for the next, instead of giving up.
    errno = EAGAIN;
  }
  return -1;
}

// Replaces the C library's close, because gRPC does not say when a connection ends. The call itself is made directly:
// this runs before the dynamic linker has found the C library's, too.
extern "C" int close(int descriptor) {
  hail::rpc::Forget(descriptor);
  return static_cast<int>(syscall(SYS_close, descriptor));
}
