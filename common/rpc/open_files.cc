#include "common/rpc/open_files.h"

#include <dlfcn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>

namespace hail::rpc {
namespace {

// A higher limit would only cost kernel memory: no process has so many connections.
constexpr rlim_t kMostFiles = 1 << 20;

// New connections are refused if their descriptor is not below this.
std::atomic<int> refuse_from{INT_MAX};

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

}  // namespace hail::rpc

// Replaces the C library's accept4 for gRPC's listeners, because gRPC's own interface cannot limit the connections of a
// server. The kernel gives a new descriptor the lowest free number, so the number shows how many are in use.
// docs/life-of-a-ride.md lists what to check at an upgrade of gRPC.
extern "C" int accept4(int socket, sockaddr* address, socklen_t* length, int flags) {
  static const auto next = reinterpret_cast<decltype(&accept4)>(dlsym(RTLD_NEXT, "accept4"));
  const int descriptor = next(socket, address, length, flags);
  if (descriptor >= 0) {
    if (descriptor < hail::rpc::refuse_from.load(std::memory_order_relaxed)) return descriptor;
    close(descriptor);
    // As after an interrupted call: the listener goes on with the next connection.
    errno = EINTR;
  } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
    // As without a waiting connection: the listener waits for the next, instead of giving up.
    errno = EAGAIN;
  }
  return -1;
}
