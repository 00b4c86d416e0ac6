#include "rider-service/storage/postgres_ride_store.h"

#include <exception>
#include <functional>
#include <string_view>
#include <utility>

#include "absl/strings/escaping.h"
#include "common/errors/error.h"
#include "common/failpoint/failpoint.h"
#include "common/postgres/lease.h"
#include "rider-service/codec/record_codec.h"
#include "rider-service/domain/ride_refusals.h"
#include "rider-service/storage/ride_rows.h"
#include "rider-service/storage/state_sql.h"

namespace hail::rider {
namespace {

using postgres::Blob;
using postgres::Command;
using postgres::Params;
using postgres::Rows;
using postgres::Statement;

// Attempts of one change, when connections race for the next number of the driver's events. In each race one wins.
constexpr int kMaxRaces = 100;
// The index that makes the sequence of a ride's events unique.
constexpr char kEventsOfRide[] = "events_pkey";
// The index that makes the number of a driver's events unique.
constexpr char kEventsOfDriver[] = "events_of_driver";

// --- Statements that write ---

// No row: a conflict.
const Statement kInsert{R"sql(
WITH r AS (
  INSERT INTO rides (ride_id, rider_id, request_id, quote_id, state, sequence, epoch, seen, create_time_us,
    update_time_us, match_deadline_us, ride, internals, keeper)
  VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, $10, $11, $12, $16)
  ON CONFLICT DO NOTHING RETURNING ride_id),
e AS (
  INSERT INTO events (ride_id, sequence, type, epoch, state, driver_sequence, ended, event_time_us, event)
  SELECT ride_id, $6, $13::INTEGER, $7, $5, 0, 0, $14::BIGINT, $15::BYTEA FROM r)
SELECT 1 FROM r)sql"};

const Statement kWhyNotInserted{R"sql(
SELECT why, ride, internals, keeper FROM (
  SELECT 1 AS why, ride, internals, keeper FROM rides WHERE rider_id = $1 AND request_id = $2
  UNION ALL SELECT 2, ride, internals, keeper FROM rides WHERE rider_id = $1 AND )sql" +
                                StateIn(kLive) + R"sql(
  UNION ALL SELECT 3, ride, internals, keeper FROM rides WHERE quote_id = $3
  UNION ALL SELECT 4, ride, internals, keeper FROM rides WHERE ride_id = $4) AS found
ORDER BY why LIMIT 1)sql"};
enum Why { kKnown = 1, kBusy = 2, kQuoteUsed = 3 };

// $1 to $3 identify the expected row, $4 to $15 are its new values.
constexpr char kUpdateRide[] = R"sql(
  UPDATE rides SET driver_id = $4, offer_id = $5, state = $6, sequence = $7, epoch = $8, seen = $9,
    update_time_us = $10, assign_time_us = $11, match_deadline_us = $12, ride = $13, internals = $14, keeper = $15
  WHERE ride_id = $1 AND sequence = $2 AND epoch = $3)sql";
// $16 to $23: the event, numbered for its driver.
constexpr char kInsertEvent[] = R"sql(
  INSERT INTO events (ride_id, sequence, type, epoch, state, driver_id, driver_sequence, ended, event_time_us, event,
    former, offer_id)
  SELECT ride_id, $16::BIGINT, $17::INTEGER, $8, $6, $18::TEXT,
    CASE WHEN $18::TEXT IS NULL THEN 0
    ELSE COALESCE((SELECT MAX(driver_sequence) FROM events WHERE driver_id = $18::TEXT), 0) + 1 END,
    $19::INTEGER, $20::BIGINT, $21::BYTEA, $22::BYTEA, $23::TEXT
  FROM u RETURNING driver_sequence)sql";

// Neither returns a row if the ride has changed or there is a conflict.
const Statement kUpdate{std::string(kUpdateRide) + " RETURNING 0"};
const Statement kUpdateWithEvent{"WITH u AS (" + std::string(kUpdateRide) + " RETURNING ride_id), e AS (" +
                                 kInsertEvent + ") SELECT driver_sequence FROM e"};
// $24: wall time. Writes the offer's row first, so that it and a concurrent denial wait for each other.
const Statement kAssign{
    "WITH o AS ("
    "  INSERT INTO settled_offers (offer_id, driver_id, denied, settle_time_us) VALUES ($5, $4, FALSE, $24)"
    "  ON CONFLICT (offer_id, driver_id) DO UPDATE SET settle_time_us = excluded.settle_time_us"
    "  WHERE NOT settled_offers.denied RETURNING 1), "
    "u AS (" +
    std::string(kUpdateRide) +
    "  AND EXISTS (SELECT 1 FROM o)"
    "  AND NOT EXISTS (SELECT 1 FROM rides AS other"
    "    WHERE other.driver_id = $4 AND " +
    StateIn(kWithDriver, "other.state") +
    "    AND other.ride_id <> $1)"
    "  RETURNING ride_id), e AS (" +
    kInsertEvent + ") SELECT driver_sequence FROM e"};

const Statement kWhyNotAssigned{R"sql(
SELECT EXISTS (SELECT 1 FROM rides WHERE ride_id = $1 AND sequence = $2 AND epoch = $3),
  EXISTS (SELECT 1 FROM settled_offers WHERE offer_id = $5 AND driver_id = $4 AND denied),
  EXISTS (SELECT 1 FROM rides WHERE driver_id = $4 AND ride_id <> $1 AND )sql" +
                                StateIn(kWithDriver) + ")"};

// Denies an offer: locks its row, which waits for earlier holders, then looks for the ride, then denies.
const Statement kForgetOffers{"DELETE FROM settled_offers WHERE settle_time_us < $1"};
const Statement kLockOffer{
    "INSERT INTO settled_offers (offer_id, driver_id, denied, settle_time_us) VALUES ($1, $2, FALSE, $3)"
    " ON CONFLICT (offer_id, driver_id) DO UPDATE SET settle_time_us = excluded.settle_time_us"};
const Statement kDeny{
    "UPDATE settled_offers SET denied = TRUE WHERE offer_id = $1 AND driver_id = $2"
    " AND NOT EXISTS (SELECT 1 FROM rides WHERE rides.offer_id = $1 AND rides.driver_id = $2)"
    " AND NOT EXISTS (SELECT 1 FROM events WHERE " +
    TypeIs(RideEventType::kRedispatched) + " AND events.driver_id = $2 AND events.offer_id = $1)"};

const Statement kMakeSecret{"INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING"};
const Statement kReadSecret{"SELECT value FROM secrets WHERE name = $1"};
const Statement kProbe{"UPDATE schema_version SET version = version WHERE one = 1"};

// --- Statements that read ---

const Statement kToChange{"SELECT ride, internals, keeper FROM rides WHERE ride_id = $1"};
const Statement kById{"SELECT ride, internals FROM rides WHERE ride_id = $1"};
const Statement kByRequest{"SELECT ride, internals FROM rides WHERE rider_id = $1 AND request_id = $2"};
const Statement kActiveOfRider{"SELECT ride, internals FROM rides WHERE rider_id = $1 AND " + StateIn(kLive)};
const Statement kByOffer{"SELECT ride, internals FROM rides WHERE offer_id = $1 AND driver_id = $2"};
// An earlier version stored the offer in `former` only.
const Statement kGivenUpByOffer{"SELECT former FROM events WHERE " + TypeIs(RideEventType::kRedispatched) +
                                " AND driver_id = $2 AND (offer_id = $1 OR offer_id IS NULL)"
                                " ORDER BY driver_sequence DESC"};
const Statement kOfRider{
    "SELECT ride, internals FROM rides WHERE rider_id = $1 AND ($2::TEXT = '' OR ride_id < $2::TEXT)"
    " AND ($3::BOOLEAN OR state = ANY ($4::INTEGER[])) ORDER BY ride_id DESC LIMIT $5::BIGINT"};
// For each assignment of the driver, the present ride; or, if the assignment ended before the ride did, the ride as the
// driver last had it.
const Statement kOfDriver{R"sql(
SELECT r.ride, r.internals,
  (SELECT former FROM events AS g WHERE g.ride_id = a.ride_id AND g.sequence > a.sequence
   AND g.driver_id = a.driver_id AND )sql" +
                          TypeIs(RideEventType::kRedispatched, "g.type") + R"sql( ORDER BY g.sequence LIMIT 1)
FROM events AS a JOIN rides AS r ON r.ride_id = a.ride_id
WHERE a.driver_id = $1 AND )sql" +
                          TypeIs(RideEventType::kAssigned, "a.type") + R"sql(
  AND ($2::BIGINT IS NULL OR (a.event_time_us, a.ride_id COLLATE "C") < ($2::BIGINT, $3::TEXT))
ORDER BY a.event_time_us DESC, a.ride_id COLLATE "C" DESC, a.sequence DESC LIMIT $4::BIGINT)sql"};
// A ride with all its events, as of one instant.
const Statement kLog{R"sql(
SELECT r.ride, r.internals, e.event, e.driver_id, e.driver_sequence, e.ended, e.former
FROM rides AS r LEFT JOIN events AS e ON e.ride_id = r.ride_id AND e.sequence > $2::BIGINT
WHERE r.ride_id = $1 ORDER BY e.sequence)sql"};
// A driver's live ride, with all missed events, as of one instant.
const Statement kDriver{R"sql(
SELECT (SELECT MAX(driver_sequence) FROM events WHERE driver_id = $1),
  (SELECT MAX(sequence) FROM events WHERE ride_id = $2 AND driver_id = $1),
  live.ride, live.internals, e.event, e.driver_id, e.driver_sequence, e.ended, e.former
FROM (SELECT 1) AS one
LEFT JOIN rides AS live ON live.driver_id = $1 AND )sql" +
                        StateIn(kWithDriver, "live.state") + R"sql(
LEFT JOIN events AS e ON e.ride_id = $2 AND e.driver_id = $1 AND e.sequence > $3
ORDER BY e.sequence)sql"};
const Statement kDriverEvents{
    "SELECT event, driver_id, driver_sequence, ended, former FROM events"
    " WHERE driver_id = $1 AND driver_sequence > $2 ORDER BY driver_sequence LIMIT " +
    std::to_string(kMaxDriverEvents)};
const Statement kSequences{"SELECT ride_id, sequence FROM rides WHERE ride_id = ANY ($1::TEXT[])"};
const Statement kDriverSequences{
    "SELECT id, (SELECT MAX(driver_sequence) FROM events WHERE driver_id = id) FROM UNNEST($1::TEXT[]) AS ids (id)"};
// Live rides for the scheduler.
const std::string kToDispatch = "SELECT ride, internals FROM rides WHERE (" + ToDispatch() + ") AND ";
// Rides whose owner is dead.
const std::string kOrphaned = std::string("keeper NOT IN ") + postgres::kHoldersAlive;
const Statement kDispatchable{kToDispatch + "(keeper = $1 OR " + kOrphaned + ") ORDER BY ride_id"};
const Statement kOrphans{kToDispatch + "keeper <> $1 AND " + kOrphaned + " ORDER BY ride_id"};
const Statement kKeptElsewhere{"SELECT ride, internals FROM rides WHERE ride_id = ANY ($1::TEXT[]) AND keeper <> $2"};
const Statement kCountLive{"SELECT state, COUNT(*), MIN(update_time_us) FROM rides WHERE " + StateIn(kLive) +
                           " GROUP BY state"};

// --- Statements for the erasure of persons ---

const Statement kIdsOfRider{"SELECT ride_id FROM rides WHERE rider_id = $1 AND ride_id > $2 ORDER BY ride_id LIMIT $3"};
const Statement kIdsOfDriver{
    "SELECT ride_id FROM (SELECT DISTINCT ride_id COLLATE \"C\" AS ride_id FROM events WHERE driver_id = $1) AS theirs"
    " WHERE ride_id > $2 ORDER BY ride_id LIMIT $3"};
const Statement kIdsOfOld{"SELECT ride_id FROM rides WHERE coarse = 0 AND ride_id < $1 AND ride_id > $2 AND " +
                          StateIn(kFinal) + " ORDER BY ride_id LIMIT $3"};
const Statement kLiveOfRider{"SELECT ride_id FROM rides WHERE rider_id = $1 AND " + StateIn(kLive) + " LIMIT 1"};
const Statement kLiveWithDriver{"SELECT ride_id FROM rides WHERE " + StateIn(kLive) +
                                " AND ride_id IN (SELECT ride_id FROM events WHERE driver_id = $1) LIMIT 1"};
const Statement kToRewrite{R"sql(
SELECT r.ride, r.internals, e.event, e.driver_id, e.driver_sequence, e.ended, e.former
FROM rides AS r LEFT JOIN events AS e ON e.ride_id = r.ride_id
WHERE r.ride_id = $1 ORDER BY e.sequence)sql"};
// $2 and $3 are the row as read: nobody has changed or rewritten it since. The bytes of the events come as hexadecimal
// text, because arrays of it need no binary format.
const Statement kRewrite{R"sql(
WITH u AS (
  UPDATE rides SET rider_id = $4, request_id = $5, quote_id = $6, driver_id = $7, ride = $8, internals = $9,
    coarse = GREATEST(coarse, $10)
  WHERE ride_id = $1 AND ride = $2 AND internals = $3 RETURNING ride_id),
e AS (
  UPDATE events SET driver_id = NULLIF(x.driver_id, ''), event = decode(x.event, 'hex'),
    former = decode(NULLIF(x.former, ''), 'hex')
  FROM u, UNNEST($11::BIGINT[], $12::TEXT[], $13::TEXT[], $14::TEXT[]) AS x (sequence, driver_id, event, former)
  WHERE events.ride_id = u.ride_id AND events.sequence = x.sequence)
SELECT 1 FROM u)sql"};
const Statement kForgetDriversOffers{"DELETE FROM settled_offers WHERE driver_id = $1 OR settle_time_us < $2"};

std::vector<const Statement*> AllStatements() {
  std::vector<const Statement*> all = postgres::LeaseStatements();
  all.insert(all.end(),
             {&kInsert,       &kWhyNotInserted, &kUpdate,        &kUpdateWithEvent, &kAssign,          &kWhyNotAssigned,
              &kForgetOffers, &kLockOffer,      &kDeny,          &kMakeSecret,      &kReadSecret,      &kProbe,
              &kById,         &kByRequest,      &kActiveOfRider, &kByOffer,         &kOfRider,         &kOfDriver,
              &kLog,          &kDriver,         &kDriverEvents,  &kSequences,       &kDriverSequences, &kDispatchable,
              &kCountLive,    &kOrphans,        &kKeptElsewhere, &kToChange,        &kGivenUpByOffer});
  all.insert(all.end(), {&kIdsOfRider, &kIdsOfDriver, &kIdsOfOld, &kLiveOfRider, &kLiveWithDriver, &kToRewrite,
                         &kRewrite, &kForgetDriversOffers});
  return all;
}

// --- Conversion of values ---

absl::StatusOr<Ride> RideAt(const Rows& rows, int row, int column = 0) {
  return RideFromBytes(rows.Bytes(row, column), rows.Bytes(row, column + 1));
}

absl::StatusOr<RideEvent> EventAt(const Rows& rows, int row, int column = 0) {
  return EventOfRow(rows.Bytes(row, column), rows.Bytes(row, column + 1), rows.Int64(row, column + 2),
                    rows.Int64(row, column + 3) != 0,
                    rows.IsNull(row, column + 4) ? std::nullopt : std::optional(rows.Bytes(row, column + 4)));
}

absl::StatusOr<std::optional<Ride>> FirstRide(const Rows& rows) {
  if (rows.size() == 0) return std::optional<Ride>();
  absl::StatusOr<Ride> ride = RideAt(rows, 0);
  if (!ride.ok()) return ride.status();
  return std::optional<Ride>(*std::move(ride));
}

// The given-up ride of that offer, if any.
absl::StatusOr<std::optional<Ride>> GivenUpAt(const Rows& rows, const std::string& offer_id) {
  for (int row = 0; row < rows.size(); ++row) {
    absl::StatusOr<Ride> former = FormerFromBytes(rows.Bytes(row, 0));
    if (!former.ok()) return former.status();
    if (former->offer_id() == offer_id) return std::optional<Ride>(*std::move(former));
  }
  return std::optional<Ride>();
}

absl::StatusOr<Ride> RideOfAssignmentAt(const Rows& rows, int row) {
  return rows.IsNull(row, 2) ? RideAt(rows, row) : FormerFromBytes(rows.Bytes(row, 2));
}

absl::StatusOr<std::vector<Ride>> AllRides(const Rows& rows,
                                           const std::function<absl::StatusOr<Ride>(const Rows&, int)>& read) {
  std::vector<Ride> rides;
  for (int row = 0; row < rows.size(); ++row) {
    absl::StatusOr<Ride> ride = read(rows, row);
    if (!ride.ok()) return ride.status();
    rides.push_back(*std::move(ride));
  }
  return rides;
}

absl::StatusOr<std::vector<Ride>> RidesAt(const Rows& rows) {
  return AllRides(rows, [](const Rows& rows, int row) { return RideAt(rows, row); });
}

absl::StatusOr<std::vector<Ride>> RidesInAnyState(const Rows& rows) {
  return AllRides(rows,
                  [](const Rows& rows, int row) { return RideInAnyState(rows.Bytes(row, 0), rows.Bytes(row, 1)); });
}

// The events of a result whose event begins at `column`; a row without one is skipped.
absl::StatusOr<std::vector<RideEvent>> AllEvents(const Rows& rows, int column = 0) {
  std::vector<RideEvent> events;
  for (int row = 0; row < rows.size(); ++row) {
    if (rows.IsNull(row, column)) continue;
    absl::StatusOr<RideEvent> event = EventAt(rows, row, column);
    if (!event.ok()) return event.status();
    events.push_back(*std::move(event));
  }
  return events;
}

absl::StatusOr<std::map<std::string, std::int64_t>> Numbers(const Rows& rows) {
  std::map<std::string, std::int64_t> numbers;
  for (int row = 0; row < rows.size(); ++row) numbers[std::string(rows.Bytes(row, 0))] = rows.Int64(row, 1);
  return numbers;
}

absl::StatusOr<RidePage> PageOf(absl::StatusOr<std::vector<Ride>> rides, int limit) {
  if (!rides.ok()) return rides.status();
  return Page(*std::move(rides), limit);
}

absl::StatusOr<RideLog> LogOf(const Rows& rows) {
  if (rows.size() == 0) return NoSuchRide();
  absl::StatusOr<Ride> ride = RideAt(rows, 0);
  if (!ride.ok()) return ride.status();
  absl::StatusOr<std::vector<RideEvent>> events = AllEvents(rows, 2);
  if (!events.ok()) return events.status();
  return RideLog{.ride = *std::move(ride), .events = *std::move(events)};
}

absl::StatusOr<DriverCatchUp> CatchUpOf(const Rows& rows, const std::optional<Cursor>& cursor) {
  DriverCatchUp catch_up;
  catch_up.driver_sequence = rows.Int64(0, 0);
  if (!rows.IsNull(0, 2)) {
    absl::StatusOr<Ride> ride = RideAt(rows, 0, 2);
    if (!ride.ok()) return ride.status();
    catch_up.ride = *std::move(ride);
  }
  if (!cursor || cursor->ride_id.empty()) return catch_up;
  const std::int64_t last_of_ride = rows.Int64(0, 1);
  if (last_of_ride == 0 || cursor->sequence > last_of_ride) {
    catch_up.reset = true;
    return catch_up;
  }
  absl::StatusOr<std::vector<RideEvent>> missed = AllEvents(rows, 4);
  if (!missed.ok()) return missed.status();
  catch_up.missed = *std::move(missed);
  return catch_up;
}

bool Assigns(const Ride& before, const Ride& after) {
  return after.driver() != nullptr && !after.offer_id().empty() && after.offer_id() != before.offer_id();
}

Command UpdateOf(const Ride& before, const Ride& after, const std::optional<RideEvent>& event,
                 const std::string& keeper, absl::Time wall) {
  Command command;
  command.params = Params::Of(after.ride_id(), before.sequence(), before.epoch(), DriverIdOf(after),
                              OrNull(after.offer_id()), static_cast<int>(after.state()), after.sequence(),
                              after.epoch(), after.seen_time().has_value() ? 1 : 0,
                              absl::ToUnixMicros(after.update_time()), OrNull(after.assign_time()),
                              OrNull(after.match_deadline()), Blob{after.bytes()}, Blob{InternalsBytes(after)}, keeper);
  command.statement = &kUpdate;
  if (!event) return command;
  command.statement = &kUpdateWithEvent;
  command.params.Add(event->sequence());
  command.params.Add(static_cast<int>(event->type()));
  command.params.Add(OrNull(event->driver_id));
  command.params.Add(event->ended() ? 1 : 0);
  command.params.Add(absl::ToUnixMicros(event->event_time()));
  command.params.Add(Blob{EventBytes(*event)});
  command.params.Add(event->former ? std::optional(Blob{event->former->bytes()}) : std::nullopt);
  command.params.Add(event->former ? OrNull(event->former->offer_id()) : std::nullopt);
  if (!Assigns(before, after)) return command;
  command.statement = &kAssign;
  command.params.Add(absl::ToUnixMicros(wall));
  return command;
}

// Writes the rewritten log over the row `rows`, as read by kToRewrite.
Command RewriteOf(const Rows& rows, const RideLog& log, bool coarse) {
  std::vector<std::int64_t> sequences;
  std::vector<std::string> drivers, events, formers;
  for (const RideEvent& event : log.events) {
    sequences.push_back(event.sequence());
    drivers.push_back(event.driver_id);
    events.push_back(absl::BytesToHexString(EventBytes(event)));
    formers.push_back(event.former ? absl::BytesToHexString(event.former->bytes()) : "");
  }
  const Ride& ride = log.ride;
  return {&kRewrite, Params::Of(ride.ride_id(), Blob{rows.Bytes(0, 0)}, Blob{rows.Bytes(0, 1)}, ride.rider_id(),
                                ride.request_id(), OrNull(ride.quote_id()), DriverIdOf(ride), Blob{ride.bytes()},
                                Blob{InternalsBytes(ride)}, coarse ? 1 : 0, sequences, drivers, events, formers)};
}

// The caller's error for an error of the pool.
absl::Status ErrorForCaller(const absl::Status& status) {
  if (!absl::IsAlreadyExists(status)) return status;
  return ConcurrentModification();
}

// Keys of writes. Writes with few locks come first; each kind is ordered by id.
std::string KeyOfRider(const std::string& rider_id) { return "1" + rider_id; }
std::string KeyOfOffer(const std::string& offer_id) { return "2" + offer_id; }
std::string KeyOfRide(const std::string& ride_id) { return "3" + ride_id; }

}  // namespace

// A ride on its way into the store.
struct PostgresRideStore::Creation {
  RideChange change;
  absl::Time deadline;
  Done<Created> done;
  int attempts = 0;
};

// A rewriting of an ended ride.
struct PostgresRideStore::Rewriting {
  std::string ride_id;
  Rewrite rewrite;
  bool coarse = false;
  Done<bool> done;
  int attempts = 0;
};

// A change in progress.
struct PostgresRideStore::Attempt {
  std::string ride_id;
  Decide decide;
  absl::Time deadline;
  Done<Changed> done;
  int attempts = 0;
  int races = 0;
  // The loaded ride, its other owner if any, and the decision.
  Ride before;
  std::string keeper;
  Changed changed;
};

absl::StatusOr<std::unique_ptr<PostgresRideStore>> PostgresRideStore::Open(const postgres::ConnectParams& params,
                                                                           const PostgresStoreOptions& options,
                                                                           const Clock* clock,
                                                                           postgres::Observer* observer) {
  const absl::Status migrated = postgres::Migrate(params, options.schema, PostgresMigrations(), options.patience);
  if (!migrated.ok()) return migrated;
  std::unique_ptr<PostgresRideStore> store(new PostgresRideStore(params, options, clock, observer));
  if (!store->pool_->AwaitConnections(options.patience)) {
    return Unavailable(Reason::kStoreUnavailable, "the database accepts fewer connections than needed");
  }
  return store;
}

PostgresRideStore::PostgresRideStore(const postgres::ConnectParams& params, const PostgresStoreOptions& options,
                                     const Clock* clock, postgres::Observer* observer)
    : clock_(clock),
      incarnation_id_(options.incarnation_id),
      pool_(std::make_unique<postgres::Pool>(params,
                                             postgres::Pool::Options{.writers = options.writers,
                                                                     .readers = options.readers,
                                                                     .schema = options.schema,
                                                                     .application_name = "rider-service"},
                                             AllStatements(), clock, observer)) {}

template <typename T, typename Parse>
void PostgresRideStore::Read(Command command, Parse parse, Done<T> done) {
  pool_->Read(std::move(command),
              [parse = std::move(parse), done = std::move(done)](absl::StatusOr<std::vector<Rows>> rows) {
                if (rows.ok()) {
                  done(parse(rows->front()));
                } else {
                  done(ErrorForCaller(rows.status()));
                }
              });
}

absl::Status PostgresRideStore::AdmitCreate(absl::Time deadline) const {
  return pool_->Admit(deadline, postgres::Pool::Work::kNew);
}

// --- Create ---

void PostgresRideStore::Create(RideChange change, absl::Time deadline, Done<Created> done) {
  Insert(std::make_shared<Creation>(Creation{std::move(change), deadline, std::move(done)}));
}

void PostgresRideStore::Insert(std::shared_ptr<Creation> creation) {
  const Ride& ride = creation->change.ride;
  const RideEvent& event = *creation->change.event;
  Command insert{&kInsert, Params::Of(ride.ride_id(), ride.rider_id(), ride.request_id(), OrNull(ride.quote_id()),
                                      static_cast<int>(ride.state()), ride.sequence(), ride.epoch(),
                                      absl::ToUnixMicros(ride.create_time()), absl::ToUnixMicros(ride.update_time()),
                                      OrNull(ride.match_deadline()), Blob{ride.bytes()}, Blob{InternalsBytes(ride)},
                                      static_cast<int>(event.type()), absl::ToUnixMicros(event.event_time()),
                                      Blob{EventBytes(event)}, incarnation_id_)};
  pool_->Write(
      {std::move(insert)}, KeyOfRider(ride.rider_id()), creation->deadline,
      [this, creation](absl::StatusOr<std::vector<Rows>> rows) {
        if (!rows.ok()) {
          creation->done(ErrorForCaller(rows.status()));
        } else if (rows->front().size() == 1) {
          RideChange& change = creation->change;
          creation->done(Created{
              .ride = std::move(change.ride), .existed = false, .keeper = "", .event = std::move(change.event)});
        } else {
          FindWhyNotInserted(creation);
        }
      },
      postgres::Pool::Work::kNew);
}

void PostgresRideStore::FindWhyNotInserted(std::shared_ptr<Creation> creation) {
  const Ride& ride = creation->change.ride;
  Command find{&kWhyNotInserted,
               Params::Of(ride.rider_id(), ride.request_id(), OrNull(ride.quote_id()), ride.ride_id())};
  pool_->Read(std::move(find), [this, creation](absl::StatusOr<std::vector<Rows>> found) {
    if (!found.ok()) return creation->done(ErrorForCaller(found.status()));
    const Rows& rows = found->front();
    if (rows.size() == 0) {
      // The conflict has disappeared.
      if (++creation->attempts < kMaxAttempts) return Insert(creation);
      return creation->done(Unavailable(Reason::kStoreUnavailable, "the ride could not be stored"));
    }
    absl::StatusOr<Ride> other = RideAt(rows, 0, 1);
    if (!other.ok()) return creation->done(other.status());
    switch (rows.Int64(0, 0)) {
      case kKnown:
        if (other->request_fingerprint() == creation->change.ride.request_fingerprint()) {
          return creation->done(Created{
              .ride = *std::move(other), .existed = true, .keeper = KeeperAt(rows, 0, 3), .event = std::nullopt});
        }
        return creation->done(RequestIdReused(other->ride_id()));
      case kBusy:
        return creation->done(RiderBusy(other->ride_id()));
      case kQuoteUsed:
        return creation->done(QuoteUsed());
      default:
        // Ids are random, so this is a bug.
        return creation->done(absl::AlreadyExistsError("a ride with that ride_id exists"));
    }
  });
}

// --- Change ---

void PostgresRideStore::Change(std::string ride_id, Decide decide, absl::Time deadline, Done<Changed> done) {
  auto attempt = std::make_shared<Attempt>();
  attempt->ride_id = std::move(ride_id);
  attempt->decide = std::move(decide);
  attempt->deadline = deadline;
  attempt->done = std::move(done);
  {
    absl::MutexLock lock(&mutex_);
    const auto [changing, first] = changing_.try_emplace(attempt->ride_id);
    if (!first) {
      changing->second.push_back(std::move(attempt));
      return;
    }
  }
  Load(std::move(attempt));
}

void PostgresRideStore::Finish(const std::shared_ptr<Attempt>& attempt, absl::StatusOr<Changed> result) {
  std::shared_ptr<Attempt> next;
  {
    absl::MutexLock lock(&mutex_);
    const auto changing = changing_.find(attempt->ride_id);
    if (changing->second.empty()) {
      changing_.erase(changing);
    } else {
      next = std::move(changing->second.front());
      changing->second.pop_front();
    }
  }
  // Started first, because a throwing `done` must not leave it waiting.
  if (next != nullptr) Load(std::move(next));
  attempt->done(std::move(result));
}

void PostgresRideStore::Load(std::shared_ptr<Attempt> attempt) {
  if (attempt->deadline <= clock_->Read().wall) {
    return Finish(attempt, absl::DeadlineExceededError("the deadline passed before the change began"));
  }
  if (++attempt->attempts > kMaxAttempts) {
    return Finish(attempt, ConcurrentModification());
  }
  pool_->Read({&kToChange, Params::Of(attempt->ride_id)}, [this, attempt](absl::StatusOr<std::vector<Rows>> rows) {
    if (!rows.ok()) return Finish(attempt, ErrorForCaller(rows.status()));
    absl::StatusOr<std::optional<Ride>> ride = FirstRide(rows->front());
    if (!ride.ok()) return Finish(attempt, ride.status());
    if (!*ride) return Finish(attempt, NoSuchRide());
    attempt->before = **std::move(ride);
    attempt->keeper = KeeperAt(rows->front(), 0, 2);
    DecideAndUpdate(attempt);
  });
}

void PostgresRideStore::DecideAndUpdate(const std::shared_ptr<Attempt>& attempt) {
  absl::StatusOr<RideChange> change = Internal("the change failed");
  try {
    change = attempt->decide(attempt->before);
  } catch (const std::exception&) {
    Finish(attempt, change.status());
    // The pool reports the exception.
    throw;
  }
  if (!change.ok()) return Finish(attempt, change.status());
  attempt->changed = {.ride = std::move(change->ride),
                      .event = std::move(change->event),
                      .changed = change->changed,
                      .keeper = attempt->keeper};
  Changed& changed = attempt->changed;
  if (!changed.changed) return Finish(attempt, std::move(changed));
  Command update = UpdateOf(attempt->before, changed.ride, changed.event, incarnation_id_, clock_->Read().wall);
  pool_->Write({std::move(update)}, KeyOfRide(attempt->ride_id), attempt->deadline,
               [this, attempt](absl::StatusOr<std::vector<Rows>> rows) {
                 if (absl::IsAlreadyExists(rows.status()) && rows.status().message() == kEventsOfDriver) {
                   // Another connection used the driver's next number first.
                   if (++attempt->races < kMaxRaces) --attempt->attempts;
                   Load(attempt);
                 } else if (absl::IsAlreadyExists(rows.status()) && rows.status().message() == kEventsOfRide) {
                   // Not a race, which the row's sequence would detect: the decision is wrong.
                   Finish(attempt, absl::AlreadyExistsError("the ride has an event of that sequence"));
                 } else if (absl::IsAlreadyExists(rows.status())) {
                   Finish(attempt, DriverBusy());
                 } else if (!rows.ok()) {
                   Finish(attempt, rows.status());
                 } else if (rows->front().size() == 1) {
                   if (attempt->changed.event) attempt->changed.event->driver_sequence = rows->front().Int64(0, 0);
                   Finish(attempt, std::move(attempt->changed));
                 } else if (attempt->changed.event && Assigns(attempt->before, attempt->changed.ride)) {
                   FindWhyNotUpdated(attempt);
                 } else {
                   Load(attempt);
                 }
               });
}

void PostgresRideStore::FindWhyNotUpdated(std::shared_ptr<Attempt> attempt) {
  const Ride& after = attempt->changed.ride;
  Command find{&kWhyNotAssigned, Params::Of(after.ride_id(), attempt->before.sequence(), attempt->before.epoch(),
                                            after.driver()->driver_id(), after.offer_id())};
  pool_->Read(std::move(find), [this, attempt](absl::StatusOr<std::vector<Rows>> found) {
    if (!found.ok()) return Finish(attempt, ErrorForCaller(found.status()));
    const Rows& rows = found->front();
    const bool unmoved = rows.Int64(0, 0) != 0;
    const bool denied = rows.Int64(0, 1) != 0;
    const bool busy = rows.Int64(0, 2) != 0;
    if (unmoved && denied) {
      return Finish(attempt, OfferDenied());
    }
    if (unmoved && busy) {
      return Finish(attempt, DriverBusy());
    }
    Load(attempt);
  });
}

// --- Reads ---

void PostgresRideStore::ById(std::string ride_id, Done<std::optional<Ride>> done) {
  Read<std::optional<Ride>>({&kById, Params::Of(ride_id)}, FirstRide, std::move(done));
}

void PostgresRideStore::ByRequest(std::string rider_id, std::string request_id, Done<std::optional<Ride>> done) {
  Read<std::optional<Ride>>({&kByRequest, Params::Of(rider_id, request_id)}, FirstRide, std::move(done));
}

void PostgresRideStore::ActiveOfRider(std::string rider_id, Done<std::optional<Ride>> done) {
  Read<std::optional<Ride>>({&kActiveOfRider, Params::Of(rider_id)}, FirstRide, std::move(done));
}

void PostgresRideStore::ByOffer(std::string driver_id, std::string offer_id, Done<std::optional<Ride>> done) {
  const absl::Time wall = clock_->Read().wall;
  std::vector<Command> commands;
  commands.push_back({&kForgetOffers, Params::Of(absl::ToUnixMicros(wall - kKeepSettled))});
  commands.push_back({&kLockOffer, Params::Of(offer_id, driver_id, absl::ToUnixMicros(wall))});
  commands.push_back({&kDeny, Params::Of(offer_id, driver_id)});
  commands.push_back({&kByOffer, Params::Of(offer_id, driver_id)});
  // Runs after it, so that a ride given up between the two is found here.
  commands.push_back({&kGivenUpByOffer, Params::Of(offer_id, driver_id)});
  pool_->Write(std::move(commands), KeyOfOffer(offer_id), absl::InfiniteFuture(),
               [offer_id, done = std::move(done)](absl::StatusOr<std::vector<Rows>> rows) {
                 if (!rows.ok()) return done(ErrorForCaller(rows.status()));
                 absl::StatusOr<std::optional<Ride>> ride = FirstRide(rows->at(rows->size() - 2));
                 done(ride.ok() && !*ride ? GivenUpAt(rows->back(), offer_id) : std::move(ride));
               });
}

void PostgresRideStore::ListOfRider(RiderListing listing, Done<RidePage> done) {
  std::vector<std::int64_t> states;
  for (const RideState state : listing.states) states.push_back(static_cast<int>(state));
  Read<RidePage>(
      {&kOfRider,
       Params::Of(listing.rider_id, listing.before_ride_id, listing.states.empty(), states, listing.limit + 1)},
      [limit = listing.limit](const Rows& rows) { return PageOf(RidesAt(rows), limit); }, std::move(done));
}

void PostgresRideStore::ListOfDriver(DriverListing listing, Done<RidePage> done) {
  Read<RidePage>(
      {&kOfDriver,
       Params::Of(listing.driver_id, OrNull(listing.before_assign_time), listing.before_ride_id, listing.limit + 1)},
      [limit = listing.limit](const Rows& rows) { return PageOf(AllRides(rows, RideOfAssignmentAt), limit); },
      std::move(done));
}

void PostgresRideStore::ReadLog(std::string ride_id, std::optional<std::int64_t> after, Done<RideLog> done) {
  // Without a cursor there are no events: no sequence is above NULL.
  Read<RideLog>(
      {&kLog, Params::Of(ride_id, after)},
      [](const Rows& rows) {
        HAIL_FAILPOINT(kFeedReadRide);
        return LogOf(rows);
      },
      std::move(done));
}

void PostgresRideStore::ReadDriver(std::string driver_id, std::optional<Cursor> cursor, Done<DriverCatchUp> done) {
  const Cursor from = cursor.value_or(Cursor());
  Read<DriverCatchUp>(
      {&kDriver, Params::Of(driver_id, from.ride_id, from.sequence)},
      [cursor = std::move(cursor)](const Rows& rows) {
        HAIL_FAILPOINT(kFeedReadDriver);
        return CatchUpOf(rows, cursor);
      },
      std::move(done));
}

void PostgresRideStore::ReadDriverEvents(std::string driver_id, std::int64_t after, Done<std::vector<RideEvent>> done) {
  Read<std::vector<RideEvent>>(
      {&kDriverEvents, Params::Of(driver_id, after)}, [](const Rows& rows) { return AllEvents(rows); },
      std::move(done));
}

void PostgresRideStore::Sequences(std::vector<std::string> ride_ids, Done<std::map<std::string, std::int64_t>> done) {
  Read<std::map<std::string, std::int64_t>>({&kSequences, Params::Of(ride_ids)}, Numbers, std::move(done));
}

void PostgresRideStore::DriverSequences(std::vector<std::string> driver_ids,
                                        Done<std::map<std::string, std::int64_t>> done) {
  Read<std::map<std::string, std::int64_t>>({&kDriverSequences, Params::Of(driver_ids)}, Numbers, std::move(done));
}

void PostgresRideStore::Dispatchable(Done<std::vector<Ride>> done) {
  Read<std::vector<Ride>>({&kDispatchable, Params::Of(incarnation_id_)}, RidesAt, std::move(done));
}

void PostgresRideStore::CountLive(Done<std::map<RideState, LiveRides>> done) {
  using Counts = std::map<RideState, LiveRides>;
  Read<Counts>(
      {&kCountLive, Params()},
      [](const Rows& rows) -> absl::StatusOr<Counts> {
        Counts counts;
        for (int row = 0; row < rows.size(); ++row) {
          counts[static_cast<RideState>(rows.Int64(row, 0))] = {rows.Int64(row, 1),
                                                                absl::FromUnixMicros(rows.Int64(row, 2))};
        }
        return counts;
      },
      std::move(done));
}

void PostgresRideStore::QuoteKey(Done<std::string> done) { Secret(kQuoteKey, std::move(done)); }

void PostgresRideStore::PseudonymKey(Done<std::string> done) { Secret(kPseudonymKey, std::move(done)); }

void PostgresRideStore::Secret(const char* name, Done<std::string> done) {
  const absl::StatusOr<std::string> key = DrawSecret();
  if (!key.ok()) return done(key);
  std::vector<Command> commands;
  commands.push_back({&kMakeSecret, Params::Of(name, Blob{*key})});
  commands.push_back({&kReadSecret, Params::Of(name)});
  pool_->Write(std::move(commands), "", absl::InfiniteFuture(),
               [done = std::move(done)](absl::StatusOr<std::vector<Rows>> rows) {
                 if (rows.ok()) {
                   done(std::string(rows->back().Bytes(0, 0)));
                 } else {
                   done(ErrorForCaller(rows.status()));
                 }
               });
}

void PostgresRideStore::RenewLease(absl::Duration lease, std::function<void(absl::Status)> done) {
  if (lease > absl::ZeroDuration()) {
    postgres::RenewLease(*pool_, incarnation_id_, lease, std::move(done));
  } else {
    postgres::EndLease(*pool_, incarnation_id_, std::move(done));
  }
}

void PostgresRideStore::Orphans(Done<std::vector<Ride>> done) {
  Read<std::vector<Ride>>({&kOrphans, Params::Of(incarnation_id_)}, RidesAt, std::move(done));
}

void PostgresRideStore::KeptElsewhere(std::vector<std::string> ride_ids, Done<std::vector<Ride>> done) {
  Read<std::vector<Ride>>({&kKeptElsewhere, Params::Of(ride_ids, incarnation_id_)}, RidesInAnyState, std::move(done));
}

std::string PostgresRideStore::KeeperAt(const Rows& rows, int row, int column) const {
  std::string keeper(rows.Bytes(row, column));
  return keeper == incarnation_id_ ? "" : keeper;
}

// --- Erasure of persons ---

void PostgresRideStore::RideIds(RideSelection selection, std::string after, int limit,
                                Done<std::vector<std::string>> done) {
  using Of = RideSelection::Of;
  const Statement* statement = selection.of == Of::kRider    ? &kIdsOfRider
                               : selection.of == Of::kDriver ? &kIdsOfDriver
                                                             : &kIdsOfOld;
  Read<std::vector<std::string>>(
      {statement, Params::Of(selection.key, after, limit)},
      [](const Rows& rows) -> absl::StatusOr<std::vector<std::string>> {
        std::vector<std::string> ids;
        for (int row = 0; row < rows.size(); ++row) ids.emplace_back(rows.Bytes(row, 0));
        return ids;
      },
      std::move(done));
}

void PostgresRideStore::FindLive(RideSelection selection, Done<std::optional<std::string>> done) {
  if (selection.of == RideSelection::Of::kOld) return done(std::optional<std::string>());
  Read<std::optional<std::string>>(
      {selection.of == RideSelection::Of::kRider ? &kLiveOfRider : &kLiveWithDriver, Params::Of(selection.key)},
      [](const Rows& rows) -> absl::StatusOr<std::optional<std::string>> {
        if (rows.size() == 0) return std::optional<std::string>();
        return std::optional<std::string>(rows.Bytes(0, 0));
      },
      std::move(done));
}

void PostgresRideStore::RewriteRide(std::string ride_id, Rewrite rewrite, bool coarse, Done<bool> done) {
  TryRewrite(std::make_shared<Rewriting>(Rewriting{std::move(ride_id), std::move(rewrite), coarse, std::move(done)}));
}

void PostgresRideStore::TryRewrite(std::shared_ptr<Rewriting> rewriting) {
  if (++rewriting->attempts > kMaxAttempts) return rewriting->done(ConcurrentModification());
  Command load{&kToRewrite, Params::Of(rewriting->ride_id)};
  pool_->Read(std::move(load), [this, rewriting](absl::StatusOr<std::vector<Rows>> rows) {
    if (!rows.ok()) return rewriting->done(ErrorForCaller(rows.status()));
    absl::StatusOr<RideLog> log = LogOf(rows->front());
    if (absl::IsNotFound(log.status())) return rewriting->done(false);
    if (!log.ok()) return rewriting->done(log.status());
    if (!IsFinal(log->ride.state())) return rewriting->done(false);
    std::vector<Command> commands;
    commands.push_back(RewriteOf(rows->front(), rewriting->rewrite(*std::move(log)), rewriting->coarse));
    pool_->Write(std::move(commands), KeyOfRide(rewriting->ride_id), absl::InfiniteFuture(),
                 [this, rewriting](absl::StatusOr<std::vector<Rows>> written) {
                   if (!written.ok()) return rewriting->done(ErrorForCaller(written.status()));
                   if (written->front().size() == 0) return TryRewrite(rewriting);
                   rewriting->done(true);
                 });
  });
}

void PostgresRideStore::ForgetOffers(std::string driver_id, Done<bool> done) {
  std::vector<Command> commands;
  commands.push_back(
      {&kForgetDriversOffers, Params::Of(driver_id, absl::ToUnixMicros(clock_->Read().wall - kKeepSettled))});
  pool_->Write(std::move(commands), "", absl::InfiniteFuture(),
               [done = std::move(done)](const absl::StatusOr<std::vector<Rows>>& rows) {
                 done(rows.ok() ? absl::StatusOr<bool>(true) : ErrorForCaller(rows.status()));
               });
}

// The server reuses the space of earlier values by itself; see docs/operations.md.
void PostgresRideStore::Scrub(Done<bool> done) { done(true); }

void PostgresRideStore::ProbeWrite(std::function<void(absl::Status)> done) {
  pool_->Write({{&kProbe, Params()}}, "", absl::InfiniteFuture(),
               [done = std::move(done)](const absl::StatusOr<std::vector<Rows>>& rows) { done(rows.status()); });
}

}  // namespace hail::rider
