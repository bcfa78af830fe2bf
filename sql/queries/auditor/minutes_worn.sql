-- Minutes for which devices were worn, by 'day', 'week' or 'month' ($3), from $1 to
-- before $2.
select owner, bucket, sum(minutes_worn)::bigint as minutes_worn
from (
    select device_id as owner, date_trunc($3, bucket) as bucket, minutes_worn
    from agg.heart_rates_1d
    where bucket >= $1 and bucket < $2
) days
group by 1, 2
