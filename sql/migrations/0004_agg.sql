-- Days, ISO weeks and months per device. Locks: reads stage's definitions only.

create schema {{agg}};
comment on schema {{agg}} is 'Figures per device and day, ISO week, month, in the wearer''s local time.';

create materialized view {{agg}}.daily_heart_rates
with (timescaledb.continuous, timescaledb.materialized_only = false, timescaledb.chunk_interval = '365 days') as
select
    device_id,
    time_bucket(interval '1 day', bucket) as bucket,
    sum(readings)::bigint as readings,
    sum(valid_readings)::bigint as valid_readings,
    sum(bpm_sum)::bigint as bpm_sum,
    min(bpm_min) as bpm_min,
    max(bpm_max) as bpm_max,
    round(sum(bpm_sum)::numeric / nullif(sum(valid_readings), 0), 2) as bpm_avg,
    sum(bit_count(worn_mask::bit(15)))::bigint as minutes_worn
from {{stage}}.heart_rates_15m
group by device_id, time_bucket(interval '1 day', bucket)
with no data;
comment on view {{agg}}.daily_heart_rates is 'Heart rate per device and local day, readings with confidence > 0.';

create materialized view {{agg}}.daily_steps
with (timescaledb.continuous, timescaledb.materialized_only = false, timescaledb.chunk_interval = '365 days') as
select
    device_id,
    time_bucket(interval '1 day', bucket) as bucket,
    sum(readings)::bigint as readings,
    sum(steps)::bigint as steps,
    max(steps_max) as steps_max
from {{stage}}.steps_15m
group by device_id, time_bucket(interval '1 day', bucket)
with no data;
comment on view {{agg}}.daily_steps is 'Steps per device and local day.';

create materialized view {{agg}}.weekly_heart_rates
with (timescaledb.continuous, timescaledb.materialized_only = false, timescaledb.chunk_interval = '1820 days') as
select
    device_id,
    time_bucket(interval '1 week', bucket) as bucket,
    sum(readings)::bigint as readings,
    sum(valid_readings)::bigint as valid_readings,
    sum(bpm_sum)::bigint as bpm_sum,
    min(bpm_min) as bpm_min,
    max(bpm_max) as bpm_max,
    round(sum(bpm_sum)::numeric / nullif(sum(valid_readings), 0), 2) as bpm_avg,
    sum(minutes_worn)::bigint as minutes_worn
from {{agg}}.daily_heart_rates
group by device_id, time_bucket(interval '1 week', bucket)
with no data;
comment on view {{agg}}.weekly_heart_rates is 'Heart rate per device and ISO week (Monday).';

create materialized view {{agg}}.weekly_steps
with (timescaledb.continuous, timescaledb.materialized_only = false, timescaledb.chunk_interval = '1820 days') as
select
    device_id,
    time_bucket(interval '1 week', bucket) as bucket,
    sum(readings)::bigint as readings,
    sum(steps)::bigint as steps,
    max(steps_max) as steps_max
from {{agg}}.daily_steps
group by device_id, time_bucket(interval '1 week', bucket)
with no data;
comment on view {{agg}}.weekly_steps is 'Steps per device and ISO week (Monday).';

create materialized view {{agg}}.monthly_heart_rates
with (timescaledb.continuous, timescaledb.materialized_only = false, timescaledb.chunk_interval = '3650 days') as
select
    device_id,
    time_bucket(interval '1 month', bucket) as bucket,
    sum(readings)::bigint as readings,
    sum(valid_readings)::bigint as valid_readings,
    sum(bpm_sum)::bigint as bpm_sum,
    min(bpm_min) as bpm_min,
    max(bpm_max) as bpm_max,
    round(sum(bpm_sum)::numeric / nullif(sum(valid_readings), 0), 2) as bpm_avg,
    sum(minutes_worn)::bigint as minutes_worn
from {{agg}}.daily_heart_rates
group by device_id, time_bucket(interval '1 month', bucket)
with no data;
comment on view {{agg}}.monthly_heart_rates is 'Heart rate per device and month.';

create materialized view {{agg}}.monthly_steps
with (timescaledb.continuous, timescaledb.materialized_only = false, timescaledb.chunk_interval = '3650 days') as
select
    device_id,
    time_bucket(interval '1 month', bucket) as bucket,
    sum(readings)::bigint as readings,
    sum(steps)::bigint as steps,
    max(steps_max) as steps_max
from {{agg}}.daily_steps
group by device_id, time_bucket(interval '1 month', bucket)
with no data;
comment on view {{agg}}.monthly_steps is 'Steps per device and month.';

-- Sleeps and summaries are plain views: right at every moment, and few rows.
do $views$
declare
    period record;
begin
    for period in select * from (values ('daily', 'day'), ('weekly', 'week'), ('monthly', 'month')) as p(name, unit) loop
        execute format($sql$
            create view {{agg}}.%1$s_sleeps as
            select
                device_id,
                date_trunc(%2$L, sleep_date::timestamp) as bucket,
                count(*) as sleeps,
                count(*) filter (where not main_sleep) as naps,
                sum(minutes_asleep) as minutes_asleep,
                sum(minutes_asleep) filter (where main_sleep) as minutes_asleep_main,
                sum(time_in_bed_minutes) as minutes_in_bed,
                sum(deep_minutes) as deep_minutes,
                sum(light_minutes) as light_minutes,
                sum(rem_minutes) as rem_minutes,
                sum(wake_minutes) as wake_minutes
            from {{stage}}.sleeps
            group by device_id, date_trunc(%2$L, sleep_date::timestamp)
        $sql$, period.name, period.unit);
        execute format('comment on view {{agg}}.%s_sleeps is %L', period.name,
            format('Sleep per device and %s; a sleep belongs to the date on which it ended.', period.unit));
        execute format($sql$
            create view {{agg}}.%1$s_summary as
            select
                device_id,
                bucket,
                coalesce(h.minutes_worn, 0) as minutes_worn,
                h.valid_readings,
                h.bpm_min,
                h.bpm_max,
                h.bpm_avg,
                s.steps,
                n.minutes_asleep,
                n.minutes_in_bed,
                n.sleeps,
                n.naps
            from {{agg}}.%1$s_heart_rates h
            full outer join {{agg}}.%1$s_steps s using (device_id, bucket)
            full outer join {{agg}}.%1$s_sleeps n using (device_id, bucket)
        $sql$, period.name);
        execute format('comment on view {{agg}}.%s_summary is %L', period.name,
            format('One row per device and %s with anything at all; minutes worn say how much the figures rest on.', period.unit));
    end loop;
end
$views$;

-- The same column means the same everywhere.
do $comments$
declare
    found record;
begin
    for found in
        select n.nspname, c.relname, a.attname, t.meaning
        from (values
            ('device_id', 'The device.'),
            ('utc_offset_minutes', 'Minutes to subtract from the wall clock to get UTC.'),
            ('bucket', 'Start of the period on the wearer''s wall clock.'),
            ('readings', 'Readings of any confidence.'),
            ('valid_readings', 'Readings with confidence > 0.'),
            ('bpm_sum', 'Sum of beats per minute over valid readings.'),
            ('bpm_min', 'Least beats per minute of a valid reading.'),
            ('bpm_max', 'Greatest beats per minute of a valid reading.'),
            ('bpm_avg', 'Mean beats per minute over valid readings.'),
            ('worn_mask', 'Bit n is set when minute n of the 15 has a valid reading.'),
            ('minutes_worn', 'Distinct minutes with a valid heart rate.'),
            ('steps', 'Steps.'),
            ('steps_max', 'Most steps in one minute.'),
            ('log_id', 'Fitbit''s id of the session.'),
            ('start_local', 'Start, wall clock.'),
            ('end_local', 'End, wall clock.'),
            ('start_utc', 'Start, UTC.'),
            ('end_utc', 'End, UTC.'),
            ('sleep_date', 'Local date on which the sleep ended.'),
            ('main_sleep', 'False for a nap.'),
            ('type', 'stages or classic.'),
            ('minutes_asleep', 'Minutes asleep, naps included.'),
            ('minutes_asleep_main', 'Minutes asleep in main sleeps.'),
            ('time_in_bed_minutes', 'Minutes in bed.'),
            ('minutes_in_bed', 'Minutes in bed.'),
            ('efficiency_fitbit', 'Percent, as Fitbit says.'),
            ('efficiency', 'Percent: minutes asleep over minutes in bed.'),
            ('deep_minutes', 'Minutes of deep sleep.'),
            ('light_minutes', 'Minutes of light sleep.'),
            ('rem_minutes', 'Minutes of REM sleep.'),
            ('wake_minutes', 'Minutes awake.'),
            ('sleeps', 'Sleep sessions.'),
            ('naps', 'Sessions that are not the main sleep.'),
            ('user_id', 'The person.'),
            ('gender', 'As given.'),
            ('height_cm', 'Centimetres.'),
            ('max_heart_rate', 'Beats per minute, where known.'),
            ('zone', 'IANA time zone.'),
            ('created_at', 'When the account was made.'),
            ('devices', 'The person''s devices.')
        ) as t(name, meaning)
        join pg_attribute a on a.attname = t.name and a.attnum > 0
        join pg_class c on c.oid = a.attrelid and c.relkind = 'v'
        join pg_namespace n on n.oid = c.relnamespace and n.nspname in ('{{stage}}', '{{agg}}')
    loop
        execute format('comment on column %I.%I.%I is %L', found.nspname, found.relname, found.attname, found.meaning);
    end loop;
end
$comments$;
