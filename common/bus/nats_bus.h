// The bus between replicas, over NATS: https://docs.nats.io
//
// Each replica publishes on subjects `prefix`.TOPIC and has one subscription, `prefix`.>, from which it serves its own
// subscribers: so a subscription is in place at once, without asking the server, and costs it nothing. What a replica
// publishes reaches its own subscribers directly, whether there is a server or not.
//
// A hint, as every Bus: while the server is away, or does not keep up, messages to other replicas are lost and counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/bus/bus.h"

namespace hail {

// Whether `url` says nats: or tls:.
bool IsNatsUrl(std::string_view url);

struct NatsOptions {
  // nats://USER:PASSWORD@HOST:PORT or tls://…; more servers of one cluster after commas.
  std::string url;
  // Words of a subject, of this service's own: "hail.rider".
  std::string prefix;
  // Shown by the server.
  std::string name;
  // Messages that wait to be sent, or to be delivered here, beyond which they are lost.
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

// Thread-safe, as is what it returns. Does not wait for the server: it is connected to when it is there, now or later,
// and again whenever it was gone. INVALID_ARGUMENT for a URL that is none.
absl::StatusOr<std::unique_ptr<NatsBus>> MakeNatsBus(const NatsOptions& options);

}  // namespace hail
