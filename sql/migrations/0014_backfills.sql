-- How far each backfill has come. Locks: none but its own new table.

create table {{ops}}.backfills (
    stream text not null,
    device text not null,
    from_date date not null,
    to_date date not null,
    next_date date not null,
    documents bigint not null default 0,
    changed_rows bigint not null default 0,
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    primary key (stream, device, from_date, to_date),
    constraint backfills_range check (from_date <= next_date and from_date < to_date)
);
comment on table {{ops}}.backfills is 'How far each backfill has come: one that was stopped goes on there when it is started again.';
comment on column {{ops}}.backfills.stream is 'Name of the stream.';
comment on column {{ops}}.backfills.device is 'The one device, or nothing for all.';
comment on column {{ops}}.backfills.from_date is 'First day.';
comment on column {{ops}}.backfills.to_date is 'First day after it.';
comment on column {{ops}}.backfills.next_date is 'First day that is not done yet.';
comment on column {{ops}}.backfills.documents is 'Documents that were read.';
comment on column {{ops}}.backfills.changed_rows is 'Rows that were written.';
comment on column {{ops}}.backfills.started_at is 'When it began.';
comment on column {{ops}}.backfills.finished_at is 'When all of it was done.';

grant select, insert, update on {{ops}}.backfills to pulseline_loader;
grant select on {{ops}}.backfills to pulseline_auditor, pulseline_compactor;
