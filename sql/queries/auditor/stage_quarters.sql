-- Every 15 minutes of a device from $1 to before $2, by joins, where the relation lays rows under each other.
with heart as (
    select * from stage.heart_rates_15m where bucket >= $1 and bucket < $2
), steps as (
    select * from stage.steps_15m where bucket >= $1 and bucket < $2
), distances as (
    select * from stage.distances_15m where bucket >= $1 and bucket < $2
), calories as (
    select * from stage.calories_15m where bucket >= $1 and bucket < $2
)
select
    device_id,
    bucket,
    utc_offset_minutes,
    starts_at,
    coalesce(length(replace(h.worn_mask::bit(16)::text, '0', '')), 0) as minutes_worn,
    h.readings as heart_readings,
    h.valid_readings,
    h.bpm_sum,
    h.bpm_min,
    h.bpm_max,
    s.readings as steps_readings,
    s.steps,
    s.steps_min,
    s.steps_max,
    d.readings as distance_readings,
    d.distance_mm,
    d.distance_mm_min,
    d.distance_mm_max,
    c.readings as energy_readings,
    c.millikcal,
    c.millikcal_min,
    c.millikcal_max
from heart h
full join steps s using (device_id, bucket, utc_offset_minutes, starts_at)
full join distances d using (device_id, bucket, utc_offset_minutes, starts_at)
full join calories c using (device_id, bucket, utc_offset_minutes, starts_at)
