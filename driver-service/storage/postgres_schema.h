// The tables of driver-service in PostgreSQL, in a schema of its own. As in schema.h, times are microseconds of domain
// time since the Unix epoch; those of sessions and leases are times of the database's clock.
#pragma once

#include <vector>

#include "absl/strings/str_cat.h"
#include "common/postgres/lease.h"
#include "common/postgres/migrate.h"

namespace hail::driver {

inline constexpr char kPostgresSchema[] = "hail_driver";

// One entry per schema version, oldest first; released ones never change.
inline std::vector<postgres::Migration> PostgresMigrations() {
  return {{absl::StrCat(R"sql(
CREATE TABLE drivers (
  driver_id     TEXT PRIMARY KEY,
  display_name  TEXT NOT NULL,
  region_id     TEXT NOT NULL,
  vehicle_make  TEXT NOT NULL,
  vehicle_model TEXT NOT NULL,
  vehicle_color TEXT NOT NULL,
  vehicle_plate TEXT NOT NULL,
  vehicle_seats INTEGER NOT NULL,
  product_ids   TEXT NOT NULL,     -- joined by line feeds: ids hold no white space
  online        INTEGER NOT NULL,  -- the desired availability: 0 or 1
  create_time   BIGINT NOT NULL,
  update_time   BIGINT NOT NULL,
  -- Whose the driver's session is, while that replica is alive (leases); see SessionClaim and Opening.
  session_epoch   BIGINT NOT NULL DEFAULT 0,
  session_replica TEXT NOT NULL DEFAULT '',
  session_run     TEXT NOT NULL DEFAULT '',
  session_opening BIGINT NOT NULL DEFAULT 0,
  session_stream  BOOLEAN NOT NULL DEFAULT FALSE,
  session_claimed TIMESTAMPTZ
);
CREATE INDEX drivers_by_claim ON drivers (session_claimed);

-- Settled offers, for audit. Nothing is decided by it.
CREATE TABLE offers (
  offer_id      TEXT PRIMARY KEY,
  ride_id       TEXT NOT NULL,
  epoch         BIGINT NOT NULL,
  driver_id     TEXT NOT NULL,
  outcome       TEXT NOT NULL,     -- ACCEPTED, DECLINED, EXPIRED, REVOKED
  revoke_reason TEXT NOT NULL,     -- TAKEN, RIDE_CANCELED, SUPERSEDED, WENT_OFFLINE; empty unless REVOKED
  received      INTEGER NOT NULL,  -- the app showed it: 0 or 1
  made_time     BIGINT NOT NULL,
  settled_time  BIGINT NOT NULL,
  pickup_eta_us BIGINT NOT NULL,
  pickup_distance_m DOUBLE PRECISION NOT NULL
);
CREATE INDEX offers_by_ride ON offers (ride_id, epoch);
CREATE INDEX offers_by_driver ON offers (driver_id, made_time);
)sql",
                        postgres::kMakeLeases)},
          // Adds the version of each driver's row, and the normalized plate (NormalPlate), which only one driver may be
          // online with. The plate is a generated column, so that rows added by older replicas have it too. If several
          // drivers are online with one plate already, the latest one stays online.
          {R"sql(
ALTER TABLE drivers ADD COLUMN version BIGINT NOT NULL DEFAULT 0;
ALTER TABLE drivers ADD COLUMN plate_key TEXT GENERATED ALWAYS AS (translate(vehicle_plate,
  'abcdefghijklmnopqrstuvwxyz !"#$%&''()*+,-./:;<=>?@[\]^_`{|}~',
  'ABCDEFGHIJKLMNOPQRSTUVWXYZ')) STORED;
UPDATE drivers SET online = 0, version = 1 WHERE driver_id IN (
  SELECT driver_id FROM (
    SELECT driver_id, row_number() OVER (PARTITION BY plate_key ORDER BY update_time DESC, driver_id DESC) AS place
    FROM drivers WHERE online = 1 AND plate_key <> '') AS ranked
  WHERE place > 1);
CREATE UNIQUE INDEX drivers_online_by_plate ON drivers (plate_key) WHERE online = 1 AND plate_key <> '';
)sql"},
          // The highest epoch that a session of an erased driver may have had: one row. A driver who registers later
          // has later epochs, also one with the id of an erased one, whose epochs replicas may remember.
          {R"sql(
CREATE TABLE erased_sessions (
  one   INTEGER PRIMARY KEY CHECK (one = 1),
  epoch BIGINT NOT NULL
);
INSERT INTO erased_sessions (one, epoch) VALUES (1, 0);
)sql"}};
}

}  // namespace hail::driver
