-- Exceptional offsets in pages that are written once: a producer with transactions leaves a void for each, and the row that held
-- them all was rewritten with every fold. Locks: the view, for a moment; what stands in the row moves with the next fold.

create table {{ops}}.accounted_pages (
    id bigint generated always as identity primary key,
    topic text not null,
    generation int not null,
    partition int not null,
    duplicate int8multirange not null,
    void int8multirange not null,
    dead int8multirange not null,
    erased int8multirange not null,
    revived int8multirange not null
);
comment on table {{ops}}.accounted_pages is 'Exceptional offsets that ops.accounted holds no longer, a thousand ranges or so a page; never changed.';
comment on column {{ops}}.accounted_pages.id is 'In the order in which they were written.';
comment on column {{ops}}.accounted_pages.topic is 'Kafka topic.';
comment on column {{ops}}.accounted_pages.generation is 'Which life of the topic.';
comment on column {{ops}}.accounted_pages.partition is 'Kafka partition.';
comment on column {{ops}}.accounted_pages.duplicate is 'The same event stood at another offset already.';
comment on column {{ops}}.accounted_pages.void is 'No message is there.';
comment on column {{ops}}.accounted_pages.dead is 'Whole uploads that became dead letters, revived ones too.';
comment on column {{ops}}.accounted_pages.erased is 'Removed for a person who asked.';
comment on column {{ops}}.accounted_pages.revived is 'Of the dead: loaded since.';

create or replace view {{ops}}.accounted_offsets as
with parts as (
    select topic, generation, partition, offsets, duplicate, void, dead, erased, revived from {{ops}}.accounted
    union all
    select topic, generation, partition, '{}', duplicate, void, dead, erased, revived from {{ops}}.accounted_pages
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

grant insert on {{ops}}.accounted_pages to pulseline_compactor;
