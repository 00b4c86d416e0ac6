#include "driver-service/storage/postgres_driver_store.h"

#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/errors/error.h"
#include "common/postgres/lease.h"

namespace hail::driver {
namespace {

using postgres::Command;
using postgres::Params;
using postgres::Rows;
using postgres::Statement;

const Statement kInsert{
    "INSERT INTO drivers (driver_id, display_name, region_id, vehicle_make, vehicle_model, vehicle_color,"
    " vehicle_plate, vehicle_seats, product_ids, online, create_time, update_time)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $10) ON CONFLICT (driver_id) DO NOTHING"};
const Statement kLoad{
    "SELECT driver_id, display_name, region_id, vehicle_make, vehicle_model, vehicle_color, vehicle_plate,"
    " vehicle_seats, product_ids, online, create_time, update_time FROM drivers WHERE driver_id = $1"};
const Statement kSetWish{"UPDATE drivers SET online = $2, update_time = $3 WHERE driver_id = $1 AND online <> $2"};
const Statement kInsertRecord{
    "INSERT INTO offers (offer_id, ride_id, epoch, driver_id, outcome, revoke_reason, received, made_time,"
    " settled_time, pickup_eta_us, pickup_distance_m) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
    " ON CONFLICT (offer_id) DO NOTHING"};
const Statement kFindOffer{"SELECT driver_id, ride_id, outcome, revoke_reason FROM offers WHERE offer_id = $1"};
// A run's stream that it opened before the one that has the session is late.
const Statement kClaim{
    "UPDATE drivers SET session_epoch = session_epoch + 1, session_replica = $2, session_run = $3,"
    " session_opening = $4, session_stream = TRUE, session_claimed = clock_timestamp() WHERE driver_id = $1"
    " AND NOT ($3::text <> '' AND session_run = $3 AND session_opening > $4) RETURNING session_epoch"};
// What is looked up is of one moment; by the epoch it is the row's that is changed, however long that was locked.
const Statement kClaimIdle{
    "UPDATE drivers SET session_epoch = session_epoch + 1, session_replica = $2, session_stream = FALSE,"
    " session_claimed = clock_timestamp()"
    " WHERE driver_id = $1 AND session_epoch = (SELECT s.session_epoch FROM drivers s WHERE s.driver_id = $1"
    " AND (s.session_replica = '' OR s.session_replica = $2 OR s.session_epoch = $3 OR s.session_replica NOT IN " +
    std::string(postgres::kHoldersAlive) + ")) RETURNING session_epoch"};
const Statement kLoadSession{
    "SELECT driver_id, display_name, region_id, vehicle_make, vehicle_model, vehicle_color, vehicle_plate,"
    " vehicle_seats, product_ids, online, create_time, update_time, session_epoch, session_replica,"
    " session_stream FROM drivers WHERE driver_id = $1"};
// now(), not clock_timestamp(): so that the index serves it.
const Statement kRecentClaims{
    "SELECT driver_id, session_epoch, session_replica, session_stream FROM drivers"
    " WHERE session_claimed > now() - $1 * interval '1 microsecond'"};
const Statement kProbe{"UPDATE schema_version SET version = version WHERE one = 1"};

std::vector<const Statement*> AllStatements() {
  std::vector<const Statement*> all = postgres::LeaseStatements();
  all.insert(all.end(), {&kInsert, &kLoad, &kSetWish, &kInsertRecord, &kClaim, &kClaimIdle, &kLoadSession,
                         &kRecentClaims, &kProbe, &kFindOffer});
  return all;
}

absl::StatusOr<StoredDriver> Loaded(const Rows& rows) {
  if (rows.size() == 0) return NotFound(Reason::kDriverNotFound, "no such driver; register first");
  const auto text = [&rows](int column) { return std::string(rows.Bytes(0, column)); };
  StoredDriver stored;
  Driver& driver = stored.driver;
  driver.driver_id = text(0);
  driver.display_name = text(1);
  driver.region_id = text(2);
  driver.vehicle = {.make = text(3),
                    .model = text(4),
                    .color = text(5),
                    .plate = text(6),
                    .seats = static_cast<int>(rows.Int64(0, 7))};
  driver.product_ids = absl::StrSplit(text(8), '\n');
  stored.availability = rows.Int64(0, 9) != 0 ? Availability::kOnline : Availability::kOffline;
  driver.create_time = absl::FromUnixMicros(rows.Int64(0, 10));
  driver.update_time = absl::FromUnixMicros(rows.Int64(0, 11));
  return stored;
}

Command Insert(const Driver& driver, absl::Time now) {
  const Vehicle& vehicle = driver.vehicle;
  return {&kInsert, Params::Of(driver.driver_id, driver.display_name, driver.region_id, vehicle.make, vehicle.model,
                               vehicle.color, vehicle.plate, vehicle.seats, absl::StrJoin(driver.product_ids, "\n"),
                               absl::ToUnixMicros(now))};
}

Command InsertRecord(const OfferRecord& record) {
  return {&kInsertRecord,
          Params::Of(record.offer_id, record.ride_id, record.epoch, record.driver_id, OfferStatusName(record.outcome),
                     RevokeReasonName(record.reason), record.received ? 1 : 0, absl::ToUnixMicros(record.made_time),
                     absl::ToUnixMicros(record.settled_time), absl::ToInt64Microseconds(record.pickup_eta),
                     record.pickup_distance_m)};
}

// Keys of writes: drivers, then the log, which nobody else writes.
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
    return Unavailable(Reason::kStoreUnavailable, "the database takes fewer connections than are needed");
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

void PostgresDriverStore::Register(const Driver& driver, absl::Time now, absl::Time deadline,
                                   std::function<void(absl::StatusOr<StoredDriver>)> done) {
  std::vector<Command> commands;
  commands.push_back(Insert(driver, now));
  commands.push_back({&kLoad, Params::Of(driver.driver_id)});
  pool_.Write(
      std::move(commands), KeyOfDriver(driver.driver_id), deadline,
      [driver, done = std::move(done)](absl::StatusOr<std::vector<Rows>> rows) {
        if (!rows.ok()) return done(rows.status());
        absl::StatusOr<StoredDriver> stored = Loaded(rows->back());
        if (stored.ok() && !SameProfile(stored->driver, driver)) {
          return done(MakeError(absl::StatusCode::kAlreadyExists, "the driver is registered with another profile",
                                {.reason = Reason::kDriverExists}));
        }
        done(std::move(stored));
      });
}

void PostgresDriverStore::Get(const std::string& driver_id, std::function<void(absl::StatusOr<StoredDriver>)> done) {
  pool_.Read({&kLoad, Params::Of(driver_id)}, [done = std::move(done)](const absl::StatusOr<std::vector<Rows>>& rows) {
    done(rows.ok() ? Loaded(rows->front()) : rows.status());
  });
}

void PostgresDriverStore::SetAvailability(const std::string& driver_id, Availability availability, absl::Time now,
                                          absl::Time deadline, std::function<void(absl::StatusOr<StoredDriver>)> done) {
  std::vector<Command> commands;
  commands.push_back(
      {&kSetWish, Params::Of(driver_id, availability == Availability::kOnline ? 1 : 0, absl::ToUnixMicros(now))});
  commands.push_back({&kLoad, Params::Of(driver_id)});
  pool_.Write(std::move(commands), KeyOfDriver(driver_id), deadline,
              [done = std::move(done)](const absl::StatusOr<std::vector<Rows>>& rows) {
                done(rows.ok() ? Loaded(rows->back()) : rows.status());
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
                const Rows& row = rows->back();
                absl::StatusOr<StoredDriver> stored = Loaded(row);
                if (!stored.ok()) return done(stored.status());
                ClaimedSession claimed;
                claimed.claimed = rows->front().size() == 1;
                claimed.session = {stored->driver.driver_id, row.Int64(0, 12), std::string(row.Bytes(0, 13)),
                                   row.Int64(0, 14) != 0};
                claimed.stored = *std::move(stored);
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
  pool_.Read({&kFindOffer, Params::Of(offer_id)},
             [done = std::move(done)](const absl::StatusOr<std::vector<Rows>>& answer) {
               if (!answer.ok()) return done(answer.status());
               const Rows& rows = answer->front();
               if (rows.size() == 0) return done(std::optional<LoggedOffer>());
               done(std::optional<LoggedOffer>({std::string(rows.Bytes(0, 0)), std::string(rows.Bytes(0, 1)),
                                                OfferStatusNamed(rows.Bytes(0, 2)),
                                                RevokeReasonNamed(rows.Bytes(0, 3))}));
             });
}

void PostgresDriverStore::ProbeWrite(std::function<void(absl::Status)> done) {
  pool_.Write({{&kProbe, Params()}}, "", absl::InfiniteFuture(),
              [done = std::move(done)](const absl::StatusOr<std::vector<Rows>>& rows) { done(rows.status()); });
}

void PostgresDriverStore::Stop() {
  offer_log_.Drain();
  pool_.Stop();
}

}  // namespace hail::driver
