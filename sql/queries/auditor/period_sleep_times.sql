-- Mean bedtime and wake time of devices or of people ($3: 'device_id' or 'user_id') by 'day', 'week' or 'month' ($4), from $1 to
-- before $2, in seconds of the day: the direction of summed unit vectors of main sleeps; null where they cancel out.
with angles as (
    select
        owner,
        bucket,
        2 * pi() * extract(epoch from start_local::time)::float8 / 86400 as bed,
        2 * pi() * extract(epoch from end_local::time)::float8 / 86400 as wake
    from (
        select device_id as owner, date_trunc($4, sleep_date::timestamp) as bucket, main_sleep, start_local, end_local
        from stage.sleeps
        where $3 = 'device_id' and sleep_date >= $1::date and sleep_date < $2::date
        union all
        select user_id, date_trunc($4, sleep_date::timestamp), main_sleep, start_local, end_local
        from stage.user_sleeps
        where $3 = 'user_id' and sleep_date >= $1::date and sleep_date < $2::date
    ) nights
    where main_sleep
), vectors as (
    select
        owner,
        bucket,
        sum(sin(bed)) as bed_sine,
        sum(cos(bed)) as bed_cosine,
        sum(sin(wake)) as wake_sine,
        sum(cos(wake)) as wake_cosine
    from angles
    group by 1, 2
)
select
    owner,
    bucket,
    case when bed_sine ^ 2 + bed_cosine ^ 2 >= 1e-12
        then atan2(bed_sine, bed_cosine) / (2 * pi()) * 86400 end as mean_bedtime,
    case when wake_sine ^ 2 + wake_cosine ^ 2 >= 1e-12
        then atan2(wake_sine, wake_cosine) / (2 * pi()) * 86400 end as mean_wake_time
from vectors
