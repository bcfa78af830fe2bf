-- An upload of 15 minutes, a heart rate every 5 seconds from $2 on, of the device $1. The marks are the loader's.
with loaded as (
    insert into raw.heart_rates (device_id, local_ts, utc_offset_minutes, bpm, confidence, synced_at, event_id)
    select $1, $2::text::timestamp + at * interval '5 seconds', 0, 60 + at % 40, 2, now(), gen_random_uuid()
    from generate_series(0, 179) at
    on conflict do nothing
    returning device_id, local_ts
)
insert into ops.dirty_days (stream, device_id, local_date) select distinct 'heart_rates', device_id, local_ts::date from loaded
