-- Folds the oldest $1 rows of the accounting log: adds exactly the rows it deletes, in one statement and one snapshot.
-- Returns the number of rows and of partitions.
with taken as (
    delete from ops.accounted_log where id in (select id from ops.accounted_log order by id limit $1) returning *
), grouped as (
    select
        topic,
        generation,
        partition,
        count(*) as rows,
        range_agg(int8range(from_offset, to_offset)) as offsets,
        coalesce(range_agg(int8range(from_offset, to_offset)) filter (where kind = 'duplicate'), '{}') as duplicate,
        coalesce(range_agg(int8range(from_offset, to_offset)) filter (where kind = 'void'), '{}') as void,
        coalesce(range_agg(int8range(from_offset, to_offset)) filter (where kind = 'dead'), '{}') as dead,
        coalesce(range_agg(int8range(from_offset, to_offset)) filter (where kind = 'erased'), '{}') as erased,
        coalesce(range_agg(int8range(from_offset, to_offset)) filter (where kind = 'revived'), '{}') as revived
    from taken
    group by topic, generation, partition
), folded as (
    insert into ops.accounted as a (topic, generation, partition, offsets, duplicate, void, dead, erased, revived)
    select topic, generation, partition, offsets, duplicate, void, dead, erased, revived from grouped
    on conflict (topic, generation, partition) do update set
        offsets = a.offsets + excluded.offsets,
        duplicate = a.duplicate + excluded.duplicate,
        void = a.void + excluded.void,
        dead = a.dead + excluded.dead,
        erased = a.erased + excluded.erased,
        revived = a.revived + excluded.revived
    returning 1
)
select coalesce(sum(rows), 0)::bigint, (select count(*) from folded) from grouped
