-- What decides whether the floor of documents may be raised, for these streams ($1): the floor, the oldest day at or after it on
-- which anything is loaded, whether each of their collections was read to its end, whether a second warehouse is being built, and
-- the server's day in UTC.
select
    (select floor_date - date '1970-01-01' from ops.documents_floor),
    (
        select min(l.local_date) - date '1970-01-01'
        from ops.loaded_days l
        where l.stream = any($1::text[])
            and l.local_date >= coalesce((select floor_date from ops.documents_floor), '-infinity')
    ),
    (
        select count(distinct c.collection) = cardinality($1::text[])
            and coalesce(bool_and(c.token is not null and c.snapshot is null), false)
        from ops.checkpoints c
        where c.collection = any($1::text[])
    ),
    to_regnamespace('next_ops') is not null,
    (clock_timestamp() at time zone 'UTC')::date - date '1970-01-01'
