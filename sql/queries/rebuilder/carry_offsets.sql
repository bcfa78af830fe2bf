-- Carries the offsets of removed documents, and what they are accounted as, into the new warehouse: those that it does not have yet.
with fresh as (
    select o.topic, o.generation, o.partition, o.offsets - coalesce(n.offsets, '{}') as offsets
    from ops.removed_offsets o
    left join next_ops.removed_offsets n using (topic, generation, partition)
), kinds as (
    select f.topic, f.generation, f.partition, k.kind, k.offsets
    from fresh f
    join ops.accounted_offsets a using (topic, generation, partition)
    cross join lateral (values
        ('loaded', f.offsets * a.offsets),
        ('duplicate', f.offsets * a.duplicate),
        ('void', f.offsets * a.void),
        ('dead', f.offsets * a.dead),
        ('erased', f.offsets * a.erased)
    ) as k(kind, offsets)
), logged as (
    insert into next_ops.accounted_log (topic, generation, partition, from_offset, to_offset, kind)
    select k.topic, k.generation, k.partition, lower(r), upper(r), k.kind
    from kinds k
    cross join lateral unnest(k.offsets) as r
)
insert into next_ops.removed_offsets as n (topic, generation, partition, offsets)
select topic, generation, partition, offsets from fresh where offsets <> '{}'
on conflict (topic, generation, partition) do update set offsets = n.offsets + excluded.offsets
