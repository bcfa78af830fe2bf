-- Minutes by level of activity of devices by 'day', 'week' or 'month' ($3), from $1
-- to before $2.
select
    owner,
    bucket,
    sum(sedentary_minutes)::bigint as sedentary_minutes,
    sum(lightly_active_minutes)::bigint as lightly_active_minutes,
    sum(moderately_active_minutes)::bigint as moderately_active_minutes,
    sum(very_active_minutes)::bigint as very_active_minutes,
    sum(other_minutes)::bigint as other_minutes
from (
    select
        device_id as owner, date_trunc($3, bucket) as bucket,
        sedentary_minutes, lightly_active_minutes, moderately_active_minutes, very_active_minutes,
        other_minutes
    from agg.activity_1d
    where bucket >= $1 and bucket < $2
) days
group by 1, 2
