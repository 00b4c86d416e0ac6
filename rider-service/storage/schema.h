// The tables of rider.db. Times are microseconds since 1970 of domain time, unless noted. Other programs (hail-check)
// read the plain columns; blobs are the contract's messages.
#pragma once

#include <vector>

#include "common/sqlite/database.h"

namespace hail::rider {

// One entry per released version of the schema, run once each, in order.
inline std::vector<sqlite::Migration> Migrations() {
  return {{R"sql(
CREATE TABLE rides (
  ride_id           TEXT PRIMARY KEY,
  rider_id          TEXT NOT NULL,
  request_id        TEXT NOT NULL,
  quote_id          TEXT,              -- NULL: requested without
  driver_id         TEXT,              -- the assigned driver, and of an ended ride the last one; else NULL
  offer_id          TEXT,              -- the accepted offer behind it; else NULL
  state             INTEGER NOT NULL,  -- hail.type.v1.RideState
  sequence          INTEGER NOT NULL,
  epoch             INTEGER NOT NULL,
  seen              INTEGER NOT NULL,  -- 1: the present assignment was acknowledged
  create_time_us    INTEGER NOT NULL,
  update_time_us    INTEGER NOT NULL,
  assign_time_us    INTEGER,
  match_deadline_us INTEGER,
  ride              BLOB NOT NULL,     -- hail.type.v1.Ride
  internals         BLOB NOT NULL      -- hail.rider.record.v1.RideInternals
);
CREATE UNIQUE INDEX rides_by_request ON rides (rider_id, request_id);
CREATE UNIQUE INDEX rides_by_quote ON rides (quote_id) WHERE quote_id IS NOT NULL;
-- One live ride per rider (MATCHING to the last stop) and per driver: what makes double booking impossible.
CREATE UNIQUE INDEX rides_live_of_rider ON rides (rider_id) WHERE state BETWEEN 2 AND 6;
CREATE UNIQUE INDEX rides_live_of_driver ON rides (driver_id) WHERE state BETWEEN 3 AND 6;
CREATE INDEX rides_live ON rides (state) WHERE state BETWEEN 2 AND 6;
CREATE INDEX rides_of_rider ON rides (rider_id, ride_id);
CREATE INDEX rides_of_driver ON rides (driver_id, assign_time_us, ride_id) WHERE driver_id IS NOT NULL;
CREATE INDEX rides_by_offer ON rides (offer_id) WHERE offer_id IS NOT NULL;

CREATE TABLE events (
  ride_id         TEXT NOT NULL REFERENCES rides (ride_id),
  sequence        INTEGER NOT NULL,
  type            INTEGER NOT NULL,    -- hail.type.v1.RideEventType
  epoch           INTEGER NOT NULL,    -- the ride's, after the event
  state           INTEGER NOT NULL,    -- the ride's, after the event
  driver_id       TEXT,                -- whose ride it was during or right after the event; else NULL
  driver_sequence INTEGER NOT NULL,    -- its number among the driver's events; 0 without one
  ended           INTEGER NOT NULL,    -- 1: the ride is no longer the driver's after it
  event_time_us   INTEGER NOT NULL,
  event           BLOB NOT NULL,       -- hail.type.v1.RideEvent
  former          BLOB,                -- of REDISPATCHED: hail.type.v1.Ride as the driver last had it
  PRIMARY KEY (ride_id, sequence)
) WITHOUT ROWID;
CREATE UNIQUE INDEX events_of_driver ON events (driver_id, driver_sequence) WHERE driver_id IS NOT NULL;

CREATE TABLE secrets (
  name  TEXT PRIMARY KEY,
  value BLOB NOT NULL
);
)sql"},
          {R"sql(
-- Offers that were denied to a driver: they cannot assign a ride any more.
CREATE TABLE denied_offers (
  offer_id     TEXT NOT NULL,
  driver_id    TEXT NOT NULL,
  deny_time_us INTEGER NOT NULL,       -- wall time
  PRIMARY KEY (offer_id, driver_id)
) WITHOUT ROWID;
CREATE INDEX denied_offers_by_time ON denied_offers (deny_time_us);
)sql"},
          {R"sql(
-- Of REDISPATCHED: the offer behind the assignment that ended; NULL: an event of an earlier version, see `former`.
ALTER TABLE events ADD COLUMN offer_id TEXT;
CREATE INDEX events_given_up ON events (driver_id, offer_id) WHERE type = 7;
-- A driver's assignments, those included that ended before the ride did: instead of the index that had the others only.
CREATE INDEX events_assigned ON events (driver_id, event_time_us, ride_id, sequence) WHERE type = 2;
DROP INDEX rides_of_driver;
)sql"},
          {R"sql(
-- 1: the persons were erased because of the ride's age.
ALTER TABLE rides ADD COLUMN coarse INTEGER NOT NULL DEFAULT 0;
CREATE INDEX rides_in_detail ON rides (ride_id) WHERE coarse = 0;
)sql"}};
}

}  // namespace hail::rider
