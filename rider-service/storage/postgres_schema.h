// The tables of rider-service in PostgreSQL, in a schema of its own. As in schema.h, times are microseconds since 1970
// of domain time, unless noted; blobs are the contract's messages.
#pragma once

#include <vector>

#include "absl/strings/str_cat.h"
#include "common/postgres/lease.h"
#include "common/postgres/migrate.h"

namespace hail::rider {

inline constexpr char kPostgresSchema[] = "hail_rider";

// One entry per released version of the schema, run once each, in order. Texts in an order are compared as bytes,
// whatever the database's locale.
inline std::vector<postgres::Migration> PostgresMigrations() {
  return {{absl::StrCat(R"sql(
CREATE TABLE rides (
  ride_id           TEXT COLLATE "C" PRIMARY KEY,
  rider_id          TEXT NOT NULL,
  request_id        TEXT NOT NULL,
  quote_id          TEXT,              -- NULL: requested without
  driver_id         TEXT,              -- the assigned driver, and of an ended ride the last one; else NULL
  offer_id          TEXT,              -- the accepted offer behind it; else NULL
  state             INTEGER NOT NULL,  -- hail.type.v1.RideState
  sequence          BIGINT NOT NULL,
  epoch             BIGINT NOT NULL,
  seen              INTEGER NOT NULL,  -- 1: the present assignment was acknowledged
  create_time_us    BIGINT NOT NULL,
  update_time_us    BIGINT NOT NULL,
  assign_time_us    BIGINT,
  match_deadline_us BIGINT,
  ride              BYTEA NOT NULL,    -- hail.type.v1.Ride
  internals         BYTEA NOT NULL,    -- hail.rider.record.v1.RideInternals
  keeper            TEXT NOT NULL      -- holder of a lease: who committed sequence and epoch (ride_store.h)
);
CREATE UNIQUE INDEX rides_by_request ON rides (rider_id, request_id);
CREATE UNIQUE INDEX rides_by_quote ON rides (quote_id) WHERE quote_id IS NOT NULL;
-- One live ride per rider (MATCHING to the last stop) and per driver: what makes double booking impossible.
CREATE UNIQUE INDEX rides_live_of_rider ON rides (rider_id) WHERE state BETWEEN 2 AND 6;
CREATE UNIQUE INDEX rides_live_of_driver ON rides (driver_id) WHERE state BETWEEN 3 AND 6;
CREATE INDEX rides_live ON rides (state) WHERE state BETWEEN 2 AND 6;
CREATE INDEX rides_to_dispatch ON rides (keeper) WHERE state = 2 OR (state = 3 AND seen = 0);
CREATE INDEX rides_of_rider ON rides (rider_id, ride_id);
CREATE INDEX rides_of_driver ON rides (driver_id, assign_time_us DESC NULLS LAST, ride_id DESC)
  WHERE driver_id IS NOT NULL;
CREATE INDEX rides_by_offer ON rides (offer_id) WHERE offer_id IS NOT NULL;

CREATE TABLE events (
  ride_id         TEXT NOT NULL,
  sequence        BIGINT NOT NULL,
  type            INTEGER NOT NULL,    -- hail.type.v1.RideEventType
  epoch           BIGINT NOT NULL,     -- the ride's, after the event
  state           INTEGER NOT NULL,    -- the ride's, after the event
  driver_id       TEXT,                -- whose ride it was during or right after the event; else NULL
  driver_sequence BIGINT NOT NULL,     -- its number among the driver's events; 0 without one
  ended           INTEGER NOT NULL,    -- 1: the ride is no longer the driver's after it
  event_time_us   BIGINT NOT NULL,
  event           BYTEA NOT NULL,      -- hail.type.v1.RideEvent
  former          BYTEA,               -- of REDISPATCHED: hail.type.v1.Ride as the driver last had it
  PRIMARY KEY (ride_id, sequence)
);
CREATE UNIQUE INDEX events_of_driver ON events (driver_id, driver_sequence) WHERE driver_id IS NOT NULL;

-- Outcomes of offers that were looked up or accepted, kept for an hour. An assignment by an offer and its denial both
-- write the offer's row first, so that one waits for the other.
CREATE TABLE settled_offers (
  offer_id       TEXT NOT NULL,
  driver_id      TEXT NOT NULL,
  denied         BOOLEAN NOT NULL,     -- denied to the driver: it cannot assign a ride any more
  settle_time_us BIGINT NOT NULL,      -- wall time
  PRIMARY KEY (offer_id, driver_id)
);
CREATE INDEX settled_offers_by_time ON settled_offers (settle_time_us);

CREATE TABLE secrets (
  name  TEXT PRIMARY KEY,
  value BYTEA NOT NULL
);
)sql",
                        postgres::kMakeLeases)},
          {R"sql(
-- Of REDISPATCHED: the offer behind the assignment that ended; NULL: an event of an earlier version, see `former`.
ALTER TABLE events ADD COLUMN offer_id TEXT;
CREATE INDEX events_given_up ON events (driver_id, offer_id) WHERE type = 7;
-- A driver's assignments, those included that ended before the ride did. rides_of_driver, which has the others only, is
-- used by replicas of the version before.
CREATE INDEX events_assigned ON events (driver_id, event_time_us, ride_id COLLATE "C", sequence) WHERE type = 2;
)sql"},
          {R"sql(
-- 1: the persons were erased because of the ride's age.
ALTER TABLE rides ADD COLUMN coarse INTEGER NOT NULL DEFAULT 0;
CREATE INDEX rides_in_detail ON rides (ride_id) WHERE coarse = 0;
)sql"}};
}

}  // namespace hail::rider
