-- Writes dead letters, each array holding one column of them; an existing one stays as it is.
insert into ops.dead_letters (
    origin, item, stream, topic, generation, partition, "offset", message_key, payload, reason, detail, program_version,
    created_at, loaded_at
)
select
    l.origin, l.item, l.stream, l.topic, l.generation, l.partition, l."offset", l.message_key, l.payload, l.reason, l.detail,
    l.program_version, timestamptz 'epoch' + l.created_at * interval '1 millisecond', now()
from unnest(
    $1::text[], $2::int[], $3::text[], $4::text[], $5::int[], $6::int[], $7::bigint[], $8::bytea[], $9::bytea[], $10::text[],
    $11::text[], $12::text[], $13::bigint[]
) as l (
    origin, item, stream, topic, generation, partition, "offset", message_key, payload, reason, detail, program_version,
    created_at
)
on conflict (origin, item) do nothing
