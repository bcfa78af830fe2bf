-- Positions, accounting, dirty days, dead letters, leases, journal. Locks: none but its own new tables.

create schema {{ops}};
comment on schema {{ops}} is 'How Pulseline keeps its books: positions, accounting, dirty days, dead letters, leases.';

create table {{ops}}.leases (
    name text primary key,
    owner uuid not null,
    epoch bigint not null,
    expires_at timestamptz not null
);
comment on table {{ops}}.leases is 'Who may do the work of a name alone. A row, not a session lock: it works behind a pooler and in one shared session.';
comment on column {{ops}}.leases.name is 'The work: loader, compactor.';
comment on column {{ops}}.leases.owner is 'Random id of the process that holds it.';
comment on column {{ops}}.leases.epoch is 'Rises at every change of owner; writes of an older epoch are refused.';
comment on column {{ops}}.leases.expires_at is 'When another may take over unless it is renewed.';

create table {{ops}}.checkpoints (
    collection text not null,
    shard int not null,
    token bytea,
    epoch bigint not null,
    seq bigint not null,
    cluster_time timestamptz,
    caught_up_at timestamptz,
    updated_at timestamptz not null default now(),
    primary key (collection, shard)
);
comment on table {{ops}}.checkpoints is 'Position of the loader in each change stream, written in the transaction that holds the rows (D-2).';
comment on column {{ops}}.checkpoints.collection is 'MongoDB collection.';
comment on column {{ops}}.checkpoints.shard is 'Part of the collection, 0 where it is not split.';
comment on column {{ops}}.checkpoints.token is 'Resume token as BSON; null before the first snapshot is complete.';
comment on column {{ops}}.checkpoints.epoch is 'Epoch of the lease that last claimed it.';
comment on column {{ops}}.checkpoints.seq is 'Rises by one with every commit; a commit that expects another value is refused.';
comment on column {{ops}}.checkpoints.cluster_time is 'Cluster time of the newest event that was loaded.';
comment on column {{ops}}.checkpoints.caught_up_at is 'When the stream last had nothing more to give.';
comment on column {{ops}}.checkpoints.updated_at is 'When it last moved.';

create table {{ops}}.accounted_log (
    id bigint generated always as identity primary key,
    topic text not null,
    generation int not null,
    partition int not null,
    from_offset bigint not null,
    to_offset bigint not null,
    kind text not null,
    logged_at timestamptz not null default now(),
    constraint accounted_log_range check (from_offset >= 0 and to_offset > from_offset),
    constraint accounted_log_kind check (kind in ('loaded', 'duplicate', 'void', 'dead', 'erased'))
);
comment on table {{ops}}.accounted_log is 'Offsets that were dealt with, appended in the rows'' transaction; the compactor folds it into accounted (D-4).';
comment on column {{ops}}.accounted_log.id is 'Order of arrival.';
comment on column {{ops}}.accounted_log.topic is 'Kafka topic.';
comment on column {{ops}}.accounted_log.generation is 'Which life of the topic: rises when it is deleted and made anew.';
comment on column {{ops}}.accounted_log.partition is 'Kafka partition.';
comment on column {{ops}}.accounted_log.from_offset is 'First offset.';
comment on column {{ops}}.accounted_log.to_offset is 'First offset after the range.';
comment on column {{ops}}.accounted_log.kind is 'loaded, duplicate (the same event at another offset), void (no message at the offset), dead (a dead letter), erased.';
comment on column {{ops}}.accounted_log.logged_at is 'When.';

create table {{ops}}.accounted (
    topic text not null,
    generation int not null,
    partition int not null,
    offsets int8multirange not null default '{}',
    duplicate int8multirange not null default '{}',
    void int8multirange not null default '{}',
    dead int8multirange not null default '{}',
    erased int8multirange not null default '{}',
    primary key (topic, generation, partition)
);
comment on table {{ops}}.accounted is 'All offsets that were dealt with; a healthy partition is one range from 0, a hole is a loss (D-4).';
comment on column {{ops}}.accounted.topic is 'Kafka topic.';
comment on column {{ops}}.accounted.generation is 'Which life of the topic.';
comment on column {{ops}}.accounted.partition is 'Kafka partition.';
comment on column {{ops}}.accounted.offsets is 'Every offset of any kind.';
comment on column {{ops}}.accounted.duplicate is 'Of these: the same event stood at another offset already.';
comment on column {{ops}}.accounted.void is 'Of these: no message is there.';
comment on column {{ops}}.accounted.dead is 'Of these: whole uploads that became dead letters.';
comment on column {{ops}}.accounted.erased is 'Of these: removed for a person who asked.';

create view {{ops}}.accounted_offsets as
with parts as (
    select topic, generation, partition, offsets, duplicate, void, dead, erased from {{ops}}.accounted
    union all
    select
        topic, generation, partition,
        range_agg(int8range(from_offset, to_offset)),
        coalesce(range_agg(int8range(from_offset, to_offset)) filter (where kind = 'duplicate'), '{}'),
        coalesce(range_agg(int8range(from_offset, to_offset)) filter (where kind = 'void'), '{}'),
        coalesce(range_agg(int8range(from_offset, to_offset)) filter (where kind = 'dead'), '{}'),
        coalesce(range_agg(int8range(from_offset, to_offset)) filter (where kind = 'erased'), '{}')
    from {{ops}}.accounted_log
    group by topic, generation, partition
)
select
    topic, generation, partition,
    range_agg(offsets) as offsets,
    range_agg(duplicate) as duplicate,
    range_agg(void) as void,
    range_agg(dead) as dead,
    range_agg(erased) as erased
from parts
group by topic, generation, partition;
comment on view {{ops}}.accounted_offsets is 'Accounting as of now: what is folded and what is still in the log.';
comment on column {{ops}}.accounted_offsets.topic is 'Kafka topic.';
comment on column {{ops}}.accounted_offsets.generation is 'Which life of the topic.';
comment on column {{ops}}.accounted_offsets.partition is 'Kafka partition.';
comment on column {{ops}}.accounted_offsets.offsets is 'Every offset of any kind.';
comment on column {{ops}}.accounted_offsets.duplicate is 'Of these: duplicates.';
comment on column {{ops}}.accounted_offsets.void is 'Of these: no message is there.';
comment on column {{ops}}.accounted_offsets.dead is 'Of these: dead letters.';
comment on column {{ops}}.accounted_offsets.erased is 'Of these: erased.';

create table {{ops}}.dirty_days (
    id bigint generated always as identity primary key,
    stream text not null,
    device_id uuid,
    local_date date not null,
    marked_at timestamptz not null default now()
);
comment on table {{ops}}.dirty_days is 'Days whose rows changed; append-only, deleted by id once every closed level was refreshed.';
comment on column {{ops}}.dirty_days.id is 'Exactly the ids that were read before a refresh are deleted after it.';
comment on column {{ops}}.dirty_days.stream is 'heart_rates, steps, sleeps, users.';
comment on column {{ops}}.dirty_days.device_id is 'Whose rows.';
comment on column {{ops}}.dirty_days.local_date is 'The wearer''s day.';
comment on column {{ops}}.dirty_days.marked_at is 'When the rows were committed.';

create table {{ops}}.waiting_periods (
    stream text not null,
    level text not null,
    starts_on date not null,
    since timestamptz not null default now(),
    primary key (stream, level, starts_on),
    constraint waiting_periods_level check (level in ('day', 'week', 'month'))
);
comment on table {{ops}}.waiting_periods is 'Periods with changed rows that are still open somewhere on Earth; refreshed once they have closed, real-time until then.';
comment on column {{ops}}.waiting_periods.stream is 'heart_rates, steps.';
comment on column {{ops}}.waiting_periods.level is 'day, week, month.';
comment on column {{ops}}.waiting_periods.starts_on is 'First day of the period.';
comment on column {{ops}}.waiting_periods.since is 'When a change was first seen.';

create table {{ops}}.dead_letters (
    origin text not null,
    item int not null,
    stream text,
    topic text,
    generation int,
    partition int,
    "offset" bigint,
    message_key bytea,
    payload bytea,
    reason text not null,
    detail text not null,
    program_version text not null,
    created_at timestamptz not null,
    loaded_at timestamptz not null default now(),
    primary key (origin, item)
);
comment on table {{ops}}.dead_letters is 'What could not be processed, with its bytes, origin and reason (D-3).';
comment on column {{ops}}.dead_letters.origin is 'kafka:topic/generation/partition/offset or mongo:collection/_id.';
comment on column {{ops}}.dead_letters.item is 'Index of the reading in its upload; -1 for the whole upload.';
comment on column {{ops}}.dead_letters.stream is 'Stream it belongs to, where known.';
comment on column {{ops}}.dead_letters.topic is 'Kafka topic.';
comment on column {{ops}}.dead_letters.generation is 'Which life of the topic.';
comment on column {{ops}}.dead_letters.partition is 'Kafka partition.';
comment on column {{ops}}.dead_letters."offset" is 'Kafka offset.';
comment on column {{ops}}.dead_letters.message_key is 'Key of the Kafka message.';
comment on column {{ops}}.dead_letters.payload is 'The bytes as they came.';
comment on column {{ops}}.dead_letters.reason is 'A word from a fixed list.';
comment on column {{ops}}.dead_letters.detail is 'A sentence for a person.';
comment on column {{ops}}.dead_letters.program_version is 'Version of the program that gave up.';
comment on column {{ops}}.dead_letters.created_at is 'When it gave up.';
comment on column {{ops}}.dead_letters.loaded_at is 'When it arrived here.';
create index dead_letters_created on {{ops}}.dead_letters (created_at);

create table {{ops}}.compactions (
    id bigint generated always as identity primary key,
    started_at timestamptz not null default clock_timestamp(),
    task text not null,
    relation text not null,
    range_start timestamp,
    range_end timestamp,
    reason text not null,
    rows bigint not null,
    seconds double precision not null
);
comment on table {{ops}}.compactions is 'Journal of the compactor: what it refreshed, why, and how long it took.';
comment on column {{ops}}.compactions.id is 'Order.';
comment on column {{ops}}.compactions.started_at is 'When.';
comment on column {{ops}}.compactions.task is 'refresh.';
comment on column {{ops}}.compactions.relation is 'Which continuous aggregate.';
comment on column {{ops}}.compactions.range_start is 'First instant of the window, local time.';
comment on column {{ops}}.compactions.range_end is 'First instant after the window, local time.';
comment on column {{ops}}.compactions.reason is 'Why.';
comment on column {{ops}}.compactions.rows is 'Dirty days that led to it.';
comment on column {{ops}}.compactions.seconds is 'How long it took.';
create index compactions_started on {{ops}}.compactions (started_at);
