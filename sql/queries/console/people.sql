-- People with their first and last day, the newest last day first: $1 most people. Two probes of an index for each person.
with newest as (
    select u.user_id, u.zone, u.devices, l.bucket as last
    from stage.users u
    left join lateral (
        select d.bucket from agg.stored_user_days d where d.user_id = u.user_id order by d.bucket desc limit 1
    ) l on true
    order by l.bucket desc nulls last, u.user_id
    limit $1
)
select n.user_id::text, n.zone, cardinality(n.devices), f.bucket::date::text, n.last::date::text
from newest n
left join lateral (
    select d.bucket from agg.stored_user_days d where d.user_id = n.user_id order by d.bucket limit 1
) f on true
order by n.last desc nulls last, n.user_id
