-- Seconds in each stage of the sleeps of devices or of people ($1: 'device_id' or 'user_id'). How the stages are cut into rows
-- does not matter: between all boundaries of a sleep's segments, the short ones that cover a stretch say what it is, else the
-- long ones.
with placed as materialized (
    select
        case $1 when 'user_id' then o.user_id else s.device_id end as owner,
        o.user_id,
        s.*,
        s.start_local - s.start_utc_offset_minutes * interval '1 minute' as begins,
        s.end_local - s.end_utc_offset_minutes * interval '1 minute' as ends
    from raw.sleeps s
    left join raw.devices o on o.device_id = s.device_id
    where $1 = 'device_id' or o.user_id is not null
), marks as (
    select device_id, log_id, local_ts as at from raw.sleep_levels where seconds > 0
    union
    select device_id, log_id, local_ts + seconds * interval '1 second' from raw.sleep_levels where seconds > 0
), stretches as (
    select device_id, log_id, at, lead(at) over (partition by device_id, log_id order by at) as until
    from marks
), covered as (
    select t.*, x.source, x.level
    from stretches t
    join raw.sleep_levels x using (device_id, log_id)
    where x.seconds > 0 and x.local_ts <= t.at and x.local_ts + x.seconds * interval '1 second' >= t.until
), staged as (
    select d.device_id, d.log_id, coalesce(o.level, d.level) as level, d.until - d.at as length
    from covered d
    left join covered o on (o.device_id, o.log_id, o.at, o.source) = (d.device_id, d.log_id, d.at, 'short')
    where d.source = 'data'
)
select a.user_id, a.device_id, a.log_id, t.level, extract(epoch from sum(t.length))::bigint as seconds
from placed a
join staged t on (t.device_id, t.log_id) = (a.device_id, a.log_id)
where not exists (
    select from placed b
    where a.owner = b.owner and b.begins < a.ends and b.ends > a.begins
        and row(b.ends - b.begins, b.synced_at, b.event_id, b.device_id, b.log_id)
            > row(a.ends - a.begins, a.synced_at, a.event_id, a.device_id, a.log_id)
)
group by 1, 2, 3, 4
