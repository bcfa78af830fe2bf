-- The same from raw.
with worn as (
    select user_id, date_trunc('day', local_ts) as day,
        count(distinct (utc_offset_minutes, date_trunc('minute', local_ts))) as minutes
    from raw.heart_rates join raw.devices using (device_id)
    where user_id = any ('{people}') and confidence is distinct from 0 group by 1, 2
), rested as (
    select user_id, local_date::timestamp as day, round(bpm::numeric, 2) as resting
    from raw.resting_heart_rates join raw.devices using (device_id) where user_id = any ('{people}')
), days as (
    select user_id, day, resting, round(coalesce(minutes, 0)::numeric / 1440, 4) >= 0.6 as valid
    from worn full join rested using (user_id, day)
), usual as (
    select user_id, day, resting,
        avg(resting) filter (where valid) over before as usually,
        count(resting) filter (where valid) over before as days
    from days
    window before as (partition by user_id order by day range between interval '28 days' preceding and interval '1 day' preceding)
)
select user_id, day::date, resting, round(usually, 2), round(resting - usually, 2)
from usual where round(resting - usually, 2) >= 0 and days >= 1 order by user_id, day
