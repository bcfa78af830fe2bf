-- The same from raw.
with {nights}, heart as (
    select local_ts::date as day,
        count(distinct (utc_offset_minutes, date_trunc('minute', local_ts))) filter (where confidence is distinct from 0) as minutes,
        round(sum(bpm) filter (where confidence is distinct from 0)::numeric
            / nullif(count(*) filter (where confidence is distinct from 0), 0), 2) as bpm_avg
    from raw.heart_rates where device_id = '{device}' group by 1
), walked as (
    select local_ts::date as day, sum(steps) as steps from raw.steps where device_id = '{device}' group by 1
), burnt as (
    select distinct local_ts::date as day from raw.calories where device_id = '{device}'
), rested as (
    select local_date as day, round(bpm::numeric, 2) as resting_bpm from raw.resting_heart_rates where device_id = '{device}'
), said as (
    select local_date as day from raw.activity_minutes where device_id = '{device}'
    union select local_date from raw.heart_rate_zones where device_id = '{device}'
    union select start_local::date from raw.exercises where device_id = '{device}'
), slept as (
    select end_local::date as day, sum(minutes_asleep) as minutes_asleep, round(sum(bpm_sum) / nullif(sum(valid), 0), 2) as avg_sleep_bpm
    from nights left join asleep using (log_id) group by 1
)
select day, round(coalesce(minutes, 0)::numeric / 1440, 4), steps, bpm_avg, resting_bpm, minutes_asleep, avg_sleep_bpm
from heart full join walked using (day) full join burnt using (day) full join rested using (day) full join said using (day)
    full join slept using (day)
order by day desc limit 14
