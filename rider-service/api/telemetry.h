// Where the drivers of live rides are. Latest wins, nothing is stored: a restart knows nothing until the next report.
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
#include "common/time/clock.h"
#include "hail/internal/v1/assignment_service.pb.h"
#include "hail/rider/v1/rider_service.pb.h"

namespace hail::rider {

// The latest position known of a ride's driver.
struct DriverFix {
  // As riders are sent it. Its position's age is as of `received`.
  hail::rider::v1::RideTelemetry telemetry;
  std::int64_t session_epoch = 0;
  Now received;

  // When the device took it: receipt minus age, domain time.
  absl::Time ObservedAt() const;
  // What to send at `now`: the age grows while the fix lies here.
  hail::rider::v1::RideTelemetry At(const Now& now) const;
};

// Thread-safe.
class TelemetryBoard {
 public:
  using OnFix = std::function<void(const std::shared_ptr<const DriverFix>&)>;

  // Ends the subscription when destroyed; a call already under way may still finish.
  class Subscription {
   public:
    Subscription(TelemetryBoard* board, std::string ride_id, std::uint64_t id)
        : board_(board), ride_id_(std::move(ride_id)), id_(id) {}
    ~Subscription() { board_->Unsubscribe(ride_id_, id_); }
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;

   private:
    TelemetryBoard* const board_;
    const std::string ride_id_;
    const std::uint64_t id_;
  };

  // Takes a report. False, and nothing happens, if it has no position or is no newer than what is known: a lower epoch,
  // or of the same epoch not after the known (session epoch, position_seq).
  bool Report(const hail::internal::v1::DriverLocation& location, const Now& now);

  // The latest fix of the ride at `epoch`; null if there is none.
  std::shared_ptr<const DriverFix> Latest(const std::string& ride_id, std::int64_t epoch) const;

  // `on_fix` hears each later fix of the ride, on the reporter's thread; it must not block. The board must outlive the
  // subscription.
  std::unique_ptr<Subscription> Subscribe(const std::string& ride_id, OnFix on_fix);

  // Drops fixes received before `wall`: their rides have ended, or their drivers have fallen silent long ago.
  void DropOlderThan(absl::Time wall);

  // How many rides have a fix.
  std::size_t size() const;

 private:
  void Unsubscribe(const std::string& ride_id, std::uint64_t id);

  mutable absl::Mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<const DriverFix>> fixes_ ABSL_GUARDED_BY(mutex_);
  std::unordered_map<std::string, std::map<std::uint64_t, std::shared_ptr<OnFix>>> watchers_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
};

}  // namespace hail::rider
