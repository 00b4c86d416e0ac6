// A TCP proxy that stands for the network between two processes, and does to it what networks do.
//
//   TcpProxy network;
//   driver.Set("rider_service", network.address());
//   network.SetTarget(rider.internal_address());
//   …
//   network.BlackHole();
//   …
//   network.Pass();
#pragma once

#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace hail::testing {

// Thread-safe. One thread moves the bytes. At most kMaxConnections at once, and at most kMaxHeld bytes held for each
// direction of each: TCP flow control stops a faster sender.
class TcpProxy {
 public:
  enum class Way {
    // From the client to the target.
    kForth,
    // From the target to the client.
    kBack,
  };
  static constexpr std::size_t kMaxConnections = 256;
  static constexpr std::size_t kMaxHeld = 1 << 20;

  // Listens on a free port of 127.0.0.1. Without a target, connections are accepted and closed.
  TcpProxy();
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  // The proxy's own address, "127.0.0.1:PORT".
  std::string address() const;
  // The target of new connections, "127.0.0.1:PORT".
  void SetTarget(const std::string& address);

  // Ends all faults: bytes flow at once, in both directions. Connections that went through a black hole do not recover,
  // because bytes are missing. They stay silent until one end gives them up, like connections that a router has
  // forgotten.
  void Pass();
  // Resets every connection (RST). New ones are accepted.
  void Cut();
  // Resets every connection and refuses new ones, until Pass.
  void Refuse();
  // Accepts connections and takes all bytes, but delivers none: in one direction, or both. Neither end is notified.
  void BlackHole();
  void BlackHole(Way way);
  // Each byte arrives this much later.
  void Delay(absl::Duration each_way);
  // Each connection delivers at most this many bytes a second, in each direction.
  void Trickle(std::int64_t bytes_per_second);

  // Connections with at least one live end.
  std::size_t connections() const;
  // Bytes that were not delivered because of a black hole, over all connections.
  std::int64_t swallowed(Way way) const;

 private:
  struct Treatment {
    bool black_hole = false;
    absl::Duration delay;
    // 0: no limit.
    std::int64_t bytes_per_second = 0;
  };
  struct Pipe;
  struct Connection;

  void Run();
  std::vector<pollfd> WhatToWaitFor(absl::Time& look_again) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Moves all bytes that can be moved now. False: the connection is over, and closed.
  bool Move(Connection& connection) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // False: the end at `fd` is gone.
  bool Read(int fd, int way, Pipe& pipe, absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Deliver(int fd, int way, Pipe& pipe, absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static void ResetEnds(Connection& connection);
  void Accept() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Listen() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ResetAll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Treat(const Treatment& forth, const Treatment& back) ABSL_LOCKS_EXCLUDED(mutex_);
  // Wakes the thread, so that it sees the change.
  void Wake() const;

  // A socket bound to the port for the proxy's lifetime, never listening: it reserves the port while the proxy refuses
  // connections.
  int holder_ = -1;
  int port_ = 0;
  int wake_ = -1;

  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  int listener_ ABSL_GUARDED_BY(mutex_) = -1;
  int target_port_ ABSL_GUARDED_BY(mutex_) = 0;
  Treatment treatments_[2] ABSL_GUARDED_BY(mutex_);
  std::int64_t swallowed_[2] ABSL_GUARDED_BY(mutex_) = {0, 0};
  std::list<Connection> connections_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace hail::testing
