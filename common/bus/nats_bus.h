// The bus between replicas, over NATS: https://docs.nats.io
//
// Each replica publishes on subjects `prefix`.TOPIC and has one NATS subscription, `prefix`.>, from which it serves its
// own subscribers. A local subscription therefore starts at once, without a request to the server, and costs the server
// nothing. A replica delivers its own messages to its own subscribers directly, with or without a server.
//
// Messages are hints, as on every Bus: while the server is away or too slow, messages to other replicas are lost and
// counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/bus/bus.h"

namespace hail {

// Whether the scheme of `url` is nats: or tls:.
bool IsNatsUrl(std::string_view url);

// Files, read as follows; each may be empty.
struct NatsFiles {
  // The authorities that sign servers' certificates (PEM), beside the system's. With it every connection has TLS, and
  // the certificate must name the host of the URL. Read once.
  std::string ca;
  // The certificate to show, and its key (PEM). Read once.
  std::string certificate;
  std::string key;
  // NATS's own credentials (a user's JWT and seed), read for each connection.
  std::string credentials;

  bool tls() const { return !ca.empty() || !certificate.empty(); }
};

struct NatsOptions {
  // nats://USER:PASSWORD@HOST:PORT or tls://…; separate several servers of one cluster by commas.
  std::string url;
  NatsFiles files = {};
  // First words of this service's subjects: "hail.rider".
  std::string prefix;
  // The client name that the server shows.
  std::string name;
  // Limit of the messages that wait to be sent, and of those that wait to be delivered here. Further messages are lost.
  std::size_t max_queue = 10'000;
};

struct NatsStats {
  bool connected = false;
  // Messages that were not sent, or not delivered here.
  std::uint64_t lost = 0;
};

class NatsBus : public Bus {
 public:
  virtual NatsStats stats() const = 0;
};

// Thread-safe, as is the bus it returns. Does not wait for the server: the bus connects in the background, and
// reconnects after each loss. INVALID_ARGUMENT for a malformed URL or a file that cannot be used.
absl::StatusOr<std::unique_ptr<NatsBus>> MakeNatsBus(const NatsOptions& options);

}  // namespace hail
