#include "rider-service/api/retention.h"

#include <utility>

#include "common/exec/batches.h"
#include "common/ids/uuid.h"
#include "common/logging/log.h"

namespace hail::rider {

Retention::Retention(People* people, const Clock* clock, absl::Duration keep, metrics::Registry* registry)
    : people_(people),
      clock_(clock),
      keep_(keep),
      rides_(registry->Counters("retention_rides_total", "Rides whose persons were erased because of their age.").Of()),
      failed_(registry->Counters("retention_failed_total", "Rides of that age that could not be changed.").Of()) {}

void Retention::Start(Executor* executor) {
  RunBatches(executor, {},
             [this](bool first, std::function<void(bool)> finished) { Batch(first, std::move(finished)); });
}

void Retention::Batch(bool first, std::function<void(bool more)> finished) {
  if (first) after_.clear();
  // The lowest id of a ride that was requested at that time.
  const std::string before = UuidV7(clock_->Read().wall - keep_, [] { return std::uint64_t{0}; });
  people_->Coarsen(before, after_,
                   [this, finished = std::move(finished)](const absl::StatusOr<People::Coarsened>& coarsened) {
                     const absl::Status& error = coarsened.ok() ? coarsened->error : coarsened.status();
                     if (!error.ok()) Log(LogLevel::kWarn, "retention_failed", {{"status", error}});
                     if (!coarsened.ok()) return finished(false);
                     rides_.Add(coarsened->rides);
                     failed_.Add(coarsened->failed);
                     after_ = coarsened->after;
                     finished(!after_.empty());
                   });
}

}  // namespace hail::rider
