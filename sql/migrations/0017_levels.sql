-- Single stages of the nights, for charts. Locks: none but its own new views.

do $levels$
declare
    of record;
begin
    for of in
        select * from (values ('', ''), ('user_', 's.user_id, ')) as t(prefix, owned)
    loop
        execute format($sql$
            create view {{stage}}.%1$ssleep_levels as
            with segments as not materialized (
                select
                    device_id, log_id, source, level,
                    tsrange(local_ts, local_ts + make_interval(secs => seconds)) as span
                from {{raw}}.sleep_levels
                where seconds > 0
            )
            select
                %2$ss.device_id,
                s.log_id,
                s.sleep_date,
                s.main_sleep,
                p.level,
                lower(p.piece) as start_local,
                (lower(p.piece) - make_interval(mins => s.start_utc_offset_minutes)) at time zone 'UTC' as starts_at,
                (upper(p.piece) - make_interval(mins => s.start_utc_offset_minutes)) at time zone 'UTC' as ends_at
            from {{stage}}.%1$ssleeps s
            join lateral (
                select d.level, piece
                from segments d
                cross join lateral unnest(tsmultirange(d.span) - coalesce((
                    select range_agg(o.span) from segments o
                    where o.device_id = d.device_id and o.log_id = d.log_id and o.source = 'short'
                ), '{}')) as piece
                where d.device_id = s.device_id and d.log_id = s.log_id and d.source = 'data'
                union all
                select o.level, d.span * o.span
                from segments d
                join segments o on o.device_id = d.device_id and o.log_id = d.log_id and o.source = 'short' and o.span && d.span
                where d.device_id = s.device_id and d.log_id = s.log_id and d.source = 'data'
            ) p on true
        $sql$, of.prefix, of.owned);
        execute format('comment on view {{stage}}.%1$ssleep_levels is %2$L', of.prefix,
            'Stages of the sleeps in {{stage}}.' || of.prefix || 'sleeps, one row per stretch; short segments cut the long ones that they lie on.');
        execute format($sql$
            comment on column {{stage}}.%1$ssleep_levels.device_id is 'The device that saw it.';
            comment on column {{stage}}.%1$ssleep_levels.log_id is 'The sleep.';
            comment on column {{stage}}.%1$ssleep_levels.sleep_date is 'The day on which the sleep ended.';
            comment on column {{stage}}.%1$ssleep_levels.main_sleep is 'True for the night, false for a nap.';
            comment on column {{stage}}.%1$ssleep_levels.level is 'deep, light, rem, wake; or asleep, restless, awake.';
            comment on column {{stage}}.%1$ssleep_levels.start_local is 'Start, on the wall clock of the sleep''s start.';
            comment on column {{stage}}.%1$ssleep_levels.starts_at is 'Start.';
            comment on column {{stage}}.%1$ssleep_levels.ends_at is 'End.';
        $sql$, of.prefix);
    end loop;
    comment on column {{stage}}.user_sleep_levels.user_id is 'The person.';
end
$levels$;
