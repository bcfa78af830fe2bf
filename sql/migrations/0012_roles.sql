-- Who may do what: groups without a login, granted to the users that the services and people connect as. Locks: the
-- ownership of hypertables and continuous aggregates changes, for which each is locked for a moment.

do $roles$
declare
    of record;
begin
    for of in
        select * from (values
            ('pulseline_reader', 'Reads stage and agg.'),
            ('pulseline_loader', 'Writes raw, and the books that belong to it.'),
            ('pulseline_compactor', 'Owns what it refreshes and packs; reads raw, keeps the facts of sleeps and its books.'),
            ('pulseline_auditor', 'Reads everything, changes nothing.')
        ) as t(name, meaning)
    loop
        -- Roles belong to the whole server: another warehouse may have made them, this very moment too.
        begin
            execute format('create role %I nologin', of.name);
            execute format('comment on role %I is %L', of.name, of.meaning);
        exception when duplicate_object or unique_violation then null;
        end;
    end loop;
end
$roles$;

grant usage on schema {{stage}}, {{agg}} to pulseline_reader, pulseline_auditor, pulseline_compactor;
grant usage on schema {{raw}}, {{ops}} to pulseline_loader, pulseline_auditor, pulseline_compactor;
grant select on all tables in schema {{stage}}, {{agg}} to pulseline_reader, pulseline_auditor;
grant select on all tables in schema {{raw}}, {{ops}} to pulseline_auditor;
alter default privileges in schema {{stage}}, {{agg}} grant select on tables to pulseline_reader, pulseline_auditor;
alter default privileges in schema {{raw}}, {{ops}} grant select on tables to pulseline_auditor;
grant select on public.pulseline_migrations to pulseline_loader, pulseline_compactor, pulseline_auditor;

-- The loader never deletes: only the levels of a sleep are replaced with it.
grant select, insert, update on all tables in schema {{raw}} to pulseline_loader;
grant delete on {{raw}}.sleep_levels to pulseline_loader;
grant select, insert, update on {{ops}}.checkpoints, {{ops}}.leases to pulseline_loader;
grant select, insert on {{ops}}.dead_letters to pulseline_loader;
grant insert on {{ops}}.accounted_log, {{ops}}.dirty_days to pulseline_loader;

grant select on {{raw}}.sleeps to pulseline_compactor;
grant select, insert, update, delete on {{stage}}.sleep_heart_rates to pulseline_compactor;
grant select, insert, update on {{ops}}.leases, {{ops}}.accounted, {{ops}}.loaded_days to pulseline_compactor;
grant select, insert, delete on {{ops}}.waiting_days, {{ops}}.compactions to pulseline_compactor;
grant select, delete on {{ops}}.accounted_log, {{ops}}.dirty_days to pulseline_compactor;
grant select on {{ops}}.chunks to pulseline_compactor;

-- Refreshing and packing ask for the owner. Its right to write raw is taken away again.
do $owner$
declare
    stream text;
begin
    -- First, because only a member may give away, and whoever migrates later has to change what it no longer owns.
    begin
        execute format('grant pulseline_compactor to %I', current_user);
    exception when invalid_grant_operation then null; -- It is that role.
    end;
    grant create on schema {{raw}}, {{stage}}, {{agg}} to pulseline_compactor;
    foreach stream in array array['heart_rates', 'steps', 'distances', 'calories'] loop
        execute format('alter table {{raw}}.%I owner to pulseline_compactor', stream);
        execute format('alter materialized view {{stage}}.%I owner to pulseline_compactor', stream || '_15m');
        execute format('alter materialized view {{agg}}.%I owner to pulseline_compactor', stream || '_1d');
        execute format('revoke insert, update, delete, truncate on {{raw}}.%I from pulseline_compactor', stream);
    end loop;
    revoke create on schema {{raw}}, {{stage}}, {{agg}} from pulseline_compactor;
end
$owner$;
