// A NATS server of Debian's package for tests: on a port of its own, gone with its object.
#pragma once

#include <sys/types.h>

#include <string>

#include "tests/conformance/temp_folder.h"

namespace hail::testing {

// Not thread-safe. What fails, fails the test that runs; a machine without the server fails it too: `make setup`
// installs it.
class NatsServer {
 public:
  // Finds a port; Start() makes it serve there.
  NatsServer();
  ~NatsServer();
  NatsServer(const NatsServer&) = delete;
  NatsServer& operator=(const NatsServer&) = delete;

  // nats://127.0.0.1:PORT
  std::string url() const;

  // Returns once it takes connections.
  void Start();
  // As a crash would.
  void Kill();

 private:
  // Starts it on `port`, or on one it finds (-1).
  void Run(int port);

  const TempFolder folder_;
  int port_ = 0;
  pid_t pid_ = 0;
};

}  // namespace hail::testing
