-- Heart rate by device and 15 minutes, from $1 to before $2: by minute first, the grain in which minutes worn are counted.
with readings as (
    select *, case when coalesce(confidence, 1) > 0 then bpm end as valid
    from raw.heart_rates
    where local_ts >= $1 and local_ts < $2
), minutes as (
    select
        device_id,
        utc_offset_minutes,
        date_trunc('minute', local_ts) as minute,
        date_bin('15 minutes', local_ts, '2000-01-01') as bucket,
        count(*) as readings,
        count(valid) as valid,
        sum(valid) as total,
        min(valid) as low,
        max(valid) as high
    from readings
    group by 1, 2, 3, 4
)
select
    device_id,
    bucket,
    utc_offset_minutes,
    to_timestamp(extract(epoch from bucket) - 60 * utc_offset_minutes) as starts_at,
    sum(readings)::bigint as readings,
    sum(valid)::bigint as valid_readings,
    sum(total)::bigint as bpm_sum,
    min(low) as bpm_min,
    max(high) as bpm_max,
    coalesce(sum(power(2, extract(minute from minute)::int % 15)) filter (where valid > 0), 0)::int as worn_mask
from minutes
group by 1, 2, 3
