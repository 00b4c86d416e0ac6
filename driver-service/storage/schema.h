// The tables of driver.db. Times are microseconds of domain time since the Unix epoch.
#pragma once

namespace hail::driver {

// One entry per schema version, oldest first; released ones never change.
inline constexpr const char* kMigrations[] = {
    R"sql(
CREATE TABLE drivers (
  driver_id     TEXT PRIMARY KEY NOT NULL,
  display_name  TEXT NOT NULL,
  region_id     TEXT NOT NULL,
  vehicle_make  TEXT NOT NULL,
  vehicle_model TEXT NOT NULL,
  vehicle_color TEXT NOT NULL,
  vehicle_plate TEXT NOT NULL,
  vehicle_seats INTEGER NOT NULL,
  product_ids   TEXT NOT NULL,     -- joined by line feeds: ids hold no white space
  online        INTEGER NOT NULL,  -- the desired availability: 0 or 1
  create_time   INTEGER NOT NULL,
  update_time   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Settled offers, for audit. Nothing is decided by it.
CREATE TABLE offers (
  offer_id      TEXT PRIMARY KEY NOT NULL,
  ride_id       TEXT NOT NULL,
  epoch         INTEGER NOT NULL,
  driver_id     TEXT NOT NULL,
  outcome       TEXT NOT NULL,     -- ACCEPTED, DECLINED, EXPIRED, REVOKED
  revoke_reason TEXT NOT NULL,     -- TAKEN, RIDE_CANCELED, SUPERSEDED, WENT_OFFLINE; empty unless REVOKED
  received      INTEGER NOT NULL,  -- the app showed it: 0 or 1
  made_time     INTEGER NOT NULL,
  settled_time  INTEGER NOT NULL,
  pickup_eta_us INTEGER NOT NULL,
  pickup_distance_m REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX offers_by_ride ON offers (ride_id, epoch);
CREATE INDEX offers_by_driver ON offers (driver_id, made_time);
)sql",
    // Adds the version of each driver's row, and the normalized plate (NormalPlate), which only one driver may be
    // online with. If several drivers are online with one plate already, the latest one stays online.
    R"sql(
ALTER TABLE drivers ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE drivers ADD COLUMN plate_key TEXT NOT NULL DEFAULT '';
UPDATE drivers SET plate_key = upper(vehicle_plate);
UPDATE drivers SET plate_key =
  replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(plate_key,
  ' ', ''), '!', ''), '"', ''), '#', ''), '$', ''), '%', ''), '&', ''), '''', ''), '(', ''), ')', ''), '*', '');
UPDATE drivers SET plate_key =
  replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(plate_key,
  '+', ''), ',', ''), '-', ''), '.', ''), '/', ''), ':', ''), ';', ''), '<', ''), '=', ''), '>', ''), '?', '');
UPDATE drivers SET plate_key =
  replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(plate_key,
  '@', ''), '[', ''), '\', ''), ']', ''), '^', ''), '_', ''), '`', ''), '{', ''), '|', ''), '}', ''), '~', '');
CREATE INDEX drivers_by_plate ON drivers (plate_key);
UPDATE drivers SET online = 0, version = 1 WHERE online = 1 AND plate_key <> '' AND EXISTS (
  SELECT 1 FROM drivers AS later WHERE later.online = 1 AND later.plate_key = drivers.plate_key
  AND (later.update_time, later.driver_id) > (drivers.update_time, drivers.driver_id));
DROP INDEX drivers_by_plate;
CREATE UNIQUE INDEX drivers_online_by_plate ON drivers (plate_key) WHERE online = 1 AND plate_key <> '';
)sql",
};

}  // namespace hail::driver
