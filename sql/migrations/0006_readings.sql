-- Single readings for analysts, on the wall clock and on the UTC line. Locks: reads raw's definitions only.

do $views$
declare
    of record;
begin
    for of in
        select * from (values
            ('heart_rates', 'bpm, confidence', 'Every heart rate, with the instant at which it was read.'),
            ('steps', 'steps', 'Steps by minute, with the instant at which the minute began.'),
            ('distances', 'distance_mm', 'Distance by minute, with the instant at which the minute began.'),
            ('calories', 'millikcal', 'Energy by minute, with the instant at which the minute began.')
        ) as t(stream, columns, meaning)
    loop
        execute format($sql$
            create view {{stage}}.%1$I as
            select
                device_id,
                local_ts,
                utc_offset_minutes,
                (local_ts - make_interval(mins => utc_offset_minutes)) at time zone 'UTC' as read_at,
                %2$s
            from {{raw}}.%1$I
        $sql$, of.stream, of.columns);
        execute format('comment on view {{stage}}.%I is %L', of.stream, of.meaning);
        execute format('comment on column {{stage}}.%I.read_at is %L', of.stream,
            'The instant: an hour lived twice is two hours here.');
    end loop;
    -- The other columns are raw's own, and so is what they mean.
    for of in
        select v.relname as stream, a.attname as name, col_description(r.oid, b.attnum) as meaning
        from pg_class v
        join pg_class r on r.relname = v.relname and r.relnamespace = '{{raw}}'::regnamespace
        join pg_attribute a on a.attrelid = v.oid and a.attnum > 0
        join pg_attribute b on b.attrelid = r.oid and b.attname = a.attname
        where v.relnamespace = '{{stage}}'::regnamespace and v.relname in ('heart_rates', 'steps', 'distances', 'calories')
    loop
        execute format('comment on column {{stage}}.%I.%I is %L', of.stream, of.name, of.meaning);
    end loop;
end
$views$;
