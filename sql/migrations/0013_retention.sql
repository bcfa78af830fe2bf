-- The floor under which readings are deleted and not loaded any more. Locks: none but its own new table.

create table {{ops}}.floors (
    layer text primary key,
    floor_date date not null,
    raised_at timestamptz not null default clock_timestamp(),
    constraint floors_layer check (layer = 'raw'),
    constraint floors_month check (extract(day from floor_date) = 1)
);
comment on table {{ops}}.floors is 'Readings of days before a layer''s floor are deleted; it is raised first, and never lowered. No row: everything is kept.';
comment on column {{ops}}.floors.layer is 'raw: of stage and agg nothing is deleted.';
comment on column {{ops}}.floors.floor_date is 'The first day that is kept, the first of a month.';
comment on column {{ops}}.floors.raised_at is 'When it was raised last.';

comment on column {{ops}}.compactions.task is 'refresh, facts, pack, repack, retain.';

grant select on {{ops}}.floors to pulseline_loader, pulseline_auditor;
grant select, insert, update on {{ops}}.floors to pulseline_compactor;
