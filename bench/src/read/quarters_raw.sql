-- The same from raw.
select (bucket - make_interval(mins => utc_offset_minutes)) at time zone 'UTC' as starts_at,
    (sum(bpm) filter (where valid))::numeric / nullif(count(*) filter (where valid), 0) as bpm,
    min(bpm) filter (where valid), max(bpm) filter (where valid)
from (
    select time_bucket(interval '15 minutes', local_ts) as bucket, utc_offset_minutes, bpm, confidence is distinct from 0 as valid
    from raw.heart_rates where device_id = '{device}' and local_ts >= '{day}' and local_ts < date '{day}' + 1
) readings
group by bucket, utc_offset_minutes order by 1
