#include "common/metrics/exposer.h"

#include <exception>
#include <utility>

#include "prometheus/exposer.h"

namespace hail::metrics {

absl::StatusOr<std::unique_ptr<Exposer>> Exposer::Start(const std::string& address, const Registry& registry) {
  try {
    auto exposer = std::make_unique<prometheus::Exposer>(address, /*num_threads=*/2);
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
