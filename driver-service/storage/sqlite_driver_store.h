// The store port on SQLite: `<data_dir>/driver.db`, one process at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/sqlite/database.h"
#include "common/time/clock.h"
#include "driver-service/storage/driver_database.h"
#include "driver-service/storage/offer_log_buffer.h"

namespace hail::driver {

// Thread-safe.
class SqliteDriverStore final : public DriverDatabase {
 public:
  struct Options {
    // The file; missing folders are created.
    std::string path;
    int readers = 2;
    // Limit of waiting offer records; beyond it the oldest are lost.
    std::size_t max_waiting_records = 50'000;
  };

  // Opens or creates the file. `clock` and `observer` (may be null) must outlive the store. Errors: Database::Open.
  static absl::StatusOr<std::unique_ptr<SqliteDriverStore>> Open(const Options& options, const Clock* clock,
                                                                 sqlite::Observer* observer);
  ~SqliteDriverStore() override;

  void Register(const Driver& driver, const std::string& replica, std::int64_t epoch, absl::Time now,
                absl::Time deadline, ClaimDone done) override;
  void Get(const std::string& driver_id, std::function<void(absl::StatusOr<StoredDriver>)> done) override;
  void SetAvailability(const SessionClaim& session, Availability availability, absl::Time now, absl::Time deadline,
                       ClaimDone done) override;
  // Only this process has the file open. Session epochs start at the wall clock, so that they rise over restarts, and
  // nothing about sessions is stored.
  void ClaimSession(const std::string& driver_id, const std::string& replica, const Opening& opening,
                    ClaimDone done) override;
  void ClaimIdleSession(const std::string& driver_id, const std::string& replica, std::int64_t gone,
                        ClaimDone done) override;
  void GetSession(const std::string& driver_id, ClaimDone done) override;
  void RenewLease(const std::string&, std::function<void(absl::Status)> done) override { done(absl::OkStatus()); }
  void EndLease(const std::string&, std::function<void(absl::Status)> done) override { done(absl::OkStatus()); }
  void RecentClaims(absl::Duration, std::function<void(absl::StatusOr<std::vector<SessionClaim>>)> done) override {
    done(std::vector<SessionClaim>());
  }
  void AppendOfferLog(OfferRecord record) override { offer_log_.Append(std::move(record)); }
  void FindOffer(const std::string& offer_id, FindOfferDone done) override;

  void EraseProfile(const std::string& driver_id, Done<ErasedProfile> done) override;
  void OffersOf(const std::string& driver_id, const std::string& after, int limit,
                Done<std::vector<OfferRecord>> done) override;
  void DeleteOffersOf(const std::string& driver_id, int limit, Done<int> done) override;
  void DeleteOffersBefore(const std::string& before, int limit, Done<int> done) override;
  void Scrub(Done<bool> done) override;

  void ProbeWrite(std::function<void(absl::Status)> done) override { database_->ProbeWrite(std::move(done)); }
  std::size_t depth() const override { return database_->writer().depth() + database_->readers().depth(); }
  std::uint64_t lost_records() const override { return offer_log_.lost(); }
  void Stop() override;

 private:
  SqliteDriverStore(std::unique_ptr<sqlite::Database> database, const Clock* clock, std::size_t max_waiting_records);

  std::int64_t NextEpoch();
  // Deletes at most `limit` offers for which `where`, about `value`, holds.
  void DeleteOffers(const std::string& where, const std::string& value, int limit, Done<int> done);

  const Clock* const clock_;
  std::atomic<std::int64_t> last_epoch_{0};

  OfferLogBuffer offer_log_;
  // Last member: its threads use the members above.
  std::unique_ptr<sqlite::Database> database_;
};

}  // namespace hail::driver
