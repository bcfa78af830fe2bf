-- Which sessions ($2: 'sleep' or 'exercise') of devices or of people ($1: 'device_id' or 'user_id') count. Sessions that hang together are walked through one by
-- one, from the longest, then the newest: each counts unless one that counts overlaps it.
with recursive sessions as (
    select
        device_id, log_id, end_local::date as day, synced_at, event_id, true as of_own_device,
        start_local - start_utc_offset_minutes * interval '1 minute' as begins,
        end_local - end_utc_offset_minutes * interval '1 minute' as ends
    from raw.sleeps
    where $2 = 'sleep'
    union all
    -- Those of the same device may overlap.
    select
        device_id, log_id, start_local::date, synced_at, event_id, false,
        start_local - start_utc_offset_minutes * interval '1 minute',
        end_local - end_utc_offset_minutes * interval '1 minute'
    from raw.exercises
    where $2 = 'exercise'
), placed as materialized (
    select case $1 when 'user_id' then o.user_id else s.device_id end as owner, o.user_id, s.*
    from sessions s
    left join raw.device_owners o on o.device_id = s.device_id and daterange(o.from_day, o.until_day) @> s.day
    where $1 = 'device_id' or o.user_id is not null
), starts as (
    select
        *,
        begins >= coalesce(max(ends) over (
            partition by owner order by begins, ends, device_id, log_id
            rows between unbounded preceding and 1 preceding), '-infinity') as is_first
    from placed
    where begins < ends
), islands as (
    select
        *,
        sum(is_first::int) over (
            partition by owner order by begins, ends, device_id, log_id) as island
    from starts
), ranked as materialized (
    select
        owner, island, device_id, log_id, begins, ends, of_own_device,
        row_number() over (
            partition by owner, island order by row(ends - begins, synced_at, event_id, device_id, log_id) desc) as place
    from islands
), walked as (
    select
        owner, island, place, device_id, log_id, true as counts,
        array[device_id] as devices, array[begins] as beginnings, array[ends] as endings
    from ranked
    where place = 1
    union all
    select
        r.owner, r.island, r.place, r.device_id, r.log_id, c.counts,
        case when c.counts then w.devices || r.device_id else w.devices end,
        case when c.counts then w.beginnings || r.begins else w.beginnings end,
        case when c.counts then w.endings || r.ends else w.endings end
    from walked w
    join ranked r on (r.owner, r.island, r.place) = (w.owner, w.island, w.place + 1)
    cross join lateral (
        select not exists (
            select from unnest(w.devices, w.beginnings, w.endings) k(device, begins, ends)
            where (r.of_own_device or k.device <> r.device_id) and k.begins < r.ends and k.ends > r.begins
        ) as counts
    ) c
)
select p.user_id, p.device_id, p.log_id
from placed p
join walked w on (w.owner, w.device_id, w.log_id) = (p.owner, p.device_id, p.log_id)
where w.counts
union all
-- What does not end after its start overlaps nothing.
select user_id, device_id, log_id from placed where begins >= ends
