// The store port on SQLite: `<data_dir>/driver.db`, one process at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/sqlite/database.h"
#include "common/time/clock.h"
#include "driver-service/domain/driver_store.h"

namespace hail::driver {

// Thread-safe.
class SqliteDriverStore final : public DriverStore {
 public:
  struct Options {
    // The file; missing folders are created.
    std::string path;
    int readers = 2;
    // Offer records waiting to be written; beyond it the oldest are lost.
    std::size_t max_waiting_records = 50'000;
  };

  // Opens or creates the file. `clock` and `observer` (may be null) must outlive the store. Errors: Database::Open.
  static absl::StatusOr<std::unique_ptr<SqliteDriverStore>> Open(const Options& options, const Clock* clock,
                                                                 sqlite::Observer* observer);
  ~SqliteDriverStore() override;

  void Register(const Driver& driver, absl::Time now, absl::Time deadline,
                std::function<void(absl::StatusOr<StoredDriver>)> done) override;
  void Get(const std::string& driver_id, std::function<void(absl::StatusOr<StoredDriver>)> done) override;
  void SetAvailability(const std::string& driver_id, Availability availability, absl::Time now, absl::Time deadline,
                       std::function<void(absl::StatusOr<StoredDriver>)> done) override;
  void AppendOfferLog(OfferRecord record) override;

  // Finds out whether commits work (sqlite::Database::ProbeWrite).
  void ProbeWrite(std::function<void(absl::Status)> done) { database_->ProbeWrite(std::move(done)); }

  // Changes and reads that wait now.
  std::size_t depth() const { return database_->writer().depth() + database_->readers().depth(); }
  // Offer records that were never written: too many were waiting, or the store refused them.
  std::uint64_t lost_records() const;

  // Finishes what is queued, the offer log included, and closes the file. Idempotent.
  void Stop();

 private:
  SqliteDriverStore(std::unique_ptr<sqlite::Database> database, std::size_t max_waiting_records);

  // Hands the waiting records to the writer, unless that is under way.
  void FlushRecords() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::size_t max_waiting_records_;
  mutable absl::Mutex mutex_;
  std::deque<OfferRecord> waiting_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  std::uint64_t lost_ ABSL_GUARDED_BY(mutex_) = 0;
  // Last: its threads use the members above until it is gone.
  std::unique_ptr<sqlite::Database> database_;
};

}  // namespace hail::driver
