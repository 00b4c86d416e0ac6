#include "driver-service/main/retention.h"

#include <cstdint>
#include <utility>

#include "common/exec/batches.h"
#include "common/ids/uuid.h"
#include "common/logging/log.h"

namespace hail::driver {
namespace {

// Offers that one transaction deletes.
constexpr int kBatch = 500;

}  // namespace

Retention::Retention(PersonStore* store, const Clock* clock, absl::Duration keep, metrics::Registry* registry)
    : store_(store),
      clock_(clock),
      keep_(keep),
      offers_(registry->Counters("retention_offers_total", "Offers deleted because of their age.").Of()) {}

void Retention::Start(Executor* executor) {
  RunBatches(executor, {}, [this](bool, std::function<void(bool)> finished) { Batch(std::move(finished)); });
}

void Retention::Batch(std::function<void(bool more)> finished) {
  // The lowest id of an offer that was made at that time.
  const std::string before = UuidV7(clock_->Read().wall - keep_, [] { return std::uint64_t{0}; });
  store_->DeleteOffersBefore(before, kBatch,
                             [this, finished = std::move(finished)](const absl::StatusOr<int>& deleted) {
                               if (!deleted.ok()) {
                                 Log(LogLevel::kWarn, "retention_failed", {{"status", deleted.status()}});
                                 return finished(false);
                               }
                               offers_.Add(*deleted);
                               finished(*deleted == kBatch);
                             });
}

}  // namespace hail::driver
