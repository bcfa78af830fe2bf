-- Resting heart rate and minutes in zones by device and day, from $1 to before $2.
with zones as materialized (
    select device_id, local_date, zone, round(minutes::numeric, 2) as minutes
    from raw.heart_rate_zones
    where local_date >= $1::date and local_date < $2::date
), resting as (
    select device_id, local_date, bpm from raw.resting_heart_rates where local_date >= $1::date and local_date < $2::date
), days as (
    select device_id, local_date from zones
    union
    select device_id, local_date from resting
)
select
    device_id,
    local_date::timestamp as bucket,
    (select round(bpm::numeric, 2) from resting r where (r.device_id, r.local_date) = (d.device_id, d.local_date)) as resting_bpm,
    z.*
from days d
cross join lateral (
    select
        sum(minutes) filter (where zone = 'BELOW_DEFAULT_ZONE_1') as below_zones_minutes,
        sum(minutes) filter (where zone = 'IN_DEFAULT_ZONE_1') as zone_1_minutes,
        sum(minutes) filter (where zone = 'IN_DEFAULT_ZONE_2') as zone_2_minutes,
        sum(minutes) filter (where zone = 'IN_DEFAULT_ZONE_3') as zone_3_minutes,
        sum(minutes) filter (where zone !~ '^(BELOW_DEFAULT_ZONE_1|IN_DEFAULT_ZONE_[123])$') as other_zones_minutes
    from zones z
    where (z.device_id, z.local_date) = (d.device_id, d.local_date)
) z
