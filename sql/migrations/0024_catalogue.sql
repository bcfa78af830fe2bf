-- The view of chunks no more depends on what an update of the TimescaleDB extension drops, and reads the catalogue as it is from
-- TimescaleDB 2.23 to 2.31. Dirty days are read once, however many chunks there are. Locks: the view's definition only.

-- Late bound: the text of a function is no dependency. It is the one place that names the catalogue's tables.
create function {{ops}}.hypertable_chunks() returns table (
    hypertable regclass, chunk text, starts_on date, ends_on date, is_packed boolean, is_touched boolean
)
language plpgsql stable as $chunks$
declare
    -- A table's name before 2.29, its identifier since.
    same text := 'k.schema_name = c.chunk_schema and k.table_name = c.chunk_name';
begin
    if exists (select from pg_attribute a where a.attrelid = '_timescaledb_catalog.chunk'::regclass
            and a.attname = 'relid' and not a.attisdropped) then
        same := 'k.relid = format(''%I.%I'', c.chunk_schema, c.chunk_name)::regclass';
    end if;
    return query execute '
        select
            format(''%I.%I'', c.hypertable_schema, c.hypertable_name)::regclass,
            format(''%I.%I'', c.chunk_schema, c.chunk_name),
            (c.range_start at time zone ''UTC'')::date,
            (c.range_end at time zone ''UTC'')::date,
            c.is_compressed,
            -- Bits of the catalogue: 2 unordered, 8 partial. Either means that rows came after it was packed.
            c.is_compressed and (k.status & 10) <> 0
        from timescaledb_information.chunks c
        join _timescaledb_catalog.chunk k on ' || same;
end
$chunks$;
comment on function {{ops}}.hypertable_chunks() is 'Chunks of every hypertable of the database, as the server''s catalogue describes them.';

create or replace view {{ops}}.chunks as
with dirty as materialized (select distinct stream, local_date from {{ops}}.dirty_days)
select
    r.relname::text as stream,
    c.chunk collate "C" as chunk,
    c.starts_on,
    c.ends_on,
    c.is_packed,
    c.is_touched,
    (select max(l.loaded_at) from {{ops}}.loaded_days l
        where l.stream = r.relname and l.local_date >= c.starts_on and l.local_date < c.ends_on) as loaded_at,
    exists (select from dirty d
        where d.stream = r.relname and d.local_date >= c.starts_on and d.local_date < c.ends_on) as is_dirty
from {{ops}}.hypertable_chunks() c
join pg_class r on r.oid = c.hypertable
where c.hypertable in ('{{raw}}.heart_rates'::regclass, '{{raw}}.steps'::regclass,
    '{{raw}}.distances'::regclass, '{{raw}}.calories'::regclass);
