-- Minutes by level of activity of devices or of people ($3: 'device_id' or 'user_id') by 'day', 'week' or 'month' ($4), from $1
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
        device_id as owner, date_trunc($4, bucket) as bucket,
        sedentary_minutes, lightly_active_minutes, moderately_active_minutes, very_active_minutes,
        other_minutes
    from agg.activity_1d
    where $3 = 'device_id' and bucket >= $1 and bucket < $2
    union all
    select
        user_id, date_trunc($4, bucket),
        sedentary_minutes, lightly_active_minutes, moderately_active_minutes, very_active_minutes,
        other_minutes
    from agg.user_activity_1d
    where $3 = 'user_id' and bucket >= $1 and bucket < $2
) days
group by 1, 2
