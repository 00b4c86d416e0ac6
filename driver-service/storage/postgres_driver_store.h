// The store port on PostgreSQL, for any number of replicas (common/postgres). Schema: postgres_schema.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/postgres/pool.h"
#include "common/postgres/url.h"
#include "common/time/clock.h"
#include "driver-service/storage/driver_database.h"
#include "driver-service/storage/offer_log_buffer.h"
#include "driver-service/storage/postgres_schema.h"

namespace hail::driver {

struct PostgresStoreOptions {
  // The schema, one per store; a word of lower-case letters, digits and _.
  std::string schema = kPostgresSchema;
  // Connections for writes and for reads.
  int writers = 1;
  int readers = 1;
  // How long Open waits for a database that does not answer.
  absl::Duration patience = absl::Seconds(5);
  // Limit of waiting offer records; beyond it the oldest are lost.
  std::size_t max_waiting_records = 50'000;
};

// Thread-safe.
class PostgresDriverStore final : public DriverDatabase {
 public:
  // Creates or migrates the tables, and connects. `clock` and `observer` (may be null) must outlive the store. Errors
  // are those of postgres::Migrate.
  static absl::StatusOr<std::unique_ptr<PostgresDriverStore>> Open(const postgres::ConnectParams& params,
                                                                   const PostgresStoreOptions& options,
                                                                   const Clock* clock, postgres::Observer* observer);
  ~PostgresDriverStore() override;

  void Register(const Driver& driver, const std::string& replica, std::int64_t epoch, absl::Time now,
                absl::Time deadline, ClaimDone done) override;
  void Get(const std::string& driver_id, std::function<void(absl::StatusOr<StoredDriver>)> done) override;
  void SetAvailability(const SessionClaim& session, Availability availability, absl::Time now, absl::Time deadline,
                       ClaimDone done) override;
  void ClaimSession(const std::string& driver_id, const std::string& replica, const Opening& opening,
                    ClaimDone done) override;
  void ClaimIdleSession(const std::string& driver_id, const std::string& replica, std::int64_t gone,
                        ClaimDone done) override;
  void GetSession(const std::string& driver_id, ClaimDone done) override;
  void RenewLease(const std::string& replica, std::function<void(absl::Status)> done) override;
  void EndLease(const std::string& replica, std::function<void(absl::Status)> done) override;
  void RecentClaims(absl::Duration within,
                    std::function<void(absl::StatusOr<std::vector<SessionClaim>>)> done) override;
  void AppendOfferLog(OfferRecord record) override { offer_log_.Append(std::move(record)); }
  void FindOffer(const std::string& offer_id, FindOfferDone done) override;

  void EraseProfile(const std::string& driver_id, Done<ErasedProfile> done) override;
  void OffersOf(const std::string& driver_id, const std::string& after, int limit,
                Done<std::vector<OfferRecord>> done) override;
  void DeleteOffersOf(const std::string& driver_id, int limit, Done<int> done) override;
  void DeleteOffersBefore(const std::string& before, int limit, Done<int> done) override;
  void Scrub(Done<bool> done) override;

  void ProbeWrite(std::function<void(absl::Status)> done) override;
  std::size_t depth() const override { return pool_.writes_queued() + pool_.reads_queued(); }
  std::uint64_t lost_records() const override { return offer_log_.lost(); }
  void Stop() override;

 private:
  PostgresDriverStore(const postgres::ConnectParams& params, const PostgresStoreOptions& options, const Clock* clock,
                      postgres::Observer* observer);

  // `command` deletes offers, and returns a row for each.
  void DeleteOffers(postgres::Command command, Done<int> done);
  // `claim` returns a row if it claimed the session for `replica`.
  void Claim(const std::string& driver_id, postgres::Command claim, ClaimDone done);

  OfferLogBuffer offer_log_;
  // Last member: its thread uses the members above.
  postgres::Pool pool_;
};

}  // namespace hail::driver
