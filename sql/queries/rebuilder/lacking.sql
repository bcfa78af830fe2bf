-- How much the new warehouse lacks: partitions with offsets that only the old one has accounted for, collections not read to
-- their end, floors with changes below them, whose readings may be deleted once the floor is carried over, and days without
-- documents whose rows are not carried over yet.
select
    (
        select count(*)
        from ops.accounted_offsets o
        left join next_ops.accounted_offsets n using (topic, generation, partition)
        where not coalesce(n.offsets, '{}') @> o.offsets
    ) + (
        select count(*)
        from ops.checkpoints o
        left join next_ops.checkpoints n using (collection, shard)
        where o.token is not null and n.token is null
    ) + (
        select count(*)
        from ops.floors f
        where exists (select from next_ops.dirty_days d where d.local_date < f.floor_date + 2)
            or exists (select from next_ops.waiting_days w where w.local_date < f.floor_date)
    ) + (
        select count(*)
        from ops.documents_floor o
        where not exists (select from next_ops.documents_floor n where n.floor_date >= o.floor_date)
    )
