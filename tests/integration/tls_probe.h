// A TLS client of which a test sets each detail: what it shows, which versions and protocols it speaks, and when it
// stops.
#pragma once

#include <string>

#include "common/tls/identity.h"

namespace hail::testing {

struct Probe {
  // What the client shows; empty certificate: nothing. Its `ca` verifies the server.
  tls::IdentityPem shows;
  // As OpenSSL writes them: TLS1_3_VERSION; 0: any.
  int version = 0;
  // Whether it offers ALPN h2.
  bool alpn = true;
};

struct ProbeResult {
  // The server sent its HTTP/2 settings: it would serve calls.
  bool served = false;
  // "TLSv1.3"
  std::string version;
  // Of the server's certificate, in hexadecimal digits.
  std::string serial;
};

// Connects to "127.0.0.1:PORT" and greets. With TLS 1.3 a client learns only after its own handshake that it is
// refused.
ProbeResult ProbeTls(const std::string& address, const Probe& probe);

// A connection that sends the first `bytes` bytes of a handshake and then nothing.
class HalfHandshake {
 public:
  HalfHandshake(const std::string& address, int bytes);
  ~HalfHandshake();
  HalfHandshake(HalfHandshake&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  HalfHandshake& operator=(HalfHandshake&&) = delete;

  bool connected() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

}  // namespace hail::testing
