-- $1 people with a device each and $2 days of readings up to 2019-11-30: sparse, but for each tenth person, who wears it all day.
-- The marks are the loader's.
with people as (
    select n, lpad(n::text, 32, '0')::uuid as user_id, lpad((1000000 + n)::text, 32, '0')::uuid as device_id
    from generate_series(1, $1::int) n
), days as (
    select *, date '2019-11-30' - ago as day, now() as synced_at, gen_random_uuid() as event_id
    from people, generate_series(0, $2::int - 1) ago
), profiles as (
    insert into raw.users (user_id, date_of_birth, created_at, synced_at, event_id)
    select user_id, date '1940-01-01' + n * 37 % 25000, now(), now(), gen_random_uuid() from people
), owned as (
    insert into raw.device_owners (device_id, user_id, from_day, until_day)
    select device_id, user_id, '-infinity', 'infinity' from people
), named as (
    insert into raw.devices (device_id, user_id, synced_at, event_id)
    select device_id, user_id, now(), gen_random_uuid() from people
), heart as (
    insert into raw.heart_rates (device_id, local_ts, utc_offset_minutes, bpm, confidence, synced_at, event_id)
    select device_id, day + at * interval '1 minute', 60, 50 + (n + at) % 60, 2, synced_at, event_id
    from days, generate_series(0, 959) at
    where n % 10 = 0 or at % 15 = 0
), steps as (
    insert into raw.steps (device_id, local_ts, utc_offset_minutes, steps, synced_at, event_id)
    select device_id, day + time '08:00' + at * interval '30 minutes', 60, 1 + (n + at) % 90, synced_at, event_id
    from days, generate_series(0, 23) at
), calories as (
    insert into raw.calories (device_id, local_ts, utc_offset_minutes, millikcal, synced_at, event_id)
    select device_id, day + at * interval '1 hour', 60, 1000 + at, synced_at, event_id from days, generate_series(0, 23) at
), resting as (
    insert into raw.resting_heart_rates (device_id, local_date, bpm, synced_at, event_id)
    select device_id, day, 50 + (n + ago) % 20, synced_at, event_id from days
), activity as (
    insert into raw.activity_minutes (device_id, local_date, level, minutes, synced_at, event_id)
    select device_id, day, level, 60, synced_at, event_id
    from days, unnest(array['sedentary', 'lightly_active', 'very_active']) level
), sleeps as (
    insert into raw.sleeps (device_id, log_id, start_local, end_local, start_utc_offset_minutes, end_utc_offset_minutes, date_of_sleep,
        duration_ms, minutes_to_fall_asleep, minutes_asleep, minutes_awake, minutes_after_wakeup, time_in_bed_minutes, efficiency, type,
        main_sleep, synced_at, event_id)
    select device_id, ago, day - interval '1 hour', day + time '07:00', 60, 60, day, 28800000, 0, 400, 80, 0, 480, 90, 'stages', true,
        synced_at, event_id
    from days
), levels as (
    insert into raw.sleep_levels (device_id, log_id, source, seq, local_ts, level, seconds)
    select device_id, ago, 'data', at, day - interval '1 hour' + at * interval '30 minutes',
        (array['light', 'deep', 'rem', 'wake'])[1 + at % 4], 1800
    from days, generate_series(0, 15) at
)
insert into ops.dirty_days (stream, device_id, local_date)
select stream, device_id, day
from days, unnest(array['heart_rates', 'steps', 'calories', 'resting_heart_rates', 'activity_minutes', 'sleeps']) stream
