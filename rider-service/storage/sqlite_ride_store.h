// RideStore on SQLite: one writer with group commit, a few readers (common/sqlite). Schema: schema.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/sqlite/database.h"
#include "common/time/clock.h"
#include "rider-service/storage/ride_database.h"

namespace hail::rider {

// Thread-safe.
class SqliteRideStore final : public RideDatabase {
 public:
  // Opens or creates the database file at `options.path`. `clock` and `observer` (may be null) must outlive the store.
  // Errors are those of sqlite::Database::Open.
  static absl::StatusOr<std::unique_ptr<SqliteRideStore>> Open(const sqlite::DatabaseOptions& options,
                                                               const Clock* clock, sqlite::Observer* observer);

  absl::Status AdmitCreate(absl::Time deadline) const override;
  void Create(RideChange change, absl::Time deadline, Done<Created> done) override;
  void Change(std::string ride_id, Decide decide, absl::Time deadline, Done<Changed> done) override;
  void ById(std::string ride_id, Done<std::optional<Ride>> done) override;
  void ByRequest(std::string rider_id, std::string request_id, Done<std::optional<Ride>> done) override;
  void ActiveOfRider(std::string rider_id, Done<std::optional<Ride>> done) override;
  void ByOffer(std::string driver_id, std::string offer_id, Done<std::optional<Ride>> done) override;
  void ListOfRider(RiderListing listing, Done<RidePage> done) override;
  void ListOfDriver(DriverListing listing, Done<RidePage> done) override;
  void ReadLog(std::string ride_id, std::optional<std::int64_t> after, Done<RideLog> done) override;
  void ReadDriver(std::string driver_id, std::optional<Cursor> cursor, Done<DriverCatchUp> done) override;
  void ReadDriverEvents(std::string driver_id, std::int64_t after, Done<std::vector<RideEvent>> done) override;
  void Sequences(std::vector<std::string> ride_ids, Done<std::map<std::string, std::int64_t>> done) override;
  void DriverSequences(std::vector<std::string> driver_ids, Done<std::map<std::string, std::int64_t>> done) override;
  void Dispatchable(Done<std::vector<Ride>> done) override;
  void CountLive(Done<std::map<RideState, LiveRides>> done) override;
  void QuoteKey(Done<std::string> done) override;

  void RideIds(RideSelection selection, std::string after, int limit, Done<std::vector<std::string>> done) override;
  void FindLive(RideSelection selection, Done<std::optional<std::string>> done) override;
  void RewriteRide(std::string ride_id, Rewrite rewrite, bool coarse, Done<bool> done) override;
  void ForgetOffers(std::string driver_id, Done<bool> done) override;
  void Scrub(Done<bool> done) override;
  void PseudonymKey(Done<std::string> done) override;

  void ProbeWrite(std::function<void(absl::Status)> done) override { database_->ProbeWrite(std::move(done)); }
  std::size_t writes_queued() const override { return database_->writer().depth(); }
  std::size_t reads_queued() const override { return database_->readers().depth(); }
  void Stop() override { database_->Stop(); }

 private:
  SqliteRideStore(std::unique_ptr<sqlite::Database> database, const Clock* clock)
      : clock_(clock), database_(std::move(database)) {}
  // The secret of that name; made at the first call.
  void Secret(const char* name, Done<std::string> done);
  // Runs `query` (Connection& -> StatusOr<T>) on a reader.
  template <typename T, typename Query>
  void Read(Query query, Done<T> done);

  const Clock* const clock_;
  const std::unique_ptr<sqlite::Database> database_;
};

}  // namespace hail::rider
