-- Chunks are found by their table, no more by its schema's name: a warehouse that was built under another name and then renamed
-- finds its own. Locks: the view's definition only.

create or replace view {{ops}}.chunks as
select
    c.hypertable_name::text as stream,
    format('%I.%I', c.chunk_schema, c.chunk_name) as chunk,
    (c.range_start at time zone 'UTC')::date as starts_on,
    (c.range_end at time zone 'UTC')::date as ends_on,
    c.is_compressed as is_packed,
    -- Bits of the catalogue: 2 unordered, 8 partial. Either means that rows came after it was packed.
    c.is_compressed and (k.status & 10) <> 0 as is_touched,
    (select max(l.loaded_at) from {{ops}}.loaded_days l
        where l.stream = c.hypertable_name and l.local_date >= (c.range_start at time zone 'UTC')::date
            and l.local_date < (c.range_end at time zone 'UTC')::date) as loaded_at,
    exists (select 1 from {{ops}}.dirty_days d
        where d.stream = c.hypertable_name and d.local_date >= (c.range_start at time zone 'UTC')::date
            and d.local_date < (c.range_end at time zone 'UTC')::date) as is_dirty
from timescaledb_information.chunks c
join _timescaledb_catalog.chunk k on k.schema_name = c.chunk_schema and k.table_name = c.chunk_name
where (c.hypertable_schema, c.hypertable_name) in (
    select n.nspname, r.relname
    from pg_class r
    join pg_namespace n on n.oid = r.relnamespace
    where r.oid in ('{{raw}}.heart_rates'::regclass, '{{raw}}.steps'::regclass,
        '{{raw}}.distances'::regclass, '{{raw}}.calories'::regclass)
);
