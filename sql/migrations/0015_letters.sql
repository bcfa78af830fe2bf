-- What became of dead letters: replayed or discarded by a person. Locks: dead letters and accounting for the moment that a new
-- column and a new constraint take; the log of accounting is short.

alter table {{ops}}.dead_letters
    add column resolved_at timestamptz,
    add column resolution text,
    add column why text,
    add constraint dead_letters_resolution check (resolution in ('replayed', 'discarded')),
    add constraint dead_letters_resolved check ((resolved_at is null) = (resolution is null));
comment on column {{ops}}.dead_letters.resolved_at is 'When somebody dealt with it; null while nobody has.';
comment on column {{ops}}.dead_letters.resolution is 'replayed: it was loaded or sent again after a fix; discarded: nobody needs it.';
comment on column {{ops}}.dead_letters.why is 'What whoever discarded it says.';

alter table {{ops}}.accounted_log drop constraint accounted_log_kind;
alter table {{ops}}.accounted_log add constraint accounted_log_kind
    check (kind in ('loaded', 'duplicate', 'void', 'dead', 'erased', 'revived'));
comment on column {{ops}}.accounted_log.kind is 'loaded, duplicate (the same event at another offset), void (no message at the offset), dead (a dead letter), erased, revived (loaded after it was dead).';

alter table {{ops}}.accounted add column revived int8multirange not null default '{}';
comment on column {{ops}}.accounted.dead is 'Of these: whole uploads that became dead letters, revived ones too.';
comment on column {{ops}}.accounted.revived is 'Of the dead: loaded since.';

create or replace view {{ops}}.accounted_offsets as
with parts as (
    select topic, generation, partition, offsets, duplicate, void, dead, erased, revived from {{ops}}.accounted
    union all
    select
        topic, generation, partition,
        range_agg(int8range(from_offset, to_offset)),
        coalesce(range_agg(int8range(from_offset, to_offset)) filter (where kind = 'duplicate'), '{}'),
        coalesce(range_agg(int8range(from_offset, to_offset)) filter (where kind = 'void'), '{}'),
        coalesce(range_agg(int8range(from_offset, to_offset)) filter (where kind = 'dead'), '{}'),
        coalesce(range_agg(int8range(from_offset, to_offset)) filter (where kind = 'erased'), '{}'),
        coalesce(range_agg(int8range(from_offset, to_offset)) filter (where kind = 'revived'), '{}')
    from {{ops}}.accounted_log
    group by topic, generation, partition
)
select
    topic, generation, partition,
    range_agg(offsets) as offsets,
    range_agg(duplicate) as duplicate,
    range_agg(void) as void,
    range_agg(dead) - range_agg(revived) as dead,
    range_agg(erased) as erased
from parts
group by topic, generation, partition;
comment on column {{ops}}.accounted_offsets.dead is 'Of these: dead letters that were not revived.';

grant update (resolved_at, resolution, why) on {{ops}}.dead_letters to pulseline_loader;
