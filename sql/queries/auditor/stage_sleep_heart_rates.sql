-- The heart rate of every sleep that ended from $1 to before $2; the bucket is its end. Readings count by their instant,
-- which their own offset gives. A sleep lasts a week at most, and its clocks may differ from those of its readings: so readings
-- of 12 days before are read.
with readings as (
    select
        device_id,
        local_ts,
        local_ts - utc_offset_minutes * interval '1 minute' as at,
        bpm,
        case when coalesce(confidence, 1) > 0 then bpm end as valid
    from raw.heart_rates
    where local_ts >= $1::timestamp - interval '12 days' and local_ts < $2::timestamp + interval '3 days'
)
select
    s.device_id,
    s.end_local as bucket,
    s.log_id,
    count(r.bpm)::int as readings,
    count(r.valid)::int as valid_readings,
    coalesce(sum(r.valid), 0)::int as bpm_sum,
    min(r.valid) as bpm_min,
    max(r.valid) as bpm_max
from raw.sleeps s
left join readings r on r.device_id = s.device_id
    and r.local_ts between s.start_local - interval '36 hours' and s.end_local + interval '36 hours'
    and r.at >= s.start_local - s.start_utc_offset_minutes * interval '1 minute'
    and r.at < s.end_local - s.end_utc_offset_minutes * interval '1 minute'
where s.end_local >= $1 and s.end_local < $2
group by s.device_id, s.log_id
