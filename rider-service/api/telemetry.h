// The positions of the drivers of live rides. The latest wins, and nothing is stored: after a restart, positions are
// unknown until the next report.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/geo/position_order.h"
#include "common/time/clock.h"
#include "hail/internal/v1/assignment_service.pb.h"
#include "hail/rider/v1/rider_service.pb.h"

namespace hail::rider {

// A position is shown as missing when the latest fix was observed longer ago than this (domain time).
inline constexpr absl::Duration kMissingAfter = absl::Seconds(30);

// The latest position known of a ride's driver.
struct DriverFix {
  // As sent to riders, except for the age of the position.
  hail::rider::v1::RideTelemetry telemetry;
  std::int64_t session_epoch = 0;
  // When the device took the fix: receipt minus age, domain time. Never before an earlier fix of the assignment.
  absl::Time observed;
  // Wall time.
  absl::Time received;

  // The message to send at `now`: the age grows with time; when it is too old, the position counts as missing.
  hail::rider::v1::RideTelemetry At(const Now& now) const;
};

// Thread-safe.
class PositionCache {
 public:
  using OnFix = std::function<void(const std::shared_ptr<const DriverFix>&)>;

  // Ends the subscription when destroyed; a running call may still finish.
  class Subscription {
   public:
    Subscription(PositionCache* board, std::string ride_id, std::uint64_t id)
        : board_(board), ride_id_(std::move(ride_id)), id_(id) {}
    ~Subscription() { board_->Unsubscribe(ride_id_, id_); }
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;

   private:
    PositionCache* const board_;
    const std::string ride_id_;
    const std::uint64_t id_;
  };

  // `jitter` is kArrivalJitter as domain time. `started`: domain time; positions from before it are unknown here.
  explicit PositionCache(absl::Duration jitter = kArrivalJitter, absl::Time started = absl::InfinitePast())
      : jitter_(jitter), started_(started) {}

  // Stores a report. False, without effect, if it has no position or is not newer than the stored one: of a lower
  // epoch, or of the same epoch and not later (IsLater).
  bool Report(const hail::internal::v1::DriverLocation& location, const Now& now);

  // The latest fix of the ride at `epoch`; null if there is none.
  std::shared_ptr<const DriverFix> Latest(const std::string& ride_id, std::int64_t epoch) const;

  // The telemetry to show at `now` for the driver who was assigned at `assigned`: the latest fix, or that it is
  // missing. nullopt: no fix has come yet, and it is too early to report it missing.
  std::optional<hail::rider::v1::RideTelemetry> Show(const std::string& ride_id, std::int64_t epoch,
                                                     absl::Time assigned, const Now& now) const;

  // `on_fix` runs for each later fix of the ride, on the reporter's thread; it must not block. Two simultaneous fixes
  // may come in either order: Show has the latest. The cache must outlive the subscription.
  std::unique_ptr<Subscription> Subscribe(const std::string& ride_id, OnFix on_fix);

  // Drops fixes received before `wall`: their rides have ended, or their drivers have been silent for long.
  void DropOlderThan(absl::Time wall);

  // The number of rides with a fix.
  std::size_t size() const;

 private:
  void Unsubscribe(const std::string& ride_id, std::uint64_t id);

  const absl::Duration jitter_;
  const absl::Time started_;
  mutable absl::Mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<const DriverFix>> fixes_ ABSL_GUARDED_BY(mutex_);
  std::unordered_map<std::string, std::map<std::uint64_t, std::shared_ptr<OnFix>>> watchers_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
};

}  // namespace hail::rider
