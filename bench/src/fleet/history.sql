-- $1 days of one person up to 2019-11-30: a heart rate every 9 seconds or so, a night a day, a nap each fifth day.
with days as (
    select ago, date '2019-11-30' - ago as day, lpad('1000001', 32, '0')::uuid as device_id, now() as synced_at,
        gen_random_uuid() as event_id
    from generate_series(0, $1::int - 1) ago
), owned as (
    insert into raw.device_owners (device_id, user_id, from_day, until_day)
    select distinct device_id, lpad('1', 32, '0')::uuid, date '-infinity', date 'infinity' from days
), heart as (
    insert into raw.heart_rates (device_id, local_ts, utc_offset_minutes, bpm, confidence, synced_at, event_id)
    select device_id, day + at * interval '9.6 seconds', 60, 50 + (ago + at) % 60, 2, synced_at, event_id
    from days, generate_series(0, 8999) at
), sleeps as (
    insert into raw.sleeps (device_id, log_id, start_local, end_local, start_utc_offset_minutes, end_utc_offset_minutes, date_of_sleep,
        duration_ms, minutes_to_fall_asleep, minutes_asleep, minutes_awake, minutes_after_wakeup, time_in_bed_minutes, efficiency, type,
        main_sleep, synced_at, event_id)
    select device_id, 2 * ago + nap, start, start + length, 60, 60, (start + length)::date,
        (extract(epoch from length) * 1000)::bigint, 0, 60, 0, 0, 60, 90, 'stages', nap = 0, synced_at, event_id
    from days
    cross join lateral (
        values (0, day - interval '1 hour', interval '8 hours'), (1, day + interval '14 hours', interval '1 hour')
    ) s(nap, start, length)
    where nap = 0 or ago % 5 = 0
)
insert into ops.dirty_days (stream, device_id, local_date)
select stream, device_id, day from days, unnest(array['heart_rates', 'sleeps']) stream
