-- Columnstore for the four streams of readings; the compactor packs chunks. Locks: each hypertable for the moment that a
-- change of its settings takes.

do $columnstore$
declare
    stream text;
begin
    -- The order covers the unique key: an upsert into a packed chunk opens one device's batch around the reading, not all.
    foreach stream in array array['heart_rates', 'steps', 'distances', 'calories'] loop
        execute format('alter table {{raw}}.%I set (timescaledb.enable_columnstore, timescaledb.segmentby = ''device_id'',
            timescaledb.orderby = ''local_ts, utc_offset_minutes'')', stream);
    end loop;
end
$columnstore$;

create view {{ops}}.chunks as
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
where c.hypertable_schema = '{{raw}}' and c.hypertable_name in ('heart_rates', 'steps', 'distances', 'calories');
comment on view {{ops}}.chunks is 'Chunks of the readings, and whether they are packed into the columnstore.';
comment on column {{ops}}.chunks.stream is 'Name of the stream.';
comment on column {{ops}}.chunks.chunk is 'Name of the chunk.';
comment on column {{ops}}.chunks.starts_on is 'Its first day.';
comment on column {{ops}}.chunks.ends_on is 'The first day after it.';
comment on column {{ops}}.chunks.is_packed is 'True when it is in the columnstore.';
comment on column {{ops}}.chunks.is_touched is 'True when rows came after it was packed: it is packed again once it is quiet.';
comment on column {{ops}}.chunks.loaded_at is 'When rows of its days last changed, as far as that is refreshed.';
comment on column {{ops}}.chunks.is_dirty is 'True while changed rows of its days wait for a refresh.';
