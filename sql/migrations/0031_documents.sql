-- Retention of MongoDB's documents: the day before which they may be gone, and the offsets of those that are. Locks: none but its
-- own new tables.

-- A table of its own, not a row of floors: who removes documents must not be able to raise the floor of raw, below which readings
-- are deleted.
create table {{ops}}.documents_floor (
    floor_date date not null,
    raised_at timestamptz not null default clock_timestamp(),
    is_single boolean primary key default true check (is_single)
);
comment on table {{ops}}.documents_floor is
    'One row: the day before which MongoDB''s documents of readings may be gone, so that raw alone has these days. It is raised first, and never lowered. No row: every document is kept.';
comment on column {{ops}}.documents_floor.floor_date is 'The first day whose documents are all kept. While a warehouse is built: rows of earlier days are carried over up to here.';
comment on column {{ops}}.documents_floor.raised_at is 'When it was raised last.';
comment on column {{ops}}.documents_floor.is_single is 'Always true: there is one row.';

create table {{ops}}.removed_offsets (
    topic text not null,
    generation int not null,
    partition int not null,
    offsets int8multirange not null,
    primary key (topic, generation, partition)
);
comment on table {{ops}}.removed_offsets is
    'Offsets whose documents or receipts were removed from MongoDB for their age; written before they are deleted. A rebuild carries over what they are accounted as.';
comment on column {{ops}}.removed_offsets.topic is 'Kafka topic.';
comment on column {{ops}}.removed_offsets.generation is 'Which life of the topic.';
comment on column {{ops}}.removed_offsets.partition is 'Kafka partition.';
comment on column {{ops}}.removed_offsets.offsets is 'All of them; a few ranges, because what is old lies together.';

grant select, insert, update on {{ops}}.documents_floor, {{ops}}.removed_offsets to pulseline_loader;
