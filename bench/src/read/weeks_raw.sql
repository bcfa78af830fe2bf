-- The same from raw.
with worn as (
    select user_id, date_trunc('week', local_ts) as week,
        count(distinct (utc_offset_minutes, date_trunc('minute', local_ts))) as minutes
    from raw.heart_rates join raw.devices using (device_id)
    where user_id = any ('{people}') and confidence is distinct from 0 group by 1, 2
), walked as (
    select user_id, date_trunc('week', local_ts) as week, sum(steps) as steps
    from raw.steps join raw.devices using (device_id) where user_id = any ('{people}') group by 1, 2
), sessions as (
    select d.user_id, s.*,
        s.start_local - make_interval(mins => s.start_utc_offset_minutes) as starts_at,
        s.end_local - make_interval(mins => s.end_utc_offset_minutes) as ends_at
    from raw.sleeps s join raw.devices d using (device_id) where d.user_id = any ('{people}')
), slept as (
    select user_id, date_trunc('week', end_local::date::timestamp) as week, sum(minutes_asleep) as minutes_asleep
    from sessions s
    where not exists (
        select from sessions o
        where o.user_id = s.user_id and o.log_id <> s.log_id and o.starts_at < s.ends_at and s.starts_at < o.ends_at
            and (o.ends_at - o.starts_at, o.synced_at, o.event_id, o.log_id) > (s.ends_at - s.starts_at, s.synced_at, s.event_id, s.log_id)
    )
    group by 1, 2
), moved as (
    select user_id, date_trunc('week', start_local) as week, sum(round(duration_ms / 60000.0, 2)) as exercise_minutes
    from raw.exercises join raw.devices using (device_id) where user_id = any ('{people}') group by 1, 2
)
select week::date, user_id, steps, minutes_asleep, exercise_minutes
from worn left join walked using (user_id, week) left join slept using (user_id, week) left join moved using (user_id, week)
where round(minutes::numeric / 10080, 4) >= 0.1 order by week, user_id
