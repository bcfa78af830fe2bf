-- Sleeps of devices by 'day', 'week' or 'month' ($3), from $1 to before $2. A sleep
-- belongs to the date on which it ended.
with nights as (
    select
        *,
        case when type = 'stages'
            then (select sum(k) from unnest(array[deep_minutes, light_minutes, rem_minutes, wake_minutes, 0]) k) end as staged
    from (
        select
            device_id as owner, date_trunc($3, sleep_date::timestamp) as bucket,
            main_sleep, type, minutes_asleep, time_in_bed_minutes, deep_minutes, light_minutes,
            rem_minutes, wake_minutes, sleep_valid_readings, sleep_bpm_sum, sleep_bpm_min, sleep_bpm_max,
            overall_score
        from stage.sleeps
        where sleep_date >= $1::date and sleep_date < $2::date
    ) nights
)
select
    owner,
    bucket,
    count(*) as sleeps,
    sum((not main_sleep)::int)::bigint as naps,
    sum(minutes_asleep)::bigint as minutes_asleep,
    sum(case when main_sleep then minutes_asleep end)::bigint as minutes_asleep_main,
    sum(time_in_bed_minutes)::bigint as minutes_in_bed,
    sum(deep_minutes) as deep_minutes,
    sum(light_minutes) as light_minutes,
    sum(rem_minutes) as rem_minutes,
    sum(wake_minutes) as wake_minutes,
    case when sum(staged) > 0 then round(sum(deep_minutes) / sum(staged), 4) end as deep_share,
    case when sum(staged) > 0 then round(sum(light_minutes) / sum(staged), 4) end as light_share,
    case when sum(staged) > 0 then round(sum(rem_minutes) / sum(staged), 4) end as rem_share,
    case when sum(staged) > 0
        then round(sum(case when staged > 0 then wake_minutes end) / sum(staged), 4) end as wake_share,
    coalesce(sum(sleep_valid_readings), 0)::bigint as sleep_valid_readings,
    case when sum(sleep_valid_readings) > 0
        then round(sum(sleep_bpm_sum)::numeric / sum(sleep_valid_readings), 2) end as avg_sleep_bpm,
    min(sleep_bpm_min) as sleep_bpm_min,
    max(sleep_bpm_max) as sleep_bpm_max,
    round(sum(overall_score)::numeric / nullif(count(overall_score), 0), 1) as sleep_score
from nights
group by 1, 2
