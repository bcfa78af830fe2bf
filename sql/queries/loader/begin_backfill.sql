-- Begins a backfill, or finds how far it is: stream, device, first day, day after the last.
insert into ops.backfills as b (stream, device, from_date, to_date, next_date)
values ($1, $2, date '1970-01-01' + $3::int, date '1970-01-01' + $4::int, date '1970-01-01' + $3::int)
on conflict (stream, device, from_date, to_date) do update set
    finished_at = null,
    next_date = case when b.finished_at is null then b.next_date else b.from_date end,
    documents = case when b.finished_at is null then b.documents else 0 end,
    changed_rows = case when b.finished_at is null then b.changed_rows else 0 end,
    started_at = case when b.finished_at is null then b.started_at else clock_timestamp() end,
    place = case when b.finished_at is null then b.place end
returning next_date - date '1970-01-01', documents, changed_rows, place
