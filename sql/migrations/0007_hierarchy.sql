-- One hierarchy for the four streams of readings: 15 minutes, days. Weeks and months become sums of days.
-- Locks: drops and makes anew every continuous aggregate; the compactor fills them again from the days marked here.

drop schema {{agg}} cascade;
drop materialized view {{stage}}.heart_rates_15m cascade;
drop materialized view {{stage}}.steps_15m cascade;
drop view {{stage}}.sleeps;
drop view {{stage}}.users;
drop table {{ops}}.waiting_periods;

create schema {{agg}};
comment on schema {{agg}} is 'Figures per device or person and day, ISO week, month, in the wearer''s local time.';

create table {{ops}}.waiting_days (
    stream text not null,
    local_date date not null,
    since timestamptz not null default now(),
    primary key (stream, local_date)
);
comment on table {{ops}}.waiting_days is 'Changed days that are still open somewhere on Earth; refreshed once they have closed, real-time until then.';
comment on column {{ops}}.waiting_days.stream is 'Name of the stream; only those with continuous aggregates wait.';
comment on column {{ops}}.waiting_days.local_date is 'The day.';
comment on column {{ops}}.waiting_days.since is 'When a change was first seen.';

create table {{ops}}.loaded_days (
    stream text not null,
    local_date date not null,
    loaded_at timestamptz not null,
    primary key (stream, local_date)
);
comment on table {{ops}}.loaded_days is 'When rows of a day last changed, whosever they are: a chunk is packed once its days have been quiet.';
comment on column {{ops}}.loaded_days.stream is 'Name of the stream.';
comment on column {{ops}}.loaded_days.local_date is 'The day.';
comment on column {{ops}}.loaded_days.loaded_at is 'When the newest change of it was committed.';

comment on column {{ops}}.compactions.task is 'refresh, facts, pack, repack.';
comment on column {{ops}}.compactions.relation is 'Which continuous aggregate, table of facts or hypertable.';
comment on column {{ops}}.compactions.rows is 'Changed days that led to a refresh, rows of facts, packed chunks.';

-- The bucket is the second column at every level: TimescaleDB 2.23 refuses a third level where its place differs.
create materialized view {{stage}}.heart_rates_15m
with (timescaledb.continuous, timescaledb.materialized_only = false, timescaledb.chunk_interval = '30 days') as
select
    device_id,
    time_bucket(interval '15 minutes', local_ts) as bucket,
    utc_offset_minutes,
    (time_bucket(interval '15 minutes', local_ts) - make_interval(mins => utc_offset_minutes)) at time zone 'UTC' as starts_at,
    count(*) as readings,
    count(*) filter (where confidence is distinct from 0) as valid_readings,
    sum(bpm) filter (where confidence is distinct from 0) as bpm_sum,
    min(bpm) filter (where confidence is distinct from 0) as bpm_min,
    max(bpm) filter (where confidence is distinct from 0) as bpm_max,
    coalesce(bit_or(1 << (extract(minute from local_ts)::int % 15)) filter (where confidence is distinct from 0), 0) as worn_mask
from {{raw}}.heart_rates
group by device_id, utc_offset_minutes, time_bucket(interval '15 minutes', local_ts)
with no data;
comment on view {{stage}}.heart_rates_15m is 'Heart rate per device, offset and 15 minutes; sum, min and max over valid readings.';

create materialized view {{agg}}.heart_rates_1d
with (timescaledb.continuous, timescaledb.materialized_only = false, timescaledb.chunk_interval = '365 days') as
select
    device_id,
    time_bucket(interval '1 day', bucket) as bucket,
    sum(readings)::bigint as readings,
    sum(valid_readings)::bigint as valid_readings,
    sum(bpm_sum)::bigint as bpm_sum,
    min(bpm_min) as bpm_min,
    max(bpm_max) as bpm_max,
    sum(bit_count(worn_mask::bit(15)))::bigint as minutes_worn
from {{stage}}.heart_rates_15m
group by device_id, time_bucket(interval '1 day', bucket)
with no data;
comment on view {{agg}}.heart_rates_1d is 'Heart rate per device and local day: what daily, weekly and monthly figures are summed from.';

-- Streams of one number a minute differ in its name only.
do $streams$
declare
    of record;
begin
    for of in
        select * from (values
            ('steps', 'steps', 'Steps'), ('distances', 'distance_mm', 'Distance'), ('calories', 'millikcal', 'Energy')
        ) as t(stream, value, title)
    loop
        execute format($sql$
            create materialized view {{stage}}.%1$s_15m
            with (timescaledb.continuous, timescaledb.materialized_only = false, timescaledb.chunk_interval = '30 days') as
            select
                device_id,
                time_bucket(interval '15 minutes', local_ts) as bucket,
                utc_offset_minutes,
                (time_bucket(interval '15 minutes', local_ts) - make_interval(mins => utc_offset_minutes)) at time zone 'UTC' as starts_at,
                count(*) as readings,
                sum(%2$s) as %2$s,
                min(%2$s) as %2$s_min,
                max(%2$s) as %2$s_max
            from {{raw}}.%1$s
            group by device_id, utc_offset_minutes, time_bucket(interval '15 minutes', local_ts)
            with no data
        $sql$, of.stream, of.value);
        execute format('comment on view {{stage}}.%s_15m is %L', of.stream, of.title || ' per device, offset and 15 minutes.');
        execute format($sql$
            create materialized view {{agg}}.%1$s_1d
            with (timescaledb.continuous, timescaledb.materialized_only = false, timescaledb.chunk_interval = '365 days') as
            select
                device_id,
                time_bucket(interval '1 day', bucket) as bucket,
                sum(readings)::bigint as readings,
                sum(%2$s)::bigint as %2$s,
                min(%2$s_min) as %2$s_min,
                max(%2$s_max) as %2$s_max
            from {{stage}}.%1$s_15m
            group by device_id, time_bucket(interval '1 day', bucket)
            with no data
        $sql$, of.stream, of.value);
        execute format('comment on view {{agg}}.%s_1d is %L', of.stream,
            of.title || ' per device and local day: what daily, weekly and monthly figures are summed from.');
    end loop;
end
$streams$;

-- Facts of a night stand in a table: a view would read 5,000 readings for every night that is looked at.
create table {{stage}}.sleep_heart_rates (
    device_id uuid not null,
    log_id bigint not null,
    readings int not null,
    valid_readings int not null,
    bpm_sum int not null,
    bpm_min smallint,
    bpm_max smallint,
    primary key (device_id, log_id)
);
comment on table {{stage}}.sleep_heart_rates is 'Heart rate between start and end of a sleep, on the UTC line; kept by the compactor.';
comment on column {{stage}}.sleep_heart_rates.device_id is 'The device.';
comment on column {{stage}}.sleep_heart_rates.log_id is 'Fitbit''s id of the session.';
comment on column {{stage}}.sleep_heart_rates.readings is 'Readings of any confidence from the start of the sleep up to, not including, its end.';
comment on column {{stage}}.sleep_heart_rates.valid_readings is 'Of these: valid ones.';
comment on column {{stage}}.sleep_heart_rates.bpm_sum is 'Sum of beats per minute over valid readings; 0 without any.';
comment on column {{stage}}.sleep_heart_rates.bpm_min is 'Least beats per minute of a valid reading.';
comment on column {{stage}}.sleep_heart_rates.bpm_max is 'Greatest beats per minute of a valid reading.';

-- How the compactor finds the sleeps that a changed day touches.
create index sleeps_end on {{raw}}.sleeps (device_id, end_local);

-- Everything that is there is aggregated anew.
do $dirty$
declare
    stream text;
begin
    foreach stream in array array['heart_rates', 'steps', 'distances', 'calories'] loop
        execute format('insert into {{ops}}.dirty_days (stream, device_id, local_date)
            select distinct %1$L, device_id, local_ts::date from {{raw}}.%1$I', stream);
    end loop;
    insert into {{ops}}.dirty_days (stream, device_id, local_date)
    select distinct 'sleeps', device_id, end_local::date from {{raw}}.sleeps;
end
$dirty$;
