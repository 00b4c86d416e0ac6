#include "driver-service/storage/sqlite_driver_store.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "driver-service/storage/driver_rows.h"
#include "driver-service/storage/schema.h"

namespace hail::driver {
namespace {

using sqlite::Connection;
using sqlite::Statement;

absl::StatusOr<std::optional<StoredDriver>> Load(Connection& connection, const std::string& driver_id) {
  static const std::string sql = "SELECT" + std::string(kDriverColumns) + " FROM drivers WHERE driver_id = ?";
  absl::StatusOr<Statement> select = connection.Prepare(sql);
  if (!select.ok()) return select.status();
  absl::StatusOr<bool> row = select->Bind(1, driver_id).Step();
  if (!row.ok()) return row.status();
  if (!*row) return std::nullopt;
  return DriverOfRow([&select](int column) { return std::string(select->Text(column)); },
                     [&select](int column) { return select->Int64(column); });
}

absl::StatusOr<StoredDriver> LoadKnown(Connection& connection, const std::string& driver_id) {
  absl::StatusOr<std::optional<StoredDriver>> known = Load(connection, driver_id);
  if (!known.ok()) return known.status();
  if (!known->has_value()) return NoSuchDriver();
  return **std::move(known);
}

// OK if no other driver is online with the plate.
absl::Status CheckPlate(Connection& connection, const std::string& driver_id, const std::string& plate) {
  absl::StatusOr<Statement> select = connection.Prepare(
      "SELECT 1 FROM drivers WHERE online = 1 AND plate_key = ?1 AND plate_key <> '' AND driver_id <> ?2");
  if (!select.ok()) return select.status();
  absl::StatusOr<bool> row = select->BindAll(NormalPlate(plate), driver_id).Step();
  if (!row.ok()) return row.status();
  return *row ? PlateInUse() : absl::OkStatus();
}

absl::StatusOr<StoredDriver> Replace(Connection& connection, const Driver& driver, absl::Time now) {
  absl::StatusOr<Statement> update = connection.Prepare(
      "UPDATE drivers SET display_name = ?, region_id = ?, vehicle_make = ?, vehicle_model = ?, vehicle_color = ?, "
      "vehicle_plate = ?, vehicle_seats = ?, product_ids = ?, plate_key = ?, update_time = ?, version = version + 1 "
      "WHERE driver_id = ?");
  if (!update.ok()) return update.status();
  BindProfile(driver, [&](const auto&... profile) {
    update->BindAll(profile..., NormalPlate(driver.vehicle.plate), absl::ToUnixMicros(now), driver.driver_id);
  });
  if (absl::Status status = update->Run(); !status.ok()) return status;
  return LoadKnown(connection, driver.driver_id);
}

absl::StatusOr<StoredDriver> Insert(Connection& connection, const Driver& driver, absl::Time now) {
  absl::StatusOr<std::optional<StoredDriver>> known = Load(connection, driver.driver_id);
  if (!known.ok()) return known.status();
  if (known->has_value()) {
    if (SameProfile((*known)->driver, driver)) return **std::move(known);
    if ((*known)->availability == Availability::kOnline) {
      const absl::Status status = CheckPlate(connection, driver.driver_id, driver.vehicle.plate);
      if (!status.ok()) return status;
    }
    return Replace(connection, driver, now);
  }
  absl::StatusOr<Statement> insert = connection.Prepare(
      "INSERT INTO drivers (driver_id, display_name, region_id, vehicle_make, vehicle_model, vehicle_color, "
      "vehicle_plate, vehicle_seats, product_ids, plate_key, online, create_time, update_time) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)");
  if (!insert.ok()) return insert.status();
  const std::int64_t micros = absl::ToUnixMicros(now);
  BindProfile(driver, [&](const auto&... profile) {
    insert->BindAll(driver.driver_id, profile..., NormalPlate(driver.vehicle.plate), micros, micros);
  });
  if (absl::Status status = insert->Run(); !status.ok()) return status;
  return LoadKnown(connection, driver.driver_id);
}

absl::StatusOr<StoredDriver> SetWish(Connection& connection, const std::string& driver_id, Availability availability,
                                     absl::Time now) {
  absl::StatusOr<StoredDriver> known = LoadKnown(connection, driver_id);
  if (!known.ok() || known->availability == availability) return known;
  if (availability == Availability::kOnline) {
    const absl::Status status = CheckPlate(connection, driver_id, known->driver.vehicle.plate);
    if (!status.ok()) return status;
  }
  absl::StatusOr<Statement> update = connection.Prepare(
      "UPDATE drivers SET online = ?1, update_time = ?2, version = version + 1 WHERE driver_id = ?3");
  if (!update.ok()) return update.status();
  absl::Status status =
      update->BindAll(availability == Availability::kOnline ? 1 : 0, absl::ToUnixMicros(now), driver_id).Run();
  if (!status.ok()) return status;
  return LoadKnown(connection, driver_id);
}

// The callback of a write: no other process can have claimed the session.
std::function<void(absl::StatusOr<StoredDriver>)> Written(SessionClaim session, DriverStore::ClaimDone done) {
  return [session = std::move(session), done = std::move(done)](absl::StatusOr<StoredDriver> stored) {
    if (!stored.ok()) return done(stored.status());
    done(ClaimedSession{*std::move(stored), true, session});
  };
}

absl::Status InsertRecords(Connection& connection, const std::vector<OfferRecord>& records) {
  absl::StatusOr<Statement> insert = connection.Prepare("INSERT OR IGNORE INTO offers (" + std::string(kOfferColumns) +
                                                        ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  if (!insert.ok()) return insert.status();
  for (const OfferRecord& record : records) {
    BindOffer(record, [&insert](const auto&... values) { insert->BindAll(values...); });
    if (absl::Status status = insert->Run(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<LoggedOffer>> LoadOffer(Connection& connection, const std::string& offer_id) {
  absl::StatusOr<Statement> query =
      connection.Prepare("SELECT driver_id, ride_id, outcome, revoke_reason FROM offers WHERE offer_id = ?");
  if (!query.ok()) return query.status();
  query->BindAll(offer_id);
  const absl::StatusOr<bool> row = query->Step();
  if (!row.ok()) return row.status();
  if (!*row) return std::optional<LoggedOffer>();
  return std::optional<LoggedOffer>({std::string(query->Text(0)), std::string(query->Text(1)),
                                     OfferStatusNamed(query->Text(2)), RevokeReasonNamed(query->Text(3))});
}

absl::StatusOr<ErasedProfile> DeleteProfile(Connection& connection, const std::string& driver_id) {
  const absl::StatusOr<std::optional<StoredDriver>> known = Load(connection, driver_id);
  if (!known.ok()) return known.status();
  ErasedProfile erased;
  erased.existed = known->has_value();
  erased.online = erased.existed && (*known)->availability == Availability::kOnline;
  if (!erased.existed || erased.online) return erased;
  absl::StatusOr<Statement> remove = connection.Prepare("DELETE FROM drivers WHERE driver_id = ?");
  if (!remove.ok()) return remove.status();
  if (absl::Status status = remove->BindAll(driver_id).Run(); !status.ok()) return status;
  return erased;
}

absl::StatusOr<std::vector<OfferRecord>> LoadOffers(Connection& connection, const std::string& driver_id,
                                                    const std::string& after, int limit) {
  absl::StatusOr<Statement> query =
      connection.Prepare("SELECT" + std::string(kOfferColumns) +
                         " FROM offers WHERE driver_id = ? AND offer_id > ? ORDER BY offer_id LIMIT ?");
  if (!query.ok()) return query.status();
  query->BindAll(driver_id, after, limit);
  std::vector<OfferRecord> offers;
  while (true) {
    const absl::StatusOr<bool> row = query->Step();
    if (!row.ok()) return row.status();
    if (!*row) return offers;
    offers.push_back(OfferOfRow([&](int column) { return std::string(query->Text(column)); },
                                [&](int column) { return query->Int64(column); },
                                [&](int column) { return query->Double(column); }));
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteDriverStore>> SqliteDriverStore::Open(const Options& options, const Clock* clock,
                                                                           sqlite::Observer* observer) {
  sqlite::DatabaseOptions database_options;
  database_options.path = options.path;
  database_options.readers = options.readers;
  std::vector<sqlite::Migration> migrations;
  for (const char* sql : kMigrations) migrations.push_back({sql});
  absl::StatusOr<std::unique_ptr<sqlite::Database>> database =
      sqlite::Database::Open(database_options, migrations, clock, observer);
  if (!database.ok()) return database.status();
  return std::unique_ptr<SqliteDriverStore>(
      new SqliteDriverStore(*std::move(database), clock, options.max_waiting_records));
}

SqliteDriverStore::SqliteDriverStore(std::unique_ptr<sqlite::Database> database, const Clock* clock,
                                     std::size_t max_waiting_records)
    : clock_(clock),
      offer_log_(max_waiting_records,
                 [this](const OfferLogBuffer::Records& records, bool hurry, std::function<void(absl::Status)> done) {
                   using Work = sqlite::GroupCommitter::Work;
                   database_->writer().Submit(
                       absl::InfiniteFuture(),
                       [records](Connection& connection) { return InsertRecords(connection, *records); },
                       std::move(done), hurry ? Work::kBegun : Work::kUnhurried);
                 }),
      database_(std::move(database)) {}

SqliteDriverStore::~SqliteDriverStore() { Stop(); }

void SqliteDriverStore::Register(const Driver& driver, const std::string& replica, std::int64_t epoch, absl::Time now,
                                 absl::Time deadline, ClaimDone done) {
  database_->writer().SubmitFor<StoredDriver>(
      deadline, [driver, now](Connection& connection) { return Insert(connection, driver, now); },
      Written({driver.driver_id, epoch, replica}, std::move(done)));
}

void SqliteDriverStore::Get(const std::string& driver_id, std::function<void(absl::StatusOr<StoredDriver>)> done) {
  database_->readers().SubmitFor<StoredDriver>(
      absl::InfiniteFuture(), [driver_id](Connection& connection) { return LoadKnown(connection, driver_id); },
      std::move(done));
}

void SqliteDriverStore::SetAvailability(const SessionClaim& session, Availability availability, absl::Time now,
                                        absl::Time deadline, ClaimDone done) {
  database_->writer().SubmitFor<StoredDriver>(
      deadline,
      [driver_id = session.driver_id, availability, now](Connection& connection) {
        return SetWish(connection, driver_id, availability, now);
      },
      Written(session, std::move(done)));
}

void SqliteDriverStore::ClaimSession(const std::string& driver_id, const std::string& replica, const Opening&,
                                     ClaimDone done) {
  Get(driver_id, [this, driver_id, replica, done = std::move(done)](absl::StatusOr<StoredDriver> stored) {
    if (!stored.ok()) return done(stored.status());
    done(ClaimedSession{*std::move(stored), true, {driver_id, NextEpoch(), replica}});
  });
}

void SqliteDriverStore::ClaimIdleSession(const std::string& driver_id, const std::string& replica, std::int64_t,
                                         ClaimDone done) {
  ClaimSession(driver_id, replica, {}, std::move(done));
}

void SqliteDriverStore::GetSession(const std::string& driver_id, ClaimDone done) {
  // The calling process has no session.
  Get(driver_id, Written({driver_id}, std::move(done)));
}

void SqliteDriverStore::FindOffer(const std::string& offer_id, FindOfferDone done) {
  database_->readers().SubmitFor<std::optional<LoggedOffer>>(
      absl::InfiniteFuture(), [offer_id](Connection& connection) { return LoadOffer(connection, offer_id); },
      std::move(done));
}

void SqliteDriverStore::EraseProfile(const std::string& driver_id, Done<ErasedProfile> done) {
  // A write of the log under way is before this one in the writer's queue, or has it.
  offer_log_.Forget(driver_id);
  database_->writer().SubmitFor<ErasedProfile>(
      absl::InfiniteFuture(), [driver_id](Connection& connection) { return DeleteProfile(connection, driver_id); },
      [this, done = std::move(done)](absl::StatusOr<ErasedProfile> erased) {
        if (erased.ok()) erased->session_epoch = NextEpoch();
        done(std::move(erased));
      });
}

void SqliteDriverStore::OffersOf(const std::string& driver_id, const std::string& after, int limit,
                                 Done<std::vector<OfferRecord>> done) {
  database_->readers().SubmitFor<std::vector<OfferRecord>>(
      absl::InfiniteFuture(),
      [driver_id, after, limit](Connection& connection) { return LoadOffers(connection, driver_id, after, limit); },
      std::move(done));
}

void SqliteDriverStore::DeleteOffersOf(const std::string& driver_id, int limit, Done<int> done) {
  DeleteOffers("driver_id = ?", driver_id, limit, std::move(done));
}

void SqliteDriverStore::DeleteOffersBefore(const std::string& before, int limit, Done<int> done) {
  DeleteOffers("offer_id < ?", before, limit, std::move(done));
}

void SqliteDriverStore::DeleteOffers(const std::string& where, const std::string& value, int limit, Done<int> done) {
  database_->writer().SubmitFor<int>(
      absl::InfiniteFuture(),
      [where, value, limit](Connection& connection) -> absl::StatusOr<int> {
        absl::StatusOr<Statement> remove = connection.Prepare(
            "DELETE FROM offers WHERE offer_id IN (SELECT offer_id FROM offers WHERE " + where + " LIMIT ?)");
        if (!remove.ok()) return remove.status();
        if (absl::Status status = remove->BindAll(value, limit).Run(); !status.ok()) return status;
        return static_cast<int>(connection.Changes());
      },
      std::move(done));
}

void SqliteDriverStore::Scrub(Done<bool> done) {
  database_->Scrub([done = std::move(done)](const absl::Status& status) {
    done(status.ok() ? absl::StatusOr<bool>(true) : status);
  });
}

std::int64_t SqliteDriverStore::NextEpoch() {
  const std::int64_t wall = absl::ToUnixMicros(clock_->Read().wall);
  std::int64_t last = last_epoch_.load(std::memory_order_relaxed);
  std::int64_t next;
  do next = std::max(last + 1, wall);
  while (!last_epoch_.compare_exchange_weak(last, next, std::memory_order_relaxed));
  return next;
}

void SqliteDriverStore::Stop() {
  offer_log_.Drain();
  database_->Stop();
}

}  // namespace hail::driver
