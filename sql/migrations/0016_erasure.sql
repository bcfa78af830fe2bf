-- Who was erased, and the group that erases. Locks: none but its own new table; the rest are grants.

create table {{ops}}.forgotten (
    tombstone bytea primary key,
    revision bigint generated always as identity,
    erased_at timestamptz not null default clock_timestamp(),
    constraint forgotten_tombstone check (length(tombstone) = 32)
);
comment on table {{ops}}.forgotten is 'Who was erased: nothing of theirs is loaded any more. Hashes, whose key is not here.';
comment on column {{ops}}.forgotten.tombstone is 'HMAC-SHA256 of a person''s or a device''s id; the key stands in MongoDB.';
comment on column {{ops}}.forgotten.revision is 'Rises, so that whoever writes rows sees that somebody was added.';
comment on column {{ops}}.forgotten.erased_at is 'When.';

do $role$
begin
    begin
        create role pulseline_eraser nologin;
        comment on role pulseline_eraser is 'Removes a person from every layer.';
    exception when duplicate_object or unique_violation then null;
    end;
end
$role$;

grant select on {{ops}}.forgotten to pulseline_loader, pulseline_auditor;
grant usage on schema {{raw}}, {{stage}}, {{agg}}, {{ops}} to pulseline_eraser;
grant select on all tables in schema {{raw}}, {{stage}}, {{agg}}, {{ops}} to pulseline_eraser;
alter default privileges in schema {{raw}}, {{stage}}, {{agg}}, {{ops}} grant select on tables to pulseline_eraser;
grant select on public.pulseline_migrations to pulseline_eraser;
grant delete on all tables in schema {{raw}} to pulseline_eraser;
grant delete on {{stage}}.sleep_heart_rates, {{ops}}.dead_letters, {{ops}}.backfills to pulseline_eraser;
grant insert on {{ops}}.dirty_days to pulseline_eraser;
-- Update, because only who may change a table may lock it against its readers.
grant insert, update on {{ops}}.forgotten to pulseline_eraser;

-- What stands in a continuous aggregate below the floor of retention is never refreshed again: it is deleted where it is stored.
do $stored$
declare
    of record;
begin
    for of in
        select format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name) as stored
        from timescaledb_information.continuous_aggregates
        where view_schema in ('{{stage}}', '{{agg}}')
    loop
        execute format('grant select, delete on %s to pulseline_eraser', of.stored);
    end loop;
end
$stored$;
