#include "rider-service/storage/sqlite_ride_store.h"

#include <string_view>
#include <utility>

#include "common/errors/error.h"
#include "common/failpoint/failpoint.h"
#include "rider-service/codec/record_codec.h"
#include "rider-service/domain/ride_refusals.h"
#include "rider-service/storage/ride_rows.h"
#include "rider-service/storage/schema.h"
#include "rider-service/storage/state_sql.h"

namespace hail::rider {
namespace {

using sqlite::Blob;
using sqlite::Connection;
using sqlite::Statement;

// The columns of every query of rides, in this order.
constexpr char kRideColumns[] = " ride, internals ";
constexpr char kEventColumns[] = " event, driver_id, driver_sequence, ended, former ";

absl::StatusOr<Ride> ReadRide(const Statement& row) { return RideFromBytes(row.Bytes(0), row.Bytes(1)); }

absl::StatusOr<RideEvent> ReadEvent(const Statement& row) {
  return EventOfRow(row.Bytes(0), row.Text(1), row.Int64(2), row.Int64(3) != 0,
                    row.IsNull(4) ? std::nullopt : std::optional(row.Bytes(4)));
}

// The ride that the query finds, if any; `values` are its parameters.
template <typename... Values>
absl::StatusOr<std::optional<Ride>> FindRide(Connection& db, const std::string& where, const Values&... values) {
  absl::StatusOr<Statement> query = db.Prepare("SELECT" + std::string(kRideColumns) + "FROM rides WHERE " + where);
  if (!query.ok()) return query.status();
  query->BindAll(values...);
  const absl::StatusOr<bool> row = query->Step();
  if (!row.ok()) return row.status();
  if (!*row) return std::optional<Ride>();
  absl::StatusOr<Ride> ride = ReadRide(*query);
  if (!ride.ok()) return ride.status();
  return std::optional<Ride>(*std::move(ride));
}

// All rows of a bound query, each converted by `read`.
template <typename T>
absl::StatusOr<std::vector<T>> ReadAll(Statement& query, absl::StatusOr<T> (*read)(const Statement&)) {
  std::vector<T> all;
  while (true) {
    const absl::StatusOr<bool> row = query.Step();
    if (!row.ok()) return row.status();
    if (!*row) return all;
    absl::StatusOr<T> one = read(query);
    if (!one.ok()) return one.status();
    all.push_back(*std::move(one));
  }
}

// Runs a query for one number; 0 for NULL.
template <typename... Values>
absl::StatusOr<std::int64_t> ReadNumber(Connection& db, std::string_view sql, const Values&... values) {
  absl::StatusOr<Statement> query = db.Prepare(sql);
  if (!query.ok()) return query.status();
  query->BindAll(values...);
  const absl::StatusOr<bool> row = query->Step();
  if (!row.ok()) return row.status();
  return *row ? query->Int64(0) : 0;
}

absl::StatusOr<std::optional<Ride>> FindById(Connection& db, const std::string& ride_id) {
  return FindRide(db, "ride_id = ?", ride_id);
}

constexpr char kByRequest[] = "rider_id = ? AND request_id = ?";
const std::string kLiveOfRider = "rider_id = ? AND " + StateIn(kLive);
const std::string kLiveOfDriver = "driver_id = ? AND " + StateIn(kWithDriver);
constexpr char kByOffer[] = "offer_id = ? AND driver_id = ?";

absl::Status InsertRide(Connection& db, const Ride& ride) {
  absl::StatusOr<Statement> insert = db.Prepare(
      "INSERT INTO rides (ride_id, rider_id, request_id, quote_id, driver_id, offer_id, state, sequence, epoch, seen,"
      " create_time_us, update_time_us, assign_time_us, match_deadline_us, ride, internals)"
      " VALUES (?, ?, ?, ?, NULL, NULL, ?, ?, ?, 0, ?, ?, NULL, ?, ?, ?)");
  if (!insert.ok()) return insert.status();
  const std::string internals = InternalsBytes(ride);
  insert->BindAll(ride.ride_id(), ride.rider_id(), ride.request_id(), OrNull(ride.quote_id()),
                  static_cast<int>(ride.state()), ride.sequence(), ride.epoch(), absl::ToUnixMicros(ride.create_time()),
                  absl::ToUnixMicros(ride.update_time()), OrNull(ride.match_deadline()), Blob{ride.bytes()},
                  Blob{internals});
  return insert->Run();
}

// False: the row has changed since `before`.
absl::StatusOr<bool> UpdateRide(Connection& db, const Ride& before, const Ride& after) {
  absl::StatusOr<Statement> update = db.Prepare(
      "UPDATE rides SET driver_id = ?, offer_id = ?, state = ?, sequence = ?, epoch = ?, seen = ?, update_time_us = ?,"
      " assign_time_us = ?, match_deadline_us = ?, ride = ?, internals = ?"
      " WHERE ride_id = ? AND sequence = ? AND epoch = ?");
  if (!update.ok()) return update.status();
  const std::string internals = InternalsBytes(after);
  update->BindAll(DriverIdOf(after), OrNull(after.offer_id()), static_cast<int>(after.state()), after.sequence(),
                  after.epoch(), after.seen_time().has_value() ? 1 : 0, absl::ToUnixMicros(after.update_time()),
                  OrNull(after.assign_time()), OrNull(after.match_deadline()), Blob{after.bytes()}, Blob{internals},
                  after.ride_id(), before.sequence(), before.epoch());
  if (absl::Status status = update->Run(); !status.ok()) return status;
  return db.Changes() == 1;
}

// Appends `event`, numbered for its driver.
absl::Status InsertEvent(Connection& db, RideEvent& event) {
  if (!event.driver_id.empty()) {
    const absl::StatusOr<std::int64_t> last =
        ReadNumber(db, "SELECT MAX(driver_sequence) FROM events WHERE driver_id = ?", event.driver_id);
    if (!last.ok()) return last.status();
    event.driver_sequence = *last + 1;
  }
  absl::StatusOr<Statement> insert = db.Prepare(
      "INSERT INTO events (ride_id, sequence, type, epoch, state, driver_id, driver_sequence, ended, event_time_us,"
      " event, former, offer_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  if (!insert.ok()) return insert.status();
  const std::string bytes = EventBytes(event);
  insert->BindAll(event.ride_id(), event.sequence(), static_cast<int>(event.type()), event.ride.epoch(),
                  static_cast<int>(event.ride.state()), OrNull(event.driver_id), event.driver_sequence,
                  event.ended() ? 1 : 0, absl::ToUnixMicros(event.event_time()), Blob{bytes},
                  event.former ? std::optional(Blob{event.former->bytes()}) : std::nullopt,
                  event.former ? OrNull(event.former->offer_id()) : std::nullopt);
  return insert->Run();
}

absl::StatusOr<Created> CreateRide(Connection& db, RideChange change) {
  const Ride& ride = change.ride;
  absl::StatusOr<std::optional<Ride>> known = FindRide(db, kByRequest, ride.rider_id(), ride.request_id());
  if (!known.ok()) return known.status();
  if (*known) {
    if ((*known)->request_fingerprint() == ride.request_fingerprint()) {
      return Created{.ride = **std::move(known), .existed = true, .event = std::nullopt};
    }
    return RequestIdReused((*known)->ride_id());
  }
  const absl::StatusOr<std::optional<Ride>> live = FindRide(db, kLiveOfRider, ride.rider_id());
  if (!live.ok()) return live.status();
  if (*live) {
    return RiderBusy((*live)->ride_id());
  }
  if (!ride.quote_id().empty()) {
    const absl::StatusOr<std::int64_t> used =
        ReadNumber(db, "SELECT COUNT(*) FROM rides WHERE quote_id = ?", ride.quote_id());
    if (!used.ok()) return used.status();
    if (*used > 0) return QuoteUsed();
  }
  if (absl::Status status = InsertRide(db, ride); !status.ok()) return status;
  if (absl::Status status = InsertEvent(db, *change.event); !status.ok()) return status;
  return Created{.ride = std::move(change.ride), .existed = false, .event = std::move(change.event)};
}

// The ride that the driver got by the offer and gave up, as the driver last had it.
absl::StatusOr<std::optional<Ride>> FindGivenUp(Connection& db, const std::string& driver_id,
                                                const std::string& offer_id) {
  static const std::string sql = "SELECT former FROM events WHERE " + TypeIs(RideEventType::kRedispatched) +
                                 " AND driver_id = ? AND (offer_id = ? OR offer_id IS NULL)"
                                 " ORDER BY driver_sequence DESC";
  absl::StatusOr<Statement> query = db.Prepare(sql);
  if (!query.ok()) return query.status();
  query->BindAll(driver_id, offer_id);
  while (true) {
    const absl::StatusOr<bool> row = query->Step();
    if (!row.ok()) return row.status();
    if (!*row) return std::optional<Ride>();
    absl::StatusOr<Ride> former = FormerFromBytes(query->Bytes(0));
    if (!former.ok()) return former.status();
    if (former->offer_id() == offer_id) return std::optional<Ride>(*std::move(former));
  }
}

// The ride of the offer; if there is none, records the denial.
absl::StatusOr<std::optional<Ride>> FindOrDeny(Connection& db, const std::string& driver_id,
                                               const std::string& offer_id, absl::Time wall) {
  absl::StatusOr<std::optional<Ride>> ride = FindRide(db, kByOffer, offer_id, driver_id);
  if (ride.ok() && !*ride) ride = FindGivenUp(db, driver_id, offer_id);
  if (!ride.ok() || *ride) return ride;
  absl::StatusOr<Statement> forget = db.Prepare("DELETE FROM denied_offers WHERE deny_time_us < ?");
  if (!forget.ok()) return forget.status();
  forget->BindAll(absl::ToUnixMicros(wall - kKeepSettled));
  if (absl::Status status = forget->Run(); !status.ok()) return status;
  absl::StatusOr<Statement> deny =
      db.Prepare("INSERT OR REPLACE INTO denied_offers (offer_id, driver_id, deny_time_us) VALUES (?, ?, ?)");
  if (!deny.ok()) return deny.status();
  deny->BindAll(offer_id, driver_id, absl::ToUnixMicros(wall));
  if (absl::Status status = deny->Run(); !status.ok()) return status;
  return ride;
}

// OFFER_EXPIRED if the change assigns by an offer that was denied.
absl::Status CheckNotDenied(Connection& db, const Ride& before, const Ride& after) {
  if (after.driver() == nullptr || after.offer_id().empty() || after.offer_id() == before.offer_id())
    return absl::OkStatus();
  const absl::StatusOr<std::int64_t> denied =
      ReadNumber(db, "SELECT COUNT(*) FROM denied_offers WHERE " + std::string(kByOffer), after.offer_id(),
                 after.driver()->driver_id());
  if (!denied.ok()) return denied.status();
  if (*denied == 0) return absl::OkStatus();
  return OfferDenied();
}

// The decision's outcome on the present row; nullopt: the row has changed meanwhile.
absl::StatusOr<std::optional<Changed>> TryChange(Connection& db, const std::string& ride_id, const Decide& decide) {
  const absl::StatusOr<std::optional<Ride>> before = FindById(db, ride_id);
  if (!before.ok()) return before.status();
  if (!*before) return NoSuchRide();
  absl::StatusOr<RideChange> change = decide(**before);
  if (!change.ok()) return change.status();
  Changed changed{.ride = std::move(change->ride), .event = std::move(change->event), .changed = change->changed};
  if (!changed.changed) return std::optional<Changed>(std::move(changed));
  if (absl::Status status = CheckNotDenied(db, **before, changed.ride); !status.ok()) return status;

  const absl::StatusOr<bool> updated = UpdateRide(db, **before, changed.ride);
  if (sqlite::UniqueViolation(updated.status())) {
    // An update can violate only the driver's unique index.
    return DriverBusy();
  }
  if (!updated.ok()) return updated.status();
  if (!*updated) return std::optional<Changed>();
  if (changed.event) {
    if (absl::Status status = InsertEvent(db, *changed.event); !status.ok()) return status;
  }
  return std::optional<Changed>(std::move(changed));
}

absl::StatusOr<Changed> ChangeRide(Connection& db, const std::string& ride_id, const Decide& decide) {
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    absl::StatusOr<std::optional<Changed>> changed = TryChange(db, ride_id, decide);
    if (!changed.ok()) return changed.status();
    if (*changed) return **std::move(changed);
  }
  return ConcurrentModification();
}

absl::StatusOr<RidePage> PageOfRider(Connection& db, const RiderListing& listing) {
  std::string sql = "SELECT" + std::string(kRideColumns) + "FROM rides WHERE rider_id = ?";
  if (!listing.before_ride_id.empty()) sql += " AND ride_id < ?";
  // Values are bound, so that the cached texts stay few.
  if (!listing.states.empty()) sql += " AND state IN (?";
  for (std::size_t i = 1; i < listing.states.size(); ++i) sql += ",?";
  if (!listing.states.empty()) sql += ")";
  sql += " ORDER BY ride_id DESC LIMIT ?";
  absl::StatusOr<Statement> query = db.Prepare(sql);
  if (!query.ok()) return query.status();
  int place = 0;
  query->Bind(++place, listing.rider_id);
  if (!listing.before_ride_id.empty()) query->Bind(++place, listing.before_ride_id);
  for (const RideState state : listing.states) query->Bind(++place, static_cast<int>(state));
  query->Bind(++place, listing.limit + 1);
  absl::StatusOr<std::vector<Ride>> rides = ReadAll<Ride>(*query, ReadRide);
  if (!rides.ok()) return rides.status();
  return Page(*std::move(rides), listing.limit);
}

// The ride of an assignment: the present ride, or, if the assignment ended earlier, the ride as the driver last had it.
absl::StatusOr<Ride> ReadAssigned(const Statement& row) {
  return row.IsNull(2) ? ReadRide(row) : FormerFromBytes(row.Bytes(2));
}

absl::StatusOr<RidePage> PageOfDriver(Connection& db, const DriverListing& listing) {
  std::string sql =
      "SELECT r.ride, r.internals,"
      " (SELECT former FROM events AS g WHERE g.ride_id = a.ride_id AND g.sequence > a.sequence AND " +
      TypeIs(RideEventType::kRedispatched, "g.type") +
      "  AND g.driver_id = a.driver_id ORDER BY g.sequence LIMIT 1)"
      " FROM events AS a JOIN rides AS r ON r.ride_id = a.ride_id WHERE " +
      TypeIs(RideEventType::kAssigned, "a.type") + " AND a.driver_id = ?";
  if (listing.before_assign_time) sql += " AND (a.event_time_us, a.ride_id) < (?, ?)";
  sql += " ORDER BY a.event_time_us DESC, a.ride_id DESC, a.sequence DESC LIMIT ?";
  absl::StatusOr<Statement> query = db.Prepare(sql);
  if (!query.ok()) return query.status();
  int place = 0;
  query->Bind(++place, listing.driver_id);
  if (listing.before_assign_time) {
    query->Bind(++place, absl::ToUnixMicros(*listing.before_assign_time));
    query->Bind(++place, listing.before_ride_id);
  }
  query->Bind(++place, listing.limit + 1);
  absl::StatusOr<std::vector<Ride>> rides = ReadAll<Ride>(*query, ReadAssigned);
  if (!rides.ok()) return rides.status();
  return Page(*std::move(rides), listing.limit);
}

template <typename... Values>
absl::StatusOr<std::vector<RideEvent>> FindEvents(Connection& db, const std::string& rest, const Values&... values) {
  absl::StatusOr<Statement> query = db.Prepare("SELECT" + std::string(kEventColumns) + "FROM events WHERE " + rest);
  if (!query.ok()) return query.status();
  query->BindAll(values...);
  return ReadAll<RideEvent>(*query, ReadEvent);
}

absl::StatusOr<std::int64_t> LastOfDriver(Connection& db, const std::string& driver_id) {
  return ReadNumber(db, "SELECT MAX(driver_sequence) FROM events WHERE driver_id = ?", driver_id);
}

absl::StatusOr<DriverCatchUp> CatchUp(Connection& db, const std::string& driver_id,
                                      const std::optional<Cursor>& cursor) {
  DriverCatchUp catch_up;
  const absl::StatusOr<std::int64_t> last = LastOfDriver(db, driver_id);
  if (!last.ok()) return last.status();
  catch_up.driver_sequence = *last;
  absl::StatusOr<std::optional<Ride>> live = FindRide(db, kLiveOfDriver, driver_id);
  if (!live.ok()) return live.status();
  catch_up.ride = *std::move(live);
  if (!cursor || cursor->ride_id.empty()) return catch_up;

  const absl::StatusOr<std::int64_t> last_of_ride = ReadNumber(
      db, "SELECT MAX(sequence) FROM events WHERE ride_id = ? AND driver_id = ?", cursor->ride_id, driver_id);
  if (!last_of_ride.ok()) return last_of_ride.status();
  if (*last_of_ride == 0 || cursor->sequence > *last_of_ride) {
    catch_up.reset = true;
    return catch_up;
  }
  absl::StatusOr<std::vector<RideEvent>> missed =
      FindEvents(db, "ride_id = ? AND driver_id = ? AND sequence > ? ORDER BY sequence", cursor->ride_id, driver_id,
                 cursor->sequence);
  if (!missed.ok()) return missed.status();
  catch_up.missed = *std::move(missed);
  return catch_up;
}

absl::StatusOr<RideLog> Log(Connection& db, const std::string& ride_id, const std::optional<std::int64_t>& after) {
  absl::StatusOr<std::optional<Ride>> ride = FindById(db, ride_id);
  if (!ride.ok()) return ride.status();
  if (!*ride) return NoSuchRide();
  RideLog log{.ride = **std::move(ride), .events = {}};
  if (!after) return log;
  absl::StatusOr<std::vector<RideEvent>> events =
      FindEvents(db, "ride_id = ? AND sequence > ? ORDER BY sequence", ride_id, *after);
  if (!events.ok()) return events.status();
  log.events = *std::move(events);
  return log;
}

absl::StatusOr<std::string> LoadOrMakeSecret(Connection& db, const char* name) {
  absl::StatusOr<Statement> query = db.Prepare("SELECT value FROM secrets WHERE name = ?");
  if (!query.ok()) return query.status();
  query->BindAll(name);
  const absl::StatusOr<bool> row = query->Step();
  if (!row.ok()) return row.status();
  if (*row) return std::string(query->Bytes(0));
  const absl::StatusOr<std::string> key = DrawSecret();
  if (!key.ok()) return key;
  absl::StatusOr<Statement> insert = db.Prepare("INSERT INTO secrets (name, value) VALUES (?, ?)");
  if (!insert.ok()) return insert.status();
  if (absl::Status status = insert->BindAll(name, Blob{*key}).Run(); !status.ok()) return status;
  return key;
}

absl::StatusOr<std::vector<std::string>> SelectIds(Connection& db, const RideSelection& selection,
                                                   const std::string& after, int limit) {
  static const std::string rider = "SELECT ride_id FROM rides WHERE rider_id = ? AND ride_id > ?";
  static const std::string driver = "SELECT DISTINCT ride_id FROM events WHERE driver_id = ? AND ride_id > ?";
  static const std::string old =
      "SELECT ride_id FROM rides WHERE coarse = 0 AND ride_id < ? AND ride_id > ? AND " + StateIn(kFinal);
  using Of = RideSelection::Of;
  absl::StatusOr<Statement> query = db.Prepare((selection.of == Of::kRider    ? rider
                                                : selection.of == Of::kDriver ? driver
                                                                              : old) +
                                               " ORDER BY ride_id LIMIT ?");
  if (!query.ok()) return query.status();
  query->BindAll(selection.key, after, limit);
  return ReadAll<std::string>(
      *query, [](const Statement& row) -> absl::StatusOr<std::string> { return std::string(row.Text(0)); });
}

absl::StatusOr<std::optional<std::string>> SelectLive(Connection& db, const RideSelection& selection) {
  static const std::string rider = "SELECT ride_id FROM rides WHERE rider_id = ? AND " + StateIn(kLive) + " LIMIT 1";
  static const std::string driver = "SELECT ride_id FROM rides WHERE " + StateIn(kLive) +
                                    " AND ride_id IN (SELECT ride_id FROM events WHERE driver_id = ?) LIMIT 1";
  if (selection.of == RideSelection::Of::kOld) return std::optional<std::string>();
  absl::StatusOr<Statement> query = db.Prepare(selection.of == RideSelection::Of::kRider ? rider : driver);
  if (!query.ok()) return query.status();
  const absl::StatusOr<bool> row = query->BindAll(selection.key).Step();
  if (!row.ok()) return row.status();
  return *row ? std::optional(std::string(query->Text(0))) : std::nullopt;
}

absl::Status ReplaceEvent(Connection& db, const RideEvent& event) {
  absl::StatusOr<Statement> update =
      db.Prepare("UPDATE events SET driver_id = ?, event = ?, former = ? WHERE ride_id = ? AND sequence = ?");
  if (!update.ok()) return update.status();
  const std::string bytes = EventBytes(event);
  update->BindAll(OrNull(event.driver_id), Blob{bytes},
                  event.former ? std::optional(Blob{event.former->bytes()}) : std::nullopt, event.ride_id(),
                  event.sequence());
  return update->Run();
}

absl::StatusOr<bool> RewriteLog(Connection& db, const std::string& ride_id, const Rewrite& rewrite, bool coarse) {
  absl::StatusOr<RideLog> log = Log(db, ride_id, 0);
  if (absl::IsNotFound(log.status())) return false;
  if (!log.ok()) return log.status();
  if (!IsFinal(log->ride.state())) return false;
  log = rewrite(*std::move(log));
  const Ride& ride = log->ride;
  absl::StatusOr<Statement> update = db.Prepare(
      "UPDATE rides SET rider_id = ?, request_id = ?, quote_id = ?, driver_id = ?, ride = ?, internals = ?,"
      " coarse = MAX(coarse, ?) WHERE ride_id = ?");
  if (!update.ok()) return update.status();
  const std::string internals = InternalsBytes(ride);
  update->BindAll(ride.rider_id(), ride.request_id(), OrNull(ride.quote_id()), DriverIdOf(ride), Blob{ride.bytes()},
                  Blob{internals}, coarse ? 1 : 0, ride_id);
  if (absl::Status status = update->Run(); !status.ok()) return status;
  for (const RideEvent& event : log->events) {
    if (absl::Status status = ReplaceEvent(db, event); !status.ok()) return status;
  }
  return true;
}

absl::StatusOr<bool> DeleteDenials(Connection& db, const std::string& driver_id, absl::Time wall) {
  absl::StatusOr<Statement> forget = db.Prepare("DELETE FROM denied_offers WHERE driver_id = ? OR deny_time_us < ?");
  if (!forget.ok()) return forget.status();
  if (absl::Status status = forget->BindAll(driver_id, absl::ToUnixMicros(wall - kKeepSettled)).Run(); !status.ok()) {
    return status;
  }
  return true;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteRideStore>> SqliteRideStore::Open(const sqlite::DatabaseOptions& options,
                                                                       const Clock* clock, sqlite::Observer* observer) {
  absl::StatusOr<std::unique_ptr<sqlite::Database>> database =
      sqlite::Database::Open(options, Migrations(), clock, observer);
  if (!database.ok()) return database.status();
  return std::unique_ptr<SqliteRideStore>(new SqliteRideStore(*std::move(database), clock));
}

absl::Status SqliteRideStore::AdmitCreate(absl::Time deadline) const {
  return database_->writer().Admit(deadline, sqlite::GroupCommitter::Work::kNew);
}

void SqliteRideStore::Create(RideChange change, absl::Time deadline, Done<Created> done) {
  database_->writer().SubmitFor<Created>(
      deadline, [change = std::move(change)](Connection& db) mutable { return CreateRide(db, std::move(change)); },
      std::move(done), sqlite::GroupCommitter::Work::kNew);
}

void SqliteRideStore::Change(std::string ride_id, Decide decide, absl::Time deadline, Done<Changed> done) {
  database_->writer().SubmitFor<Changed>(
      deadline,
      [ride_id = std::move(ride_id), decide = std::move(decide)](Connection& db) {
        return ChangeRide(db, ride_id, decide);
      },
      std::move(done));
}

template <typename T, typename Query>
void SqliteRideStore::Read(Query query, Done<T> done) {
  database_->readers().SubmitFor<T>(absl::InfiniteFuture(), std::move(query), std::move(done));
}

void SqliteRideStore::ById(std::string ride_id, Done<std::optional<Ride>> done) {
  Read<std::optional<Ride>>([ride_id = std::move(ride_id)](Connection& db) { return FindById(db, ride_id); },
                            std::move(done));
}

void SqliteRideStore::ByRequest(std::string rider_id, std::string request_id, Done<std::optional<Ride>> done) {
  Read<std::optional<Ride>>([rider_id = std::move(rider_id), request_id = std::move(request_id)](
                                Connection& db) { return FindRide(db, kByRequest, rider_id, request_id); },
                            std::move(done));
}

void SqliteRideStore::ActiveOfRider(std::string rider_id, Done<std::optional<Ride>> done) {
  Read<std::optional<Ride>>(
      [rider_id = std::move(rider_id)](Connection& db) { return FindRide(db, kLiveOfRider, rider_id); },
      std::move(done));
}

void SqliteRideStore::ByOffer(std::string driver_id, std::string offer_id, Done<std::optional<Ride>> done) {
  // Runs in the writer's queue, and so in order with earlier requests.
  database_->writer().SubmitFor<std::optional<Ride>>(
      absl::InfiniteFuture(),
      [driver_id = std::move(driver_id), offer_id = std::move(offer_id), wall = clock_->Read().wall](Connection& db) {
        return FindOrDeny(db, driver_id, offer_id, wall);
      },
      std::move(done));
}

void SqliteRideStore::ListOfRider(RiderListing listing, Done<RidePage> done) {
  Read<RidePage>([listing = std::move(listing)](Connection& db) { return PageOfRider(db, listing); }, std::move(done));
}

void SqliteRideStore::ListOfDriver(DriverListing listing, Done<RidePage> done) {
  Read<RidePage>([listing = std::move(listing)](Connection& db) { return PageOfDriver(db, listing); }, std::move(done));
}

void SqliteRideStore::ReadLog(std::string ride_id, std::optional<std::int64_t> after, Done<RideLog> done) {
  Read<RideLog>(
      [ride_id = std::move(ride_id), after](Connection& db) {
        HAIL_FAILPOINT(kFeedReadRide);
        return Log(db, ride_id, after);
      },
      std::move(done));
}

void SqliteRideStore::ReadDriver(std::string driver_id, std::optional<Cursor> cursor, Done<DriverCatchUp> done) {
  Read<DriverCatchUp>(
      [driver_id = std::move(driver_id), cursor = std::move(cursor)](Connection& db) {
        HAIL_FAILPOINT(kFeedReadDriver);
        return CatchUp(db, driver_id, cursor);
      },
      std::move(done));
}

void SqliteRideStore::ReadDriverEvents(std::string driver_id, std::int64_t after, Done<std::vector<RideEvent>> done) {
  Read<std::vector<RideEvent>>(
      [driver_id = std::move(driver_id), after](Connection& db) {
        return FindEvents(
            db,
            "driver_id = ? AND driver_sequence > ? ORDER BY driver_sequence LIMIT " + std::to_string(kMaxDriverEvents),
            driver_id, after);
      },
      std::move(done));
}

void SqliteRideStore::Sequences(std::vector<std::string> ride_ids, Done<std::map<std::string, std::int64_t>> done) {
  using Numbers = std::map<std::string, std::int64_t>;
  Read<Numbers>(
      [ride_ids = std::move(ride_ids)](Connection& db) -> absl::StatusOr<Numbers> {
        Numbers numbers;
        for (const std::string& ride_id : ride_ids) {
          const absl::StatusOr<std::int64_t> sequence =
              ReadNumber(db, "SELECT sequence FROM rides WHERE ride_id = ?", ride_id);
          if (!sequence.ok()) return sequence.status();
          if (*sequence > 0) numbers[ride_id] = *sequence;
        }
        return numbers;
      },
      std::move(done));
}

void SqliteRideStore::DriverSequences(std::vector<std::string> driver_ids,
                                      Done<std::map<std::string, std::int64_t>> done) {
  using Numbers = std::map<std::string, std::int64_t>;
  Read<Numbers>(
      [driver_ids = std::move(driver_ids)](Connection& db) -> absl::StatusOr<Numbers> {
        Numbers numbers;
        for (const std::string& driver_id : driver_ids) {
          const absl::StatusOr<std::int64_t> last = LastOfDriver(db, driver_id);
          if (!last.ok()) return last.status();
          numbers[driver_id] = *last;
        }
        return numbers;
      },
      std::move(done));
}

void SqliteRideStore::Dispatchable(Done<std::vector<Ride>> done) {
  Read<std::vector<Ride>>(
      [](Connection& db) -> absl::StatusOr<std::vector<Ride>> {
        // All live, as the index requires.
        absl::StatusOr<Statement> query = db.Prepare("SELECT" + std::string(kRideColumns) + "FROM rides WHERE " +
                                                     StateIn(kLive) + " AND (" + ToDispatch() + ") ORDER BY ride_id");
        if (!query.ok()) return query.status();
        return ReadAll<Ride>(*query, ReadRide);
      },
      std::move(done));
}

void SqliteRideStore::CountLive(Done<std::map<RideState, LiveRides>> done) {
  using Counts = std::map<RideState, LiveRides>;
  Read<Counts>(
      [](Connection& db) -> absl::StatusOr<Counts> {
        absl::StatusOr<Statement> query = db.Prepare("SELECT state, COUNT(*), MIN(update_time_us) FROM rides WHERE " +
                                                     StateIn(kLive) + " GROUP BY state");
        if (!query.ok()) return query.status();
        Counts counts;
        while (true) {
          const absl::StatusOr<bool> row = query->Step();
          if (!row.ok()) return row.status();
          if (!*row) return counts;
          counts[static_cast<RideState>(query->Int64(0))] = {query->Int64(1), absl::FromUnixMicros(query->Int64(2))};
        }
      },
      std::move(done));
}

void SqliteRideStore::QuoteKey(Done<std::string> done) { Secret(kQuoteKey, std::move(done)); }

void SqliteRideStore::PseudonymKey(Done<std::string> done) { Secret(kPseudonymKey, std::move(done)); }

void SqliteRideStore::Secret(const char* name, Done<std::string> done) {
  database_->writer().SubmitFor<std::string>(
      absl::InfiniteFuture(), [name](Connection& db) { return LoadOrMakeSecret(db, name); }, std::move(done));
}

void SqliteRideStore::RideIds(RideSelection selection, std::string after, int limit,
                              Done<std::vector<std::string>> done) {
  Read<std::vector<std::string>>([selection = std::move(selection), after = std::move(after),
                                  limit](Connection& db) { return SelectIds(db, selection, after, limit); },
                                 std::move(done));
}

void SqliteRideStore::FindLive(RideSelection selection, Done<std::optional<std::string>> done) {
  Read<std::optional<std::string>>(
      [selection = std::move(selection)](Connection& db) { return SelectLive(db, selection); }, std::move(done));
}

void SqliteRideStore::RewriteRide(std::string ride_id, Rewrite rewrite, bool coarse, Done<bool> done) {
  database_->writer().SubmitFor<bool>(
      absl::InfiniteFuture(),
      [ride_id = std::move(ride_id), rewrite = std::move(rewrite), coarse](Connection& db) {
        return RewriteLog(db, ride_id, rewrite, coarse);
      },
      std::move(done));
}

void SqliteRideStore::ForgetOffers(std::string driver_id, Done<bool> done) {
  database_->writer().SubmitFor<bool>(
      absl::InfiniteFuture(),
      [driver_id = std::move(driver_id), wall = clock_->Read().wall](Connection& db) {
        return DeleteDenials(db, driver_id, wall);
      },
      std::move(done));
}

void SqliteRideStore::Scrub(Done<bool> done) {
  database_->Scrub([done = std::move(done)](const absl::Status& status) {
    done(status.ok() ? absl::StatusOr<bool>(true) : status);
  });
}

}  // namespace hail::rider
