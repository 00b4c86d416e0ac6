#include "driver-service/storage/postgres_driver_store.h"

#include <utility>
#include <vector>

#include "common/errors/error.h"
#include "common/postgres/lease.h"
#include "driver-service/storage/driver_rows.h"

namespace hail::driver {
namespace {

using postgres::Command;
using postgres::Params;
using postgres::Rows;
using postgres::Statement;

const Statement kInsert{
    "INSERT INTO drivers (driver_id, display_name, region_id, vehicle_make, vehicle_model, vehicle_color,"
    " vehicle_plate, vehicle_seats, product_ids, online, create_time, update_time, session_epoch)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $10, (SELECT epoch FROM erased_sessions))"
    " ON CONFLICT (driver_id) DO NOTHING"};
const Statement kLoad{"SELECT" + std::string(kDriverColumns) + " FROM drivers WHERE driver_id = $1"};
// Applies to the present claim only. If nothing changes although the claim holds and the stored availability differs,
// the plate is in use.
const Statement kSetWish{
    "UPDATE drivers SET online = $2, update_time = $3, version = version + 1 WHERE driver_id = $1 AND online <> $2"
    " AND session_replica = $4 AND session_epoch = $5 AND ($2 = 0 OR plate_key = '' OR NOT EXISTS (SELECT 1 FROM"
    " drivers o WHERE o.online = 1 AND o.plate_key <> '' AND o.plate_key = drivers.plate_key AND o.driver_id <> $1))"};
// See DriverStore::Register.
const Statement kReplace{
    "UPDATE drivers SET display_name = $2, region_id = $3, vehicle_make = $4, vehicle_model = $5, vehicle_color = $6,"
    " vehicle_plate = $7, vehicle_seats = $8, product_ids = $9, update_time = $10, version = version + 1,"
    // Ends the session of another replica.
    " session_epoch = session_epoch + CASE WHEN session_replica IN ('', $11) THEN 0 ELSE 1 END,"
    " session_claimed = CASE WHEN session_replica IN ('', $11) THEN session_claimed ELSE clock_timestamp() END,"
    " session_stream = session_stream AND session_replica IN ('', $11),"
    " session_replica = CASE WHEN session_replica = $11 THEN $11 ELSE '' END"
    " WHERE driver_id = $1"
    " AND (display_name, region_id, vehicle_make, vehicle_model, vehicle_color, vehicle_plate, vehicle_seats,"
    " product_ids) IS DISTINCT FROM ($2, $3, $4, $5, $6, $7, $8::integer, $9)"
    " AND (session_replica = '' OR session_epoch = $12 OR session_replica NOT IN " +
    std::string(postgres::kHoldersAlive) +
    ")"
    " AND (online = 0 OR NOT EXISTS (SELECT 1 FROM drivers o WHERE o.online = 1 AND o.plate_key <> ''"
    " AND o.plate_key = $13 AND o.driver_id <> $1))"};
const Statement kInsertRecord{"INSERT INTO offers (" + std::string(kOfferColumns) +
                              ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
                              " ON CONFLICT (offer_id) DO NOTHING"};
const Statement kFindOffer{"SELECT driver_id, ride_id, outcome, revoke_reason FROM offers WHERE offer_id = $1"};
// Does not claim for a late stream: the same run has opened a later one, which has the session.
const Statement kClaim{
    "UPDATE drivers SET session_epoch = session_epoch + 1, session_replica = $2, session_run = $3,"
    " session_opening = $4, session_stream = TRUE, session_claimed = clock_timestamp() WHERE driver_id = $1"
    " AND NOT ($3::text <> '' AND session_run = $3 AND session_opening > $4) RETURNING session_epoch"};
// The lookup sees one snapshot. The condition on the epoch makes the update apply only to that state of the row,
// however long the row was locked.
const Statement kClaimIdle{
    "UPDATE drivers SET session_epoch = session_epoch + 1, session_replica = $2, session_stream = FALSE,"
    " session_claimed = clock_timestamp()"
    " WHERE driver_id = $1 AND session_epoch = (SELECT s.session_epoch FROM drivers s WHERE s.driver_id = $1"
    " AND (s.session_replica = '' OR s.session_replica = $2 OR s.session_epoch = $3 OR s.session_replica NOT IN " +
    std::string(postgres::kHoldersAlive) + ")) RETURNING session_epoch"};
const Statement kLoadSession{"SELECT" + std::string(kDriverColumns) +
                             ", session_epoch, session_replica, session_stream FROM drivers WHERE driver_id = $1"};
const Statement kGetSession{"SELECT" + std::string(kDriverColumns) + ", session_epoch, CASE WHEN session_replica IN " +
                            std::string(postgres::kHoldersAlive) +
                            " THEN session_replica ELSE '' END, session_stream FROM drivers"
                            " WHERE driver_id = $1"};
// now(), because clock_timestamp() cannot use the index.
const Statement kRecentClaims{
    "SELECT driver_id, session_epoch, session_replica, session_stream FROM drivers"
    " WHERE session_claimed > now() - $1 * interval '1 microsecond'"};
// --- Erasure and export ---

const Statement kEraseProfile{
    "WITH gone AS (DELETE FROM drivers WHERE driver_id = $1 AND online = 0 RETURNING session_epoch),"
    " later AS (UPDATE erased_sessions SET epoch = GREATEST(epoch, session_epoch + 1) FROM gone)"
    " SELECT session_epoch + 1, 0 FROM gone"
    " UNION ALL SELECT 0, 1 FROM drivers WHERE driver_id = $1 AND online = 1"};
const Statement kOffersOf{"SELECT" + std::string(kOfferColumns) +
                          " FROM offers WHERE driver_id = $1 AND offer_id COLLATE \"C\" > $2"
                          " ORDER BY offer_id COLLATE \"C\" LIMIT $3"};
const Statement kDeleteOffersOf{
    "DELETE FROM offers WHERE offer_id IN (SELECT offer_id FROM offers WHERE driver_id = $1 LIMIT $2) RETURNING 1"};
const Statement kDeleteOffersBefore{
    "DELETE FROM offers WHERE offer_id IN (SELECT offer_id FROM offers WHERE offer_id < $1 LIMIT $2) RETURNING 1"};

const Statement kProbe{"UPDATE schema_version SET version = version WHERE one = 1"};

std::vector<const Statement*> AllStatements() {
  std::vector<const Statement*> all = postgres::LeaseStatements();
  all.insert(all.end(), {&kInsert, &kLoad, &kSetWish, &kReplace, &kInsertRecord, &kClaim, &kClaimIdle, &kLoadSession,
                         &kGetSession, &kRecentClaims, &kProbe, &kFindOffer, &kEraseProfile, &kOffersOf,
                         &kDeleteOffersOf, &kDeleteOffersBefore});
  return all;
}

absl::StatusOr<StoredDriver> Loaded(const Rows& rows) {
  if (rows.size() == 0) return NoSuchDriver();
  return DriverOfRow([&rows](int column) { return std::string(rows.Bytes(0, column)); },
                     [&rows](int column) { return rows.Int64(0, column); });
}

// A row of kLoadSession or kGetSession; the caller sets `claimed`.
absl::StatusOr<ClaimedSession> LoadedSession(const Rows& rows) {
  absl::StatusOr<StoredDriver> stored = Loaded(rows);
  if (!stored.ok()) return stored.status();
  ClaimedSession loaded;
  loaded.session = {stored->driver.driver_id, rows.Int64(0, 13), std::string(rows.Bytes(0, 14)),
                    rows.Int64(0, 15) != 0};
  loaded.stored = *std::move(stored);
  return loaded;
}

Command Insert(const Driver& driver, absl::Time now) {
  return {&kInsert, BindProfile(driver, [&](const auto&... profile) {
            return Params::Of(driver.driver_id, profile..., absl::ToUnixMicros(now));
          })};
}

Command Replace(const Driver& driver, const std::string& replica, std::int64_t epoch, absl::Time now) {
  return {&kReplace, BindProfile(driver, [&](const auto&... profile) {
            return Params::Of(driver.driver_id, profile..., absl::ToUnixMicros(now), replica, epoch,
                              NormalPlate(driver.vehicle.plate));
          })};
}

// The error for a write that a unique index refused: two drivers went online with one plate at the same instant.
absl::Status WriteError(const absl::Status& status) { return absl::IsAlreadyExists(status) ? PlateInUse() : status; }

Command InsertRecord(const OfferRecord& record) {
  return {&kInsertRecord, BindOffer(record, [](const auto&... values) { return Params::Of(values...); })};
}

// Keys of writes: drivers first, then the log, which has no other writers.
std::string KeyOfDriver(const std::string& driver_id) { return "1" + driver_id; }
constexpr char kKeyOfLog[] = "2";

}  // namespace

absl::StatusOr<std::unique_ptr<PostgresDriverStore>> PostgresDriverStore::Open(const postgres::ConnectParams& params,
                                                                               const PostgresStoreOptions& options,
                                                                               const Clock* clock,
                                                                               postgres::Observer* observer) {
  const absl::Status migrated = postgres::Migrate(params, options.schema, PostgresMigrations(), options.patience);
  if (!migrated.ok()) return migrated;
  std::unique_ptr<PostgresDriverStore> store(new PostgresDriverStore(params, options, clock, observer));
  if (!store->pool_.AwaitConnections(options.patience)) {
    return Unavailable(Reason::kStoreUnavailable, "the database accepts fewer connections than needed");
  }
  return store;
}

PostgresDriverStore::PostgresDriverStore(const postgres::ConnectParams& params, const PostgresStoreOptions& options,
                                         const Clock* clock, postgres::Observer* observer)
    : offer_log_(options.max_waiting_records,
                 [this](const OfferLogBuffer::Records& records, bool, std::function<void(absl::Status)> done) {
                   std::vector<Command> commands;
                   for (const OfferRecord& record : *records) commands.push_back(InsertRecord(record));
                   pool_.Write(std::move(commands), kKeyOfLog, absl::InfiniteFuture(),
                               [done = std::move(done)](const absl::StatusOr<std::vector<Rows>>& rows) {
                                 done(rows.status());
                               });
                 }),
      pool_(params,
            {.writers = options.writers,
             .readers = options.readers,
             .schema = options.schema,
             .application_name = "driver-service"},
            AllStatements(), clock, observer) {}

PostgresDriverStore::~PostgresDriverStore() { Stop(); }

void PostgresDriverStore::Register(const Driver& driver, const std::string& replica, std::int64_t epoch, absl::Time now,
                                   absl::Time deadline, ClaimDone done) {
  std::vector<Command> commands;
  commands.push_back(Insert(driver, now));
  commands.push_back(Replace(driver, replica, epoch, now));
  commands.push_back({&kGetSession, Params::Of(driver.driver_id)});
  pool_.Write(std::move(commands), KeyOfDriver(driver.driver_id), deadline,
              [driver, epoch, done = std::move(done)](const absl::StatusOr<std::vector<Rows>>& rows) {
                if (!rows.ok()) return done(WriteError(rows.status()));
                absl::StatusOr<ClaimedSession> known = LoadedSession(rows->back());
                if (!known.ok()) return done(known.status());
                known->claimed = SameProfile(known->stored.driver, driver);
                // Only the plate can have prevented the write.
                if (!known->claimed && (known->session.replica.empty() || known->session.epoch == epoch)) {
                  return done(PlateInUse());
                }
                done(*std::move(known));
              });
}

void PostgresDriverStore::Get(const std::string& driver_id, std::function<void(absl::StatusOr<StoredDriver>)> done) {
  pool_.Read({&kLoad, Params::Of(driver_id)}, [done = std::move(done)](const absl::StatusOr<std::vector<Rows>>& rows) {
    done(rows.ok() ? Loaded(rows->front()) : rows.status());
  });
}

void PostgresDriverStore::SetAvailability(const SessionClaim& session, Availability availability, absl::Time now,
                                          absl::Time deadline, ClaimDone done) {
  std::vector<Command> commands;
  commands.push_back({&kSetWish, Params::Of(session.driver_id, availability == Availability::kOnline ? 1 : 0,
                                            absl::ToUnixMicros(now), session.replica, session.epoch)});
  commands.push_back({&kLoadSession, Params::Of(session.driver_id)});
  pool_.Write(std::move(commands), KeyOfDriver(session.driver_id), deadline,
              [session, availability, done = std::move(done)](const absl::StatusOr<std::vector<Rows>>& rows) {
                if (!rows.ok()) return done(WriteError(rows.status()));
                absl::StatusOr<ClaimedSession> written = LoadedSession(rows->back());
                if (!written.ok()) return done(written.status());
                written->claimed =
                    written->session.replica == session.replica && written->session.epoch == session.epoch;
                if (written->claimed && written->stored.availability != availability) return done(PlateInUse());
                done(*std::move(written));
              });
}

void PostgresDriverStore::GetSession(const std::string& driver_id, ClaimDone done) {
  pool_.Read({&kGetSession, Params::Of(driver_id)},
             [done = std::move(done)](const absl::StatusOr<std::vector<Rows>>& rows) {
               done(rows.ok() ? LoadedSession(rows->front()) : rows.status());
             });
}

void PostgresDriverStore::ClaimSession(const std::string& driver_id, const std::string& replica, const Opening& opening,
                                       ClaimDone done) {
  Claim(driver_id, {&kClaim, Params::Of(driver_id, replica, opening.incarnation_id, opening.number)}, std::move(done));
}

void PostgresDriverStore::ClaimIdleSession(const std::string& driver_id, const std::string& replica, std::int64_t gone,
                                           ClaimDone done) {
  Claim(driver_id, {&kClaimIdle, Params::Of(driver_id, replica, gone)}, std::move(done));
}

void PostgresDriverStore::Claim(const std::string& driver_id, Command claim, ClaimDone done) {
  std::vector<Command> commands;
  commands.push_back(std::move(claim));
  commands.push_back({&kLoadSession, Params::Of(driver_id)});
  pool_.Write(std::move(commands), KeyOfDriver(driver_id), absl::InfiniteFuture(),
              [done = std::move(done)](const absl::StatusOr<std::vector<Rows>>& rows) {
                if (!rows.ok()) return done(rows.status());
                absl::StatusOr<ClaimedSession> claimed = LoadedSession(rows->back());
                if (claimed.ok()) claimed->claimed = rows->front().size() == 1;
                done(std::move(claimed));
              });
}

void PostgresDriverStore::RenewLease(const std::string& replica, std::function<void(absl::Status)> done) {
  postgres::RenewLease(pool_, replica, kLeaseTime, std::move(done));
}

void PostgresDriverStore::EndLease(const std::string& replica, std::function<void(absl::Status)> done) {
  postgres::EndLease(pool_, replica, std::move(done));
}

void PostgresDriverStore::RecentClaims(absl::Duration within,
                                       std::function<void(absl::StatusOr<std::vector<SessionClaim>>)> done) {
  pool_.Read({&kRecentClaims, Params::Of(absl::ToInt64Microseconds(within))},
             [done = std::move(done)](const absl::StatusOr<std::vector<Rows>>& answer) {
               if (!answer.ok()) return done(answer.status());
               const Rows& rows = answer->front();
               std::vector<SessionClaim> claims;
               for (int i = 0; i < rows.size(); ++i) {
                 claims.push_back({std::string(rows.Bytes(i, 0)), rows.Int64(i, 1), std::string(rows.Bytes(i, 2)),
                                   rows.Int64(i, 3) != 0});
               }
               done(std::move(claims));
             });
}

void PostgresDriverStore::FindOffer(const std::string& offer_id, FindOfferDone done) {
  pool_.Read(
      {&kFindOffer, Params::Of(offer_id)}, [done = std::move(done)](const absl::StatusOr<std::vector<Rows>>& answer) {
        if (!answer.ok()) return done(answer.status());
        const Rows& rows = answer->front();
        if (rows.size() == 0) return done(std::optional<LoggedOffer>());
        done(std::optional<LoggedOffer>({std::string(rows.Bytes(0, 0)), std::string(rows.Bytes(0, 1)),
                                         OfferStatusNamed(rows.Bytes(0, 2)), RevokeReasonNamed(rows.Bytes(0, 3))}));
      });
}

void PostgresDriverStore::EraseProfile(const std::string& driver_id, Done<ErasedProfile> done) {
  offer_log_.Forget(driver_id);
  std::vector<Command> commands;
  commands.push_back({&kEraseProfile, Params::Of(driver_id)});
  pool_.Write(
      std::move(commands), KeyOfDriver(driver_id), absl::InfiniteFuture(),
      [done = std::move(done)](const absl::StatusOr<std::vector<Rows>>& answer) {
        if (!answer.ok()) return done(answer.status());
        const Rows& rows = answer->front();
        if (rows.size() == 0) return done(ErasedProfile());
        done(ErasedProfile{.existed = true, .online = rows.Int64(0, 1) != 0, .session_epoch = rows.Int64(0, 0)});
      });
}

void PostgresDriverStore::OffersOf(const std::string& driver_id, const std::string& after, int limit,
                                   Done<std::vector<OfferRecord>> done) {
  pool_.Read({&kOffersOf, Params::Of(driver_id, after, limit)},
             [done = std::move(done)](const absl::StatusOr<std::vector<Rows>>& answer) {
               if (!answer.ok()) return done(answer.status());
               const Rows& rows = answer->front();
               std::vector<OfferRecord> offers;
               for (int i = 0; i < rows.size(); ++i) {
                 offers.push_back(OfferOfRow([&](int column) { return std::string(rows.Bytes(i, column)); },
                                             [&](int column) { return rows.Int64(i, column); },
                                             [&](int column) { return rows.Double(i, column); }));
               }
               done(std::move(offers));
             });
}

void PostgresDriverStore::DeleteOffersOf(const std::string& driver_id, int limit, Done<int> done) {
  DeleteOffers({&kDeleteOffersOf, Params::Of(driver_id, limit)}, std::move(done));
}

void PostgresDriverStore::DeleteOffersBefore(const std::string& before, int limit, Done<int> done) {
  DeleteOffers({&kDeleteOffersBefore, Params::Of(before, limit)}, std::move(done));
}

void PostgresDriverStore::DeleteOffers(Command command, Done<int> done) {
  std::vector<Command> commands;
  commands.push_back(std::move(command));
  pool_.Write(std::move(commands), kKeyOfLog, absl::InfiniteFuture(),
              [done = std::move(done)](const absl::StatusOr<std::vector<Rows>>& rows) {
                done(rows.ok() ? absl::StatusOr<int>(rows->front().size()) : rows.status());
              });
}

// The server reuses the space of deleted values by itself; see docs/operations.md.
void PostgresDriverStore::Scrub(Done<bool> done) { done(true); }

void PostgresDriverStore::ProbeWrite(std::function<void(absl::Status)> done) {
  pool_.Write({{&kProbe, Params()}}, "", absl::InfiniteFuture(),
              [done = std::move(done)](const absl::StatusOr<std::vector<Rows>>& rows) { done(rows.status()); });
}

void PostgresDriverStore::Stop() {
  offer_log_.Drain();
  pool_.Stop();
}

}  // namespace hail::driver
