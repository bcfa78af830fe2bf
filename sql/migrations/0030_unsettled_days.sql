-- Days that were patched and that the server still holds as changed: a refresh in quiet time settles them. Locks: none.

create table {{ops}}.unsettled_days (
    stream text not null,
    local_date date not null,
    patched_at timestamptz not null default clock_timestamp(),
    primary key (stream, local_date)
);
comment on table {{ops}}.unsettled_days is
    'Days whose continuous aggregates were patched: their figures are right, and the server still holds them as changed.';
comment on column {{ops}}.unsettled_days.stream is 'Stream of readings.';
comment on column {{ops}}.unsettled_days.local_date is 'The day.';
comment on column {{ops}}.unsettled_days.patched_at is 'When it was patched first since the last refresh.';
comment on column {{ops}}.compactions.task is 'refresh, settle, patch, facts, user_days, pack, repack, retain.';

grant select, insert, delete on {{ops}}.unsettled_days to pulseline_compactor;
