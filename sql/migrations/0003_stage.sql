-- 15-minute aggregates, sessions and people for analysts. Locks: reads raw's definitions only.

create schema {{stage}};
comment on schema {{stage}} is 'Readings by 15 minutes, cleansed sessions, people with their devices.';

-- The bucket is the second column at every level: TimescaleDB 2.23 refuses a third level where its place differs.
create materialized view {{stage}}.heart_rates_15m
with (timescaledb.continuous, timescaledb.materialized_only = false, timescaledb.chunk_interval = '30 days') as
select
    device_id,
    time_bucket(interval '15 minutes', local_ts) as bucket,
    utc_offset_minutes,
    count(*) as readings,
    count(*) filter (where confidence > 0) as valid_readings,
    sum(bpm) filter (where confidence > 0) as bpm_sum,
    min(bpm) filter (where confidence > 0) as bpm_min,
    max(bpm) filter (where confidence > 0) as bpm_max,
    coalesce(bit_or(1 << (extract(minute from local_ts)::int % 15)) filter (where confidence > 0), 0) as worn_mask
from {{raw}}.heart_rates
group by device_id, utc_offset_minutes, time_bucket(interval '15 minutes', local_ts)
with no data;
comment on view {{stage}}.heart_rates_15m is 'Heart rate per device, offset and 15 minutes; min, max and sum over readings with confidence > 0.';

create materialized view {{stage}}.steps_15m
with (timescaledb.continuous, timescaledb.materialized_only = false, timescaledb.chunk_interval = '30 days') as
select
    device_id,
    time_bucket(interval '15 minutes', local_ts) as bucket,
    utc_offset_minutes,
    count(*) as readings,
    sum(steps) as steps,
    max(steps) as steps_max
from {{raw}}.steps
group by device_id, utc_offset_minutes, time_bucket(interval '15 minutes', local_ts)
with no data;
comment on view {{stage}}.steps_15m is 'Steps per device, offset and 15 minutes.';

create view {{stage}}.sleeps as
select
    s.device_id,
    s.log_id,
    s.start_local,
    s.end_local,
    s.start_local - make_interval(mins => s.start_utc_offset_minutes) as start_utc,
    s.end_local - make_interval(mins => s.end_utc_offset_minutes) as end_utc,
    s.end_local::date as sleep_date,
    s.main_sleep,
    s.type,
    s.minutes_asleep,
    s.time_in_bed_minutes,
    s.efficiency as efficiency_fitbit,
    round(100.0 * s.minutes_asleep / nullif(s.time_in_bed_minutes, 0), 1) as efficiency,
    l.deep_minutes,
    l.light_minutes,
    l.rem_minutes,
    l.wake_minutes
from {{raw}}.sleeps s
left join lateral (
    select
        round(sum(seconds) filter (where level = 'deep') / 60.0, 1) as deep_minutes,
        round(sum(seconds) filter (where level = 'light') / 60.0, 1) as light_minutes,
        round(sum(seconds) filter (where level = 'rem') / 60.0, 1) as rem_minutes,
        round(sum(seconds) filter (where level in ('wake', 'awake')) / 60.0, 1) as wake_minutes
    from {{raw}}.sleep_levels l
    where l.device_id = s.device_id and l.log_id = s.log_id and l.source = 'data'
) l on true;
comment on view {{stage}}.sleeps is 'Sleep sessions with their day (the date on which they ended), minutes by level of `data`, and both efficiencies.';

create view {{stage}}.users as
select
    u.user_id,
    u.gender,
    u.height_cm,
    u.max_heart_rate,
    u.zone,
    u.created_at,
    coalesce(d.devices, '{}') as devices
from {{raw}}.users u
left join lateral (
    select array_agg(device_id order by device_id) as devices from {{raw}}.devices d where d.user_id = u.user_id
) d on true;
comment on view {{stage}}.users is 'People with their devices, without e-mail and birth date.';
