-- Moves ranges of the accounting to a page where a row holds $1 or more: a fold rewrites the row of a partition, so a row
-- keeps only the range of a healthy partition.
with heavy as (
    select topic, generation, partition, duplicate, void, dead, erased, revived
    from ops.accounted
    where (select count(*) from unnest(duplicate)) + (select count(*) from unnest(void))
        + (select count(*) from unnest(dead)) + (select count(*) from unnest(erased))
        + (select count(*) from unnest(revived)) >= $1
    for update
), emptied as (
    update ops.accounted a
    set duplicate = '{}', void = '{}', dead = '{}', erased = '{}', revived = '{}'
    from heavy f
    where (a.topic, a.generation, a.partition) = (f.topic, f.generation, f.partition)
    returning f.*
)
insert into ops.accounted_pages (topic, generation, partition, duplicate, void, dead, erased, revived)
select topic, generation, partition, duplicate, void, dead, erased, revived from emptied
