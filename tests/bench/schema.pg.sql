-- The tables and indexes that a request writes, as rider-service has them in PostgreSQL
-- (rider-service/storage/postgres_schema.h).
CREATE TABLE rides (
  ride_id text COLLATE "C" PRIMARY KEY, rider_id text COLLATE "C" NOT NULL, request_id text COLLATE "C" NOT NULL,
  quote_id text COLLATE "C", driver_id text COLLATE "C", offer_id text COLLATE "C", state int NOT NULL,
  sequence bigint NOT NULL, epoch bigint NOT NULL, seen int NOT NULL, create_time_us bigint NOT NULL,
  update_time_us bigint NOT NULL, assign_time_us bigint, match_deadline_us bigint, ride bytea NOT NULL,
  internals bytea NOT NULL, keeper text NOT NULL);
CREATE UNIQUE INDEX ON rides (rider_id, request_id);
CREATE UNIQUE INDEX ON rides (quote_id) WHERE quote_id IS NOT NULL;
CREATE UNIQUE INDEX ON rides (rider_id) WHERE state BETWEEN 2 AND 6;
CREATE UNIQUE INDEX ON rides (driver_id) WHERE state BETWEEN 3 AND 6;
CREATE INDEX ON rides (state) WHERE state BETWEEN 2 AND 6;
CREATE INDEX ON rides (keeper) WHERE state = 2 OR (state = 3 AND seen = 0);
CREATE INDEX ON rides (rider_id, ride_id);
CREATE INDEX ON rides (driver_id, assign_time_us, ride_id) WHERE driver_id IS NOT NULL;
CREATE INDEX ON rides (offer_id) WHERE offer_id IS NOT NULL;
CREATE TABLE events (
  ride_id text COLLATE "C" NOT NULL, sequence bigint NOT NULL, type int NOT NULL, epoch bigint NOT NULL, state int NOT NULL,
  driver_id text COLLATE "C", driver_sequence bigint NOT NULL, ended int NOT NULL, event_time_us bigint NOT NULL,
  event bytea NOT NULL, former bytea, PRIMARY KEY (ride_id, sequence));
CREATE UNIQUE INDEX ON events (driver_id, driver_sequence) WHERE driver_id IS NOT NULL;
