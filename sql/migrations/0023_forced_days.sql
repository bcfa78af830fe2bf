-- A stored figure that is not what its readings say can be computed anew, though no reading of it changed. Locks: ops.dirty_days for
-- a moment.

alter table {{ops}}.dirty_days add column is_forced boolean not null default false;
comment on column {{ops}}.dirty_days.is_forced is
    'True when a figure was found to differ from its readings: it is computed anew whatever the server holds as changed.';
comment on column {{ops}}.compactions.task is 'refresh, patch, facts, pack, repack, retain.';
comment on column {{ops}}.compactions.rows is 'Changed days that led to a refresh, patched days of devices, rows of facts, packed chunks.';

-- Of a warehouse that was replaced, the marks of an erased person are deleted too; one may be there already.
grant delete on {{ops}}.dirty_days to pulseline_eraser;
do $old$
begin
    if to_regclass('old_ops.dirty_days') is not null then
        grant delete on old_ops.dirty_days to pulseline_eraser;
    end if;
end
$old$;
-- The compactor marks what its samples find.
grant insert on {{ops}}.dirty_days to pulseline_compactor;
