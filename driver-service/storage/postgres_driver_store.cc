#include "driver-service/storage/postgres_driver_store.h"

#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/errors/error.h"

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
const Statement kProbe{"UPDATE schema_version SET version = version WHERE one = 1"};

std::vector<const Statement*> AllStatements() { return {&kInsert, &kLoad, &kSetWish, &kInsertRecord, &kProbe}; }

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

void PostgresDriverStore::ProbeWrite(std::function<void(absl::Status)> done) {
  pool_.Write({{&kProbe, Params()}}, "", absl::InfiniteFuture(),
              [done = std::move(done)](const absl::StatusOr<std::vector<Rows>>& rows) { done(rows.status()); });
}

void PostgresDriverStore::Stop() {
  offer_log_.Drain();
  pool_.Stop();
}

}  // namespace hail::driver
