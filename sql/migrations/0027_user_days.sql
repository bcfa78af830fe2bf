-- Days of people become stored facts: a figure of one person reads the rows of that person. Locks: the views of people are dropped,
-- and made anew by the next migration; ops.dirty_days and raw.exercises get indexes.

create table {{agg}}.stored_user_days (
    user_id uuid not null,
    bucket timestamp not null,
    is_open boolean not null,
    computed_at timestamptz not null,
    minutes_worn bigint,
    readings bigint,
    valid_readings bigint,
    bpm_sum bigint,
    bpm_min smallint,
    bpm_max smallint,
    vitals_device_id uuid,
    resting_bpm numeric,
    below_zones_minutes numeric,
    zone_1_minutes numeric,
    zone_2_minutes numeric,
    zone_3_minutes numeric,
    other_zones_minutes numeric,
    steps bigint,
    steps_max int,
    distance_mm bigint,
    millikcal bigint,
    activity_device_id uuid,
    sedentary_minutes bigint,
    lightly_active_minutes bigint,
    moderately_active_minutes bigint,
    very_active_minutes bigint,
    other_minutes bigint,
    sleeps bigint,
    naps bigint,
    minutes_asleep bigint,
    minutes_asleep_main bigint,
    minutes_in_bed bigint,
    deep_minutes numeric,
    light_minutes numeric,
    rem_minutes numeric,
    wake_minutes numeric,
    staged_minutes numeric,
    staged_wake_minutes numeric,
    bed_sine double precision,
    bed_cosine double precision,
    wake_sine double precision,
    wake_cosine double precision,
    sleep_valid_readings bigint,
    sleep_bpm_sum bigint,
    sleep_bpm_min smallint,
    sleep_bpm_max smallint,
    sleep_scores bigint,
    sleep_score_sum bigint,
    exercises bigint,
    exercise_minutes numeric,
    active_minutes numeric,
    exercise_kcal numeric,
    exercise_steps bigint,
    exercise_distance_m numeric,
    exercise_bpm_minutes numeric,
    exercise_minutes_with_bpm numeric,
    primary key (user_id, bucket)
);
create index stored_user_days_bucket on {{agg}}.stored_user_days (bucket);
create index stored_user_days_open on {{agg}}.stored_user_days (bucket) where is_open;
comment on table {{agg}}.stored_user_days is
    'Every figure of a person''s local day as sums and counts, kept by the compactor: what questions about many people read.';
comment on column {{agg}}.stored_user_days.is_open is
    'True while the day has not ended everywhere on Earth: later readings of it come with the compactor''s cycles.';
comment on column {{agg}}.stored_user_days.computed_at is 'When the row was computed.';

create table {{ops}}.dirty_user_days (
    user_id uuid not null,
    local_date date not null,
    marked_at timestamptz not null default now(),
    primary key (user_id, local_date)
);
create index dirty_user_days_marked on {{ops}}.dirty_user_days (marked_at);
create index dirty_user_days_date on {{ops}}.dirty_user_days (local_date desc);
comment on table {{ops}}.dirty_user_days is 'Days of people that are to be computed anew; deleted with the transaction that stores the day.';
comment on column {{ops}}.dirty_user_days.user_id is 'The person.';
comment on column {{ops}}.dirty_user_days.local_date is 'The day.';
comment on column {{ops}}.dirty_user_days.marked_at is 'When a change of one of its parts was first seen.';

create table {{ops}}.open_days (
    open_from date not null,
    is_single boolean primary key default true check (is_single)
);
insert into {{ops}}.open_days (open_from) values ((now() at time zone 'UTC' - interval '12 hours')::date);
comment on table {{ops}}.open_days is 'One row: the first day that had not ended everywhere on Earth when the compactor last looked.';
comment on column {{ops}}.open_days.open_from is 'Of this day and those after it, changed days of people are computed when they are asked for.';
comment on column {{ops}}.open_days.is_single is 'Always true: there is one row.';

-- The newest first, and those of a device.
create index dirty_days_date on {{ops}}.dirty_days (local_date, id);
create index dirty_days_device on {{ops}}.dirty_days (device_id, local_date);
create index exercises_end on {{raw}}.exercises (device_id, end_local);

create view {{ops}}.changed_open_days as
select distinct x.user_id, x.local_date
from (
    select o.user_id, d.local_date
    from {{ops}}.dirty_days d
    join {{raw}}.device_owners o on o.device_id = d.device_id and d.local_date >= o.from_day and d.local_date < o.until_day
    where d.local_date >= (select open_from from {{ops}}.open_days)
    union all
    select user_id, local_date from {{ops}}.dirty_user_days where local_date >= (select open_from from {{ops}}.open_days)
) x;
comment on view {{ops}}.changed_open_days is 'Open days of people that changed since they were stored.';
comment on column {{ops}}.changed_open_days.user_id is 'The person.';
comment on column {{ops}}.changed_open_days.local_date is 'The day.';

-- What stood on the quarters that devices share.
do $drop$
declare
    period text;
begin
    foreach period in array array['daily', 'weekly', 'monthly'] loop
        execute format('drop view {{agg}}.by_age_group_%s', period);
    end loop;
    drop view {{agg}}.user_daily_baselines;
    foreach period in array array['daily', 'weekly', 'monthly'] loop
        execute format('drop view {{agg}}.user_%1$s_summary, {{agg}}.user_%1$s_heart_rates, {{agg}}.user_%1$s_steps,
            {{agg}}.user_%1$s_activity, {{agg}}.user_%1$s_sleeps, {{agg}}.user_%1$s_exercises', period);
    end loop;
end
$drop$;
drop view {{agg}}.user_heart_rates_1d, {{agg}}.user_steps_1d, {{agg}}.user_distances_1d, {{agg}}.user_calories_1d,
    {{agg}}.user_vitals_1d, {{agg}}.user_activity_1d;
drop view {{stage}}.user_quarters;
drop view {{stage}}.shared_quarters;
drop view {{stage}}.shared_days;
drop view {{stage}}.user_sleep_levels;
drop view {{stage}}.user_sleeps;
drop view {{stage}}.user_exercises;

-- Sleeps and exercises under the rule for overlaps.
create view {{stage}}.session_spans as
select
    'sleep' as session, device_id, log_id, start_local, end_local, end_local::date as owned_on,
    (start_local - make_interval(mins => start_utc_offset_minutes)) at time zone 'UTC' as starts_at,
    (end_local - make_interval(mins => end_utc_offset_minutes)) at time zone 'UTC' as ends_at,
    synced_at, event_id
from {{raw}}.sleeps
union all
select
    'exercise', device_id, log_id, start_local, end_local, start_local::date,
    (start_local - make_interval(mins => start_utc_offset_minutes)) at time zone 'UTC',
    (end_local - make_interval(mins => end_utc_offset_minutes)) at time zone 'UTC',
    synced_at, event_id
from {{raw}}.exercises;
comment on view {{stage}}.session_spans is 'When sleeps and exercises lie, and which upload each is from.';

-- Each moment of a night at one level: short segments cut the long ones that they lie on, and earlier ones cut later ones.
create view {{stage}}.sleep_pieces as
select s.device_id, s.log_id, s.level, p.piece
from (
    select
        device_id,
        log_id,
        source,
        level,
        span,
        range_agg(span) filter (where source = 'short') over night as short_ones,
        range_agg(span) filter (where source = 'data') over night as long_ones,
        range_agg(span) over (partition by device_id, log_id, source order by seq
            rows between unbounded preceding and 1 preceding) as earlier
    from (
        select device_id, log_id, source, seq, level, tsrange(local_ts, local_ts + make_interval(secs => seconds)) as span
        from {{raw}}.sleep_levels
        where seconds > 0
    ) segments
    window night as (partition by device_id, log_id)
) s
cross join lateral unnest(case s.source
    when 'data' then tsmultirange(s.span) - coalesce(s.short_ones, '{}')
    else (tsmultirange(s.span) - coalesce(s.earlier, '{}')) * coalesce(s.long_ones, '{}')
end) as p(piece);
comment on view {{stage}}.sleep_pieces is 'Stretches of one level within a sleep.';


grant select, insert, delete, update (is_open) on {{agg}}.stored_user_days to pulseline_compactor;
grant select, insert, delete on {{ops}}.dirty_user_days to pulseline_compactor;
grant select, update on {{ops}}.open_days to pulseline_compactor;
grant select on {{ops}}.forgotten to pulseline_compactor;
grant select on {{raw}}.sleep_scores to pulseline_compactor;
grant select on {{stage}}.session_spans, {{agg}}.vitals_1d, {{agg}}.activity_1d to pulseline_compactor;
grant delete on {{agg}}.stored_user_days, {{ops}}.dirty_user_days to pulseline_eraser;

-- Everything that is there is computed, the newest days first.
insert into {{ops}}.dirty_user_days (user_id, local_date)
select distinct o.user_id, d.local_date
from (
    select device_id, bucket::date as local_date from {{agg}}.heart_rates_1d
    union
    select device_id, bucket::date from {{agg}}.steps_1d
    union
    select device_id, bucket::date from {{agg}}.distances_1d
    union
    select device_id, bucket::date from {{agg}}.calories_1d
    union
    select device_id, local_date from {{raw}}.resting_heart_rates
    union
    select device_id, local_date from {{raw}}.heart_rate_zones
    union
    select device_id, local_date from {{raw}}.activity_minutes
    union
    select device_id, owned_on from {{stage}}.session_spans
) d
join {{raw}}.device_owners o on o.device_id = d.device_id and d.local_date >= o.from_day and d.local_date < o.until_day;
