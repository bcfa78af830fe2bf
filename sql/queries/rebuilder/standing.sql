-- How far the new warehouse is: offsets of the warehouse in use, those also in the new one, collections not read to their end,
-- and the seconds that the oldest change has waited for its refresh.
with partitions as (
    select
        (select sum(upper(part) - lower(part)) from unnest(o.offsets) part) as in_use,
        (select sum(upper(part) - lower(part)) from unnest(o.offsets * coalesce(n.offsets, '{}')) part) as built
    from ops.accounted_offsets o
    left join next_ops.accounted_offsets n using (topic, generation, partition)
)
select
    coalesce(sum(in_use), 0)::bigint,
    coalesce(sum(built), 0)::bigint,
    (
        select count(*)
        from ops.checkpoints o
        left join next_ops.checkpoints n using (collection, shard)
        where o.token is not null and n.token is null
    ),
    coalesce((select extract(epoch from clock_timestamp() - min(marked_at)) from next_ops.dirty_days), 0)::double precision
from partitions
