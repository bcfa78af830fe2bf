-- Steps, distance and energy of devices by 'day', 'week' or 'month' ($3), from $1 to
-- before $2.
with steps as (
    select owner, bucket, sum(steps)::bigint as steps, max(steps_max) as steps_max
    from (
        select device_id as owner, date_trunc($3, bucket) as bucket, steps, steps_max
        from agg.steps_1d
        where bucket >= $1 and bucket < $2
    ) days
    group by 1, 2
), distances as (
    select owner, bucket, round(sum(distance_mm)::numeric / 1000, 3) as distance_m
    from (
        select device_id as owner, date_trunc($3, bucket) as bucket, distance_mm
        from agg.distances_1d
        where bucket >= $1 and bucket < $2
    ) days
    group by 1, 2
), calories as (
    select owner, bucket, round(sum(millikcal)::numeric / 1000, 3) as kcal
    from (
        select device_id as owner, date_trunc($3, bucket) as bucket, millikcal
        from agg.calories_1d
        where bucket >= $1 and bucket < $2
    ) days
    group by 1, 2
)
select owner, bucket, s.steps, s.steps_max, d.distance_m, c.kcal
from steps s
full join distances d using (owner, bucket)
full join calories c using (owner, bucket)
