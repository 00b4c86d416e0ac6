// A NATS server of Debian's package for tests: on its own port, stopped by its destructor.
#pragma once

#include <sys/types.h>

#include <string>

#include "tests/conformance/temp_folder.h"

namespace hail::testing {

// Not thread-safe. A failure fails the running test. So does a machine without the server: `make setup` installs it.
class NatsServer {
 public:
  // Finds a port; Start() makes it serve there. `config`: text of the server's configuration file, without a port.
  explicit NatsServer(const std::string& config = "");
  ~NatsServer();
  NatsServer(const NatsServer&) = delete;
  NatsServer& operator=(const NatsServer&) = delete;

  // nats://127.0.0.1:PORT
  std::string url() const { return "nats://" + address(); }
  // 127.0.0.1:PORT
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  // What the server has logged so far.
  std::string log() const;

  // Returns once the server accepts connections.
  void Start();
  // Ends the server like a crash.
  void Kill();

 private:
  // Starts the server on `port`, or on a free port (-1).
  void Run(int port);

  const TempFolder folder_;
  int port_ = 0;
  pid_t pid_ = 0;
};

}  // namespace hail::testing
