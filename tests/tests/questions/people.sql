-- People {from} to {until}, with a device each and ten days of few readings from 2019-11-04 on; the last day is open.
create temporary table new on commit drop as
select
    n, lpad(to_hex(n), 32, '0')::uuid as user_id, ('1' || lpad(to_hex(n), 31, '0'))::uuid as device_id,
    timestamptz '2019-11-01 00:00+00' as synced_at
from generate_series({from}, {until}) n;
create temporary table new_days on commit drop as
select new.*, day, day::date as local_date
from new cross join generate_series(timestamp '2019-11-04', '2019-11-13', '1 day') day;

insert into raw.users (user_id, date_of_birth, zone, created_at, synced_at, event_id)
select user_id, date '1980-01-01', 'UTC', synced_at, synced_at, user_id from new;
insert into raw.devices (device_id, user_id, synced_at, event_id) select device_id, user_id, synced_at, device_id from new;
insert into raw.device_versions (device_id, synced_at, event_id, user_id) select device_id, synced_at, device_id, user_id from new;
insert into raw.device_owners (device_id, user_id, from_day, until_day) select device_id, user_id, '-infinity', 'infinity' from new;

insert into raw.heart_rates (device_id, local_ts, utc_offset_minutes, bpm, confidence, synced_at, event_id)
select device_id, day + hour * interval '1 hour', 0, 60 + hour, 3, synced_at, device_id
from new_days cross join generate_series(1, 22, 3) hour;
insert into raw.steps (device_id, local_ts, utc_offset_minutes, steps, synced_at, event_id)
select device_id, day + hour * interval '1 hour', 0, hour, synced_at, device_id
from new_days cross join generate_series(1, 22, 3) hour;
insert into raw.distances (device_id, local_ts, utc_offset_minutes, distance_mm, synced_at, event_id)
select device_id, day + hour * interval '1 hour', 0, 700 * hour, synced_at, device_id
from new_days cross join generate_series(1, 22, 3) hour;
insert into raw.calories (device_id, local_ts, utc_offset_minutes, millikcal, synced_at, event_id)
select device_id, day + hour * interval '1 hour', 0, 1500, synced_at, device_id
from new_days cross join generate_series(1, 22, 3) hour;

insert into raw.resting_heart_rates (device_id, local_date, bpm, synced_at, event_id)
select device_id, local_date, 55 + n % 20, synced_at, device_id from new_days;
insert into raw.heart_rate_zones (device_id, local_date, zone, minutes, synced_at, event_id)
select device_id, local_date, zone, 30, synced_at, device_id
from new_days cross join unnest(array['IN_DEFAULT_ZONE_1', 'IN_DEFAULT_ZONE_2']) zone;
insert into raw.activity_minutes (device_id, local_date, level, minutes, synced_at, event_id)
select device_id, local_date, level, 100, synced_at, device_id
from new_days cross join unnest(array['sedentary', 'lightly_active']) level;

insert into raw.sleeps (device_id, log_id, start_local, end_local, start_utc_offset_minutes, end_utc_offset_minutes, date_of_sleep,
    duration_ms, minutes_to_fall_asleep, minutes_asleep, minutes_awake, minutes_after_wakeup, time_in_bed_minutes,
    efficiency, type, main_sleep, synced_at, event_id)
select device_id, local_date - date '2019-01-01', day - interval '1 hour', day + interval '7 hours', 0, 0, local_date,
    28800000, 0, 450, 30, 0, 480, 94, 'stages', true, synced_at, device_id
from new_days;
insert into raw.sleep_levels (device_id, log_id, source, seq, local_ts, level, seconds)
select device_id, local_date - date '2019-01-01', source, seq, day - interval '1 hour' + start * interval '1 hour', level, seconds
from new_days cross join (values ('data', 0, 0, 'light', 14400), ('data', 1, 4, 'deep', 7200), ('data', 2, 6, 'rem', 7200),
    ('short', 0, 1, 'wake', 60)) as l(source, seq, start, level, seconds);
insert into raw.exercises (device_id, log_id, start_local, end_local, start_utc_offset_minutes, end_utc_offset_minutes,
    activity_name, duration_ms, synced_at, event_id)
select device_id, local_date - date '2019-01-01', day + interval '10 hours', day + interval '11 hours', 0, 0, 'Walk', 3600000,
    synced_at, device_id
from new_days;

update ops.open_days set open_from = '2019-11-13';
