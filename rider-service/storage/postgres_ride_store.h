// RideStore on PostgreSQL, for any number of replicas (common/postgres). Schema: postgres_schema.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/postgres/pool.h"
#include "common/postgres/url.h"
#include "common/time/clock.h"
#include "rider-service/storage/postgres_schema.h"
#include "rider-service/storage/ride_database.h"

namespace hail::rider {

struct PostgresStoreOptions {
  // Names this process among those that share the store (ride_store.h).
  std::string incarnation_id;
  // The schema, one per store; a word of lower-case letters, digits and _.
  std::string schema = kPostgresSchema;
  // Connections for writes and for reads.
  int writers = 2;
  int readers = 2;
  // How long Open waits for a database that does not answer.
  absl::Duration patience = absl::Seconds(5);
};

// Thread-safe. Each change is decided on the row as read, and applied only to a row with that sequence and epoch, in
// one statement together with its event; otherwise it is decided again. So any number of processes may write at once.
class PostgresRideStore final : public RideDatabase {
 public:
  // Creates or migrates the tables, and connects. `clock` and `observer` (may be null) must outlive the store. Errors
  // are those of postgres::Migrate.
  static absl::StatusOr<std::unique_ptr<PostgresRideStore>> Open(const postgres::ConnectParams& params,
                                                                 const PostgresStoreOptions& options,
                                                                 const Clock* clock, postgres::Observer* observer);

  absl::Status AdmitCreate(absl::Time deadline) const override;
  void Create(RideChange change, absl::Time deadline, Done<Created> done) override;
  void Change(std::string ride_id, Decide decide, absl::Time deadline, Done<Changed> done) override
      ABSL_LOCKS_EXCLUDED(mutex_);
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
  bool shared() const override { return true; }
  void RenewLease(absl::Duration lease, std::function<void(absl::Status)> done) override;
  void Orphans(Done<std::vector<Ride>> done) override;
  void KeptElsewhere(std::vector<std::string> ride_ids, Done<std::vector<Ride>> done) override;

  void ProbeWrite(std::function<void(absl::Status)> done) override;
  std::size_t writes_queued() const override { return pool_->writes_queued(); }
  std::size_t reads_queued() const override { return pool_->reads_queued(); }
  void Stop() override { pool_->Stop(); }

 private:
  struct Creation;
  struct Attempt;
  struct Rewriting;

  PostgresRideStore(const postgres::ConnectParams& params, const PostgresStoreOptions& options, const Clock* clock,
                    postgres::Observer* observer);

  // Reads the command's rows by `parse` (const postgres::Rows& -> StatusOr<T>).
  template <typename T, typename Parse>
  void Read(postgres::Command command, Parse parse, Done<T> done);

  // The steps of Create and Change; each ends with `done` or starts the next.
  void Insert(std::shared_ptr<Creation> creation);
  void FindWhyNotInserted(std::shared_ptr<Creation> creation);
  void Load(std::shared_ptr<Attempt> attempt);
  void Finish(const std::shared_ptr<Attempt>& attempt, absl::StatusOr<Changed> result) ABSL_LOCKS_EXCLUDED(mutex_);
  void DecideAndUpdate(const std::shared_ptr<Attempt>& attempt);
  void FindWhyNotUpdated(std::shared_ptr<Attempt> attempt);
  void TryRewrite(std::shared_ptr<Rewriting> rewriting);
  // The secret of that name; made at the first call.
  void Secret(const char* name, Done<std::string> done);
  // The owner in that column, if it is another process.
  std::string KeeperAt(const postgres::Rows& rows, int row, int column) const;

  const Clock* const clock_;
  const std::string incarnation_id_;
  absl::Mutex mutex_;
  // Rides being changed, each with the changes that wait for it, so that this process does not race with itself.
  absl::flat_hash_map<std::string, std::deque<std::shared_ptr<Attempt>>> changing_ ABSL_GUARDED_BY(mutex_);
  // Last member: its thread uses the members above.
  const std::unique_ptr<postgres::Pool> pool_;
};

}  // namespace hail::rider
