-- Stretches of sleeps at one level. How they are cut into rows does not matter: between all boundaries of a sleep's segments, the
-- first short one that covers a stretch says what it is, else the long ones.
with marks as (
    select device_id, log_id, local_ts as at from raw.sleep_levels where seconds > 0
    union
    select device_id, log_id, local_ts + seconds * interval '1 second' from raw.sleep_levels where seconds > 0
), stretches as (
    select device_id, log_id, at, lead(at) over (partition by device_id, log_id order by at) as until
    from marks
), covered as (
    select
        t.*, x.source, x.level,
        row_number() over (partition by device_id, log_id, t.at, x.source order by x.seq) as place,
        bool_or(x.source = 'data') over stretch as has_data,
        bool_or(x.source = 'short') over stretch as has_short
    from stretches t
    join raw.sleep_levels x using (device_id, log_id)
    where x.seconds > 0 and x.local_ts <= t.at and x.local_ts + x.seconds * interval '1 second' >= t.until
    window stretch as (partition by device_id, log_id, t.at)
)
select device_id, log_id, level, until - at as length
from covered
where source = 'data' and not has_short or source = 'short' and has_data and place = 1
