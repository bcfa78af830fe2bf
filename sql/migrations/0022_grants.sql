-- One function grants what a table of raw needs, so that the migration of a stream calls it and forgets no right. Locks: none on
-- what has its rights; otherwise each hypertable and continuous aggregate, for the moment that a change of its owner takes.

-- It names no schema: it stays right in a warehouse that was built under another name and then renamed.
create function {{ops}}.grant_stream(relation regclass, variadic aggregates regclass[] default '{}') returns void
language plpgsql as $grants$
declare
    owned regclass;
    place regnamespace;
    stored text;
begin
    execute format('grant select, insert, update on %s to pulseline_loader', relation);
    execute format('grant select, delete on %s to pulseline_eraser', relation);
    execute format('grant select on %s to pulseline_auditor', relation);
    if cardinality(aggregates) = 0 then
        return;
    end if;
    -- Refreshing and packing ask for the owner. Its right to write raw is taken away again.
    foreach owned in array array_prepend(relation, aggregates) loop
        select relnamespace into place from pg_class where oid = owned and relowner <> 'pulseline_compactor'::regrole;
        continue when not found;
        -- First, because only a member may give away.
        begin
            execute format('grant pulseline_compactor to %I', current_user);
        exception when invalid_grant_operation then null; -- It is that role.
        end;
        execute format('grant create on schema %s to pulseline_compactor', place);
        execute format('alter %s %s owner to pulseline_compactor',
            case when owned = relation then 'table' else 'materialized view' end, owned);
        execute format('revoke create on schema %s from pulseline_compactor', place);
    end loop;
    execute format('revoke insert, update, delete, truncate on %s from pulseline_compactor', relation);
    -- What stands in a continuous aggregate below the floor of retention is deleted where it is stored.
    for stored in
        select format('%I.%I', g.materialization_hypertable_schema, g.materialization_hypertable_name)
        from timescaledb_information.continuous_aggregates g
        join pg_namespace n on n.nspname = g.view_schema
        join pg_class c on c.relnamespace = n.oid and c.relname = g.view_name
        where c.oid = any(aggregates)
    loop
        execute format('grant select, delete on %s to pulseline_eraser', stored);
    end loop;
end
$grants$;
comment on function {{ops}}.grant_stream(regclass, regclass[]) is
    'Grants every service its rights on a table of raw; of readings, on their continuous aggregates too.';

select {{ops}}.grant_stream('{{raw}}.heart_rates', '{{stage}}.heart_rates_15m', '{{agg}}.heart_rates_1d');
select {{ops}}.grant_stream('{{raw}}.steps', '{{stage}}.steps_15m', '{{agg}}.steps_1d');
select {{ops}}.grant_stream('{{raw}}.distances', '{{stage}}.distances_15m', '{{agg}}.distances_1d');
select {{ops}}.grant_stream('{{raw}}.calories', '{{stage}}.calories_15m', '{{agg}}.calories_1d');
select {{ops}}.grant_stream('{{raw}}.activity_minutes');
select {{ops}}.grant_stream('{{raw}}.heart_rate_zones');
select {{ops}}.grant_stream('{{raw}}.resting_heart_rates');
select {{ops}}.grant_stream('{{raw}}.sleeps');
select {{ops}}.grant_stream('{{raw}}.sleep_levels');
select {{ops}}.grant_stream('{{raw}}.sleep_scores');
select {{ops}}.grant_stream('{{raw}}.exercises');
select {{ops}}.grant_stream('{{raw}}.users');
select {{ops}}.grant_stream('{{raw}}.devices');
