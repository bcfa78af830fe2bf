-- Replaces the owners of devices where they are not what the versions of profiles say; returns each device whose owner changed,
-- with the first day of the change: devices, then erased days with their devices, where the least and the greatest number are no bound.
with wanted as materialized (
    select device_id, user_id, from_day, until_day
    from raw.owner_spans(
        $1::uuid[],
        $2::uuid[],
        array(
            select case n.day when -2147483648 then date '-infinity' else date '1970-01-01' + n.day end
            from unnest($3::int[]) with ordinality as n(day, place) order by n.place
        ),
        array(
            select case n.day when 2147483647 then date 'infinity' else date '1970-01-01' + n.day end
            from unnest($4::int[]) with ordinality as n(day, place) order by n.place
        )
    )
), stored as materialized (
    select device_id, user_id, from_day, until_day from raw.device_owners where device_id = any($1::uuid[])
), ended as (
    delete from raw.device_owners o
    where o.device_id = any($1::uuid[])
        and not exists (select from wanted w where w.device_id = o.device_id and w.from_day = o.from_day)
), written as (
    insert into raw.device_owners as o (device_id, user_id, from_day, until_day)
    select device_id, user_id, from_day, until_day from wanted order by device_id, from_day
    on conflict (device_id, from_day) do update set user_id = excluded.user_id, until_day = excluded.until_day
    where (o.user_id, o.until_day) is distinct from (excluded.user_id, excluded.until_day)
), bounds as (
    select device_id, from_day as day from wanted
    union select device_id, until_day from wanted
    union select device_id, from_day from stored
    union select device_id, until_day from stored
)
select b.device_id, greatest(min(b.day), date '0001-01-01') - date '1970-01-01'
from bounds b
left join wanted w on w.device_id = b.device_id and w.from_day <= b.day and b.day < w.until_day
left join stored s on s.device_id = b.device_id and s.from_day <= b.day and b.day < s.until_day
where w.user_id is distinct from s.user_id
group by b.device_id
