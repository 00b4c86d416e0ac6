// The HTTP endpoint that Prometheus scrapes: GET /metrics.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/metrics/metrics.h"

namespace prometheus {
class Exposer;
}

namespace hail::metrics {

// Serves from construction to destruction.
class Exposer {
 public:
  // `address` is HOST:PORT with a numeric host; port 0 picks a free one. UNAVAILABLE if it cannot be bound.
  static absl::StatusOr<std::unique_ptr<Exposer>> Start(const std::string& address, const Registry& registry);
  ~Exposer();
  Exposer(const Exposer&) = delete;
  Exposer& operator=(const Exposer&) = delete;

  // The port bound.
  int port() const;

 private:
  explicit Exposer(std::unique_ptr<prometheus::Exposer> exposer);

  std::unique_ptr<prometheus::Exposer> exposer_;
};

}  // namespace hail::metrics
