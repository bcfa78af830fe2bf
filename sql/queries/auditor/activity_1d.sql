-- Minutes by level of activity by device and day, from $1 to before $2.
with levels as materialized (
    select device_id, local_date, level, round(minutes::numeric, 2) as minutes
    from raw.activity_minutes
    where local_date >= $1::date and local_date < $2::date
), days as (
    select distinct device_id, local_date from levels
)
select device_id, local_date::timestamp as bucket, l.*
from days d
cross join lateral (
    select
        sum(minutes) filter (where level = 'sedentary') as sedentary_minutes,
        sum(minutes) filter (where level = 'lightly_active') as lightly_active_minutes,
        sum(minutes) filter (where level = 'moderately_active') as moderately_active_minutes,
        sum(minutes) filter (where level = 'very_active') as very_active_minutes,
        sum(minutes) filter (where level <> all (array['sedentary', 'lightly_active', 'moderately_active', 'very_active']))
            as other_minutes
    from levels l
    where (l.device_id, l.local_date) = (d.device_id, d.local_date)
) l
