-- Minutes for which devices or people ($3: 'device_id' or 'user_id') wore a device, by 'day', 'week' or 'month' ($4), from $1 to
-- before $2.
select owner, bucket, sum(minutes_worn)::bigint as minutes_worn
from (
    select device_id as owner, date_trunc($4, bucket) as bucket, minutes_worn
    from agg.heart_rates_1d
    where $3 = 'device_id' and bucket >= $1 and bucket < $2
    union all
    select user_id, date_trunc($4, bucket), minutes_worn
    from agg.user_heart_rates_1d
    where $3 = 'user_id' and bucket >= $1 and bucket < $2
) days
group by 1, 2
