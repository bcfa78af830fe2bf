-- Heart rate, read and said, of devices by 'day', 'week' or 'month' ($3), from $1 to
-- before $2.
with read as (
    select
        owner,
        bucket,
        sum(minutes_worn)::bigint as minutes_worn,
        sum(readings)::bigint as readings,
        sum(valid_readings)::bigint as valid_readings,
        sum(bpm_sum)::bigint as bpm_sum,
        min(bpm_min) as bpm_min,
        max(bpm_max) as bpm_max
    from (
        select
            device_id as owner, date_trunc($3, bucket) as bucket,
            minutes_worn, readings, valid_readings, bpm_sum, bpm_min, bpm_max
        from agg.heart_rates_1d
        where bucket >= $1 and bucket < $2
    ) days
    group by 1, 2
), said as (
    select
        owner,
        bucket,
        round(sum(resting_bpm) / nullif(count(resting_bpm), 0), 2) as resting_bpm,
        sum(below_zones_minutes) as below_zones_minutes,
        sum(zone_1_minutes) as zone_1_minutes,
        sum(zone_2_minutes) as zone_2_minutes,
        sum(zone_3_minutes) as zone_3_minutes,
        sum(other_zones_minutes) as other_zones_minutes
    from (
        select
            device_id as owner, date_trunc($3, bucket) as bucket,
            resting_bpm, below_zones_minutes, zone_1_minutes, zone_2_minutes, zone_3_minutes,
            other_zones_minutes
        from agg.vitals_1d
        where bucket >= $1 and bucket < $2
    ) days
    group by 1, 2
)
select
    owner,
    bucket,
    coalesce(r.minutes_worn, 0) as minutes_worn,
    coalesce(r.readings, 0) as readings,
    coalesce(r.valid_readings, 0) as valid_readings,
    r.bpm_sum,
    r.bpm_min,
    r.bpm_max,
    case when r.valid_readings > 0 then round(r.bpm_sum / r.valid_readings::numeric, 2) end as bpm_avg,
    s.resting_bpm,
    s.below_zones_minutes,
    s.zone_1_minutes,
    s.zone_2_minutes,
    s.zone_3_minutes,
    s.other_zones_minutes
from read r
full join said s using (owner, bucket)
