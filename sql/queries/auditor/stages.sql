-- Stretches of sleeps at one level. How they are cut into rows does not matter: between all boundaries of a sleep's segments, the
-- first short one that covers a stretch says what it is, else the long ones.
with marks as (
    select device_id, log_id, local_ts as at from raw.sleep_levels where seconds > 0
    union
    select device_id, log_id, local_ts + seconds * interval '1 second' from raw.sleep_levels where seconds > 0
), stretches as (
    select device_id, log_id, at, lead(at) over (partition by device_id, log_id order by at) as until
    from marks
), covered as materialized (
    select t.*, x.source, x.seq, x.level
    from stretches t
    join raw.sleep_levels x using (device_id, log_id)
    where x.seconds > 0 and x.local_ts <= t.at and x.local_ts + x.seconds * interval '1 second' >= t.until
)
select d.device_id, d.log_id, d.level, d.until - d.at as length
from covered d
left join covered o on (o.device_id, o.log_id, o.at, o.source) = (d.device_id, d.log_id, d.at, 'short')
where d.source = 'data' and o.source is null
union all
select device_id, log_id, level, until - at
from (
    select distinct on (o.device_id, o.log_id, o.at) o.*
    from covered o
    join covered d on (d.device_id, d.log_id, d.at, d.source) = (o.device_id, o.log_id, o.at, 'data')
    where o.source = 'short'
    order by o.device_id, o.log_id, o.at, o.seq
) first
