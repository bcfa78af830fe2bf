-- $1 people with a device each, and a heart rate every quarter of an hour on the eight days before $2. The marks are the loader's.
with people as (
    select lpad(n::text, 32, '0')::uuid as user_id, lpad((1000000 + n)::text, 32, '0')::uuid as device_id
    from generate_series(1, $1::int) n
), days as (
    select device_id, $2::text::date - ago as day from people, generate_series(1, 8) ago
), profiles as (
    insert into raw.users (user_id, date_of_birth, created_at, synced_at, event_id)
    select user_id, date '1980-01-01', now(), now(), gen_random_uuid() from people
), owned as (
    insert into raw.device_owners (device_id, user_id, from_day, until_day)
    select device_id, user_id, '-infinity', 'infinity' from people
), named as (
    insert into raw.devices (device_id, user_id, synced_at, event_id)
    select device_id, user_id, now(), gen_random_uuid() from people
), heart as (
    insert into raw.heart_rates (device_id, local_ts, utc_offset_minutes, bpm, confidence, synced_at, event_id)
    select device_id, day + at * interval '15 minutes', 0, 50 + at % 60, 2, now(), gen_random_uuid()
    from days, generate_series(0, 95) at
)
insert into ops.dirty_days (stream, device_id, local_date) select 'heart_rates', device_id, day from days
