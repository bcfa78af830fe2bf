-- Steps, distance and energy of devices or of people ($3: 'device_id' or 'user_id') by 'day', 'week' or 'month' ($4), from $1 to
-- before $2.
with steps as (
    select owner, bucket, sum(steps)::bigint as steps, max(steps_max) as steps_max
    from (
        select device_id as owner, date_trunc($4, bucket) as bucket, steps, steps_max
        from agg.steps_1d
        where $3 = 'device_id' and bucket >= $1 and bucket < $2
        union all
        select user_id, date_trunc($4, bucket), steps, steps_max
        from agg.user_steps_1d
        where $3 = 'user_id' and bucket >= $1 and bucket < $2
    ) days
    group by 1, 2
), distances as (
    select owner, bucket, round(sum(distance_mm)::numeric / 1000, 3) as distance_m
    from (
        select device_id as owner, date_trunc($4, bucket) as bucket, distance_mm
        from agg.distances_1d
        where $3 = 'device_id' and bucket >= $1 and bucket < $2
        union all
        select user_id, date_trunc($4, bucket), distance_mm
        from agg.user_distances_1d
        where $3 = 'user_id' and bucket >= $1 and bucket < $2
    ) days
    group by 1, 2
), calories as (
    select owner, bucket, round(sum(millikcal)::numeric / 1000, 3) as kcal
    from (
        select device_id as owner, date_trunc($4, bucket) as bucket, millikcal
        from agg.calories_1d
        where $3 = 'device_id' and bucket >= $1 and bucket < $2
        union all
        select user_id, date_trunc($4, bucket), millikcal
        from agg.user_calories_1d
        where $3 = 'user_id' and bucket >= $1 and bucket < $2
    ) days
    group by 1, 2
)
select owner, bucket, s.steps, s.steps_max, d.distance_m, c.kcal
from steps s
full join distances d using (owner, bucket)
full join calories c using (owner, bucket)
