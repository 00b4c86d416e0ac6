#include "common/metrics/exposer.h"

#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "prometheus/exposer.h"

namespace hail::metrics {
namespace {

// Options of civetweb. A connection occupies a thread until its request is complete and answered. A client that sends
// half a request occupies one for the request time-out, one second; 32 threads outnumber the connections of a
// misbehaving client. A scraper sends one request per connection, so connections are not kept alive.
std::vector<std::string> Options(const std::string& address) {
  return {"listening_ports",   address, "num_threads",       "32", "request_timeout_ms", "1000",
          "enable_keep_alive", "no",    "linger_timeout_ms", "0"};
}

}  // namespace

absl::StatusOr<std::unique_ptr<Exposer>> Exposer::Start(const std::string& address, const Registry& registry) {
  try {
    auto exposer = std::make_unique<prometheus::Exposer>(Options(address));
    exposer->RegisterCollectable(registry.collectable());
    return std::unique_ptr<Exposer>(new Exposer(std::move(exposer)));
  } catch (const std::exception& error) {
    return absl::UnavailableError("metrics cannot be served on " + address + ": " + error.what());
  }
}

Exposer::Exposer(std::unique_ptr<prometheus::Exposer> exposer) : exposer_(std::move(exposer)) {}

Exposer::~Exposer() = default;

int Exposer::port() const {
  const std::vector<int> ports = exposer_->GetListeningPorts();
  return ports.empty() ? 0 : ports.front();
}

}  // namespace hail::metrics
