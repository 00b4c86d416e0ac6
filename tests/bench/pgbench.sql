\set n random(1, 9000000000000000000)
BEGIN;
INSERT INTO rides (ride_id, rider_id, request_id, state, sequence, epoch, seen, create_time_us, update_time_us,
                   match_deadline_us, ride, internals, keeper)
VALUES (:client_id || '-' || to_char(clock_timestamp(), 'YYYYMMDDHH24MISSUS-') || :n, 'rider-' || :n, '1', 2, 1, 1, 0, :n, :n, :n,
        decode(repeat('ab', 280), 'hex'), decode(repeat('cd', 36), 'hex'), '01a20000-0000-7000-8000-000000000000');
INSERT INTO events (ride_id, sequence, type, epoch, state, driver_sequence, ended, event_time_us, event)
VALUES (:client_id || '-' || to_char(clock_timestamp(), 'YYYYMMDDHH24MISSUS-') || :n, 1, 1, 1, 2, 0, 0, :n,
        decode(repeat('ef', 280), 'hex'));
COMMIT;
