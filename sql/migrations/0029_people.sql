-- Figures of people from their stored days: no share is above 1, and groups are shown from five people on. Locks: the definition of
-- the summaries of devices; otherwise none but its own new views. The compactor fills the table of people's days, newest days first.

do $days$
declare
    figures text;
begin
    select string_agg('d.' || a.attname, ', ' order by a.attnum) into figures
    from pg_attribute a
    where a.attrelid = '{{agg}}.stored_user_days'::regclass and a.attnum > 2;
    execute format($sql$
        create view {{agg}}.user_days as
        select d.user_id, d.bucket, %1$s
        from {{agg}}.stored_user_days d
        where not exists (
            select from {{ops}}.changed_open_days c where c.user_id = d.user_id and c.local_date = d.bucket::date
        )
        union all
        select c.user_id, c.local_date::timestamp, %1$s
        from {{ops}}.changed_open_days c
        cross join lateral {{stage}}.compute_user_days(array[c.user_id], c.local_date, c.local_date + 1) d
    $sql$, figures);
end
$days$;
comment on view {{agg}}.user_days is
    'Every figure of a person''s local day as sums and counts: as stored; an open day that changed since, as it is at this moment.';

-- Figures of people by day, ISO week and month: sums over their days.
do $figures$
declare
    period record;
    family record;
begin
    for period in
        select * from (values
            ('daily', 'day', 'bucket', '1440'),
            ('weekly', 'ISO week (Monday)', 'date_trunc(''week'', bucket)', '10080'),
            ('monthly', 'month', 'date_trunc(''month'', bucket)',
                '1440 * extract(day from date_trunc(''month'', bucket) + interval ''1 month'' - interval ''1 day'')')
        ) as p(name, unit, bucket, minutes)
    loop
        for family in
            select * from (values
                ('heart_rates', 'Heart rate per person and %s: read, resting, in zones.', $columns$
                    coalesce(sum(readings), 0)::bigint as readings,
                    coalesce(sum(valid_readings), 0)::bigint as valid_readings,
                    sum(bpm_sum)::bigint as bpm_sum,
                    min(bpm_min) as bpm_min,
                    max(bpm_max) as bpm_max,
                    round(sum(bpm_sum)::numeric / nullif(sum(valid_readings), 0), 2) as bpm_avg,
                    round(avg(resting_bpm), 2) as resting_bpm,
                    sum(below_zones_minutes) as below_zones_minutes,
                    sum(zone_1_minutes) as zone_1_minutes,
                    sum(zone_2_minutes) as zone_2_minutes,
                    sum(zone_3_minutes) as zone_3_minutes,
                    sum(other_zones_minutes) as other_zones_minutes
                $columns$, 'count(readings) + count(vitals_device_id)'),
                ('steps', 'Steps, distance and energy per person and %s.', $columns$
                    sum(steps)::bigint as steps,
                    max(steps_max) as steps_max,
                    round(sum(distance_mm) / 1000.0, 3) as distance_m,
                    round(sum(millikcal) / 1000.0, 3) as kcal
                $columns$, 'count(steps) + count(distance_mm) + count(millikcal)'),
                ('activity', 'Minutes by level of activity per person and %s.', $columns$
                    sum(sedentary_minutes)::bigint as sedentary_minutes,
                    sum(lightly_active_minutes)::bigint as lightly_active_minutes,
                    sum(moderately_active_minutes)::bigint as moderately_active_minutes,
                    sum(very_active_minutes)::bigint as very_active_minutes,
                    sum(other_minutes)::bigint as other_minutes
                $columns$, 'count(activity_device_id)'),
                ('sleeps', 'Sleep per person and %s; a sleep belongs to the date on which it ended.', $columns$
                    sum(sleeps)::bigint as sleeps,
                    sum(naps)::bigint as naps,
                    sum(minutes_asleep)::bigint as minutes_asleep,
                    sum(minutes_asleep_main)::bigint as minutes_asleep_main,
                    sum(minutes_in_bed)::bigint as minutes_in_bed,
                    sum(deep_minutes) as deep_minutes,
                    sum(light_minutes) as light_minutes,
                    sum(rem_minutes) as rem_minutes,
                    sum(wake_minutes) as wake_minutes,
                    round(sum(deep_minutes) / nullif(sum(staged_minutes), 0), 4) as deep_share,
                    round(sum(light_minutes) / nullif(sum(staged_minutes), 0), 4) as light_share,
                    round(sum(rem_minutes) / nullif(sum(staged_minutes), 0), 4) as rem_share,
                    round(sum(staged_wake_minutes) / nullif(sum(staged_minutes), 0), 4) as wake_share,
                    {{stage}}.mean_time(sum(bed_sine), sum(bed_cosine)) as bedtime,
                    {{stage}}.mean_time(sum(wake_sine), sum(wake_cosine)) as wake_time,
                    coalesce(sum(sleep_valid_readings), 0)::bigint as sleep_valid_readings,
                    round(sum(sleep_bpm_sum)::numeric / nullif(sum(sleep_valid_readings), 0), 2) as avg_sleep_bpm,
                    min(sleep_bpm_min) as sleep_bpm_min,
                    max(sleep_bpm_max) as sleep_bpm_max,
                    round(sum(sleep_score_sum) / nullif(sum(sleep_scores), 0), 1) as sleep_score
                $columns$, 'count(sleeps)'),
                ('exercises', 'Exercises per person and %s; an exercise belongs to the day on which it began.', $columns$
                    sum(exercises)::bigint as exercises,
                    sum(exercise_minutes) as exercise_minutes,
                    sum(active_minutes) as active_minutes,
                    sum(exercise_kcal) as exercise_kcal,
                    sum(exercise_steps)::bigint as exercise_steps,
                    sum(exercise_distance_m) as exercise_distance_m,
                    round(sum(exercise_bpm_minutes) / nullif(sum(exercise_minutes_with_bpm), 0), 1) as avg_exercise_bpm
                $columns$, 'count(exercises)'),
                ('summary', 'One row per person and %s with anything at all; minutes worn say how much the figures rest on.', $columns$
                    least(round(coalesce(sum(minutes_worn), 0) / (period_minutes), 4), 1) as worn_share,
                    case when count(readings) + count(vitals_device_id) > 0
                        then coalesce(sum(valid_readings), 0) end::bigint as valid_readings,
                    min(bpm_min) as bpm_min,
                    max(bpm_max) as bpm_max,
                    round(sum(bpm_sum)::numeric / nullif(sum(valid_readings), 0), 2) as bpm_avg,
                    round(avg(resting_bpm), 2) as resting_bpm,
                    sum(steps)::bigint as steps,
                    round(sum(distance_mm) / 1000.0, 3) as distance_m,
                    round(sum(millikcal) / 1000.0, 3) as kcal,
                    sum(sedentary_minutes)::bigint as sedentary_minutes,
                    sum(lightly_active_minutes)::bigint as lightly_active_minutes,
                    sum(moderately_active_minutes)::bigint as moderately_active_minutes,
                    sum(very_active_minutes)::bigint as very_active_minutes,
                    sum(sleeps)::bigint as sleeps,
                    sum(naps)::bigint as naps,
                    sum(minutes_asleep)::bigint as minutes_asleep,
                    sum(minutes_in_bed)::bigint as minutes_in_bed,
                    round(sum(sleep_bpm_sum)::numeric / nullif(sum(sleep_valid_readings), 0), 2) as avg_sleep_bpm,
                    sum(exercises)::bigint as exercises,
                    sum(exercise_minutes) as exercise_minutes
                $columns$, 'count(*)')
            ) as f(name, title, columns, has_any)
        loop
            execute format($sql$
                create view {{agg}}.user_%1$s_%2$s as
                select user_id, %3$s as bucket, coalesce(sum(minutes_worn), 0)::bigint as minutes_worn, %4$s
                from {{agg}}.user_days
                group by user_id, %3$s
                having %5$s > 0
            $sql$, period.name, family.name, period.bucket, replace(family.columns, 'period_minutes', period.minutes), family.has_any);
            execute format('comment on view {{agg}}.user_%s_%s is %L', period.name, family.name, format(family.title, period.unit));
        end loop;
    end loop;
end
$figures$;

-- Of devices too, no share is above 1: a day of 25 hours may have more minutes than 1440.
do $shares$
declare
    period text;
    definition text;
begin
    foreach period in array array['daily', 'weekly', 'monthly'] loop
        definition := pg_get_viewdef(format('{{agg}}.%s_summary', period)::regclass);
        if definition !~ 'round\(.*, 4\) AS worn_share' then
            raise exception 'the share is written in another way: %', definition;
        end if;
        execute format('create or replace view {{agg}}.%1$s_summary as %2$s', period,
            regexp_replace(definition, '(round\(.*), 4\) AS worn_share', 'least(\1, 4), 1) AS worn_share'));
    end loop;
end
$shares$;

do $baselines$
declare
    figure text;
    means text := '';
    counts text := '';
begin
    foreach figure in array array['steps', 'minutes_asleep', 'bpm_avg', 'resting_bpm', 'avg_sleep_bpm'] loop
        means := means || format($sql$,
            %1$s,
            round(avg(%1$s) filter (where is_valid) over week_before, 2) as %1$s_7d,
            round(avg(%1$s) filter (where is_valid) over month_before, 2) as %1$s_28d,
            round(%1$s - avg(%1$s) filter (where is_valid) over month_before, 2) as %1$s_deviation
        $sql$, figure);
        counts := counts || format($sql$,
            count(%1$s) filter (where is_valid) over week_before as %1$s_days_7d,
            count(%1$s) filter (where is_valid) over month_before as %1$s_days_28d
        $sql$, figure);
    end loop;
    -- The days before, never the day itself: a day is compared with what was usual until then.
    execute format($sql$
        create view {{agg}}.user_daily_baselines as
        select
            user_id,
            bucket,
            minutes_worn,
            is_valid,
            count(*) filter (where is_valid) over week_before as valid_days_7d,
            count(*) filter (where is_valid) over month_before as valid_days_28d
            %1$s
            %2$s
        from (select *, worn_share >= 0.6 as is_valid from {{agg}}.user_daily_summary) days
        window
            week_before as (partition by user_id order by bucket range between interval '7 days' preceding and interval '1 day' preceding),
            month_before as (partition by user_id order by bucket range between interval '28 days' preceding and interval '1 day' preceding)
    $sql$, means, counts);
end
$baselines$;
comment on view {{agg}}.user_daily_baselines is
    'What was usual for the person over the 7 and 28 days before, from days worn for 60 % at least, and how far the day is from it.';

-- Groups of people: means over those who have the figure, of days that were worn for 60 % at least.
create table {{ops}}.settings (
    min_group int not null default 5,
    is_single boolean primary key default true,
    constraint settings_min_group check (min_group >= 1),
    constraint settings_single check (is_single)
);
insert into {{ops}}.settings default values;
comment on table {{ops}}.settings is 'One row: what the operator of the warehouse may change by an update.';
comment on column {{ops}}.settings.min_group is 'Fewest people whose mean is shown in a group.';
comment on column {{ops}}.settings.is_single is 'Always true: there is one row.';

do $groups$
declare
    period record;
    figure record;
    figures text := '';
    of_person text := '';
begin
    for figure in
        select * from (values
            ('minutes_worn', 'minutes_worn', 1), ('steps', 'steps', 1), ('distance_m', 'distance_mm / 1000.0', 1),
            ('kcal', 'millikcal / 1000.0', 1), ('bpm_avg', 'bpm_sum::numeric / nullif(valid_readings, 0)', 2),
            ('resting_bpm', 'resting_bpm', 2), ('minutes_asleep', 'minutes_asleep', 1),
            ('avg_sleep_bpm', 'sleep_bpm_sum::numeric / nullif(sleep_valid_readings, 0)', 2),
            ('exercise_minutes', 'exercise_minutes', 1)
        ) as f(name, expression, digits)
    loop
        of_person := of_person || format(', avg(%2$s) as %1$s', figure.name, figure.expression);
        figures := figures || format(',
            case when count(%1$s) >= (select min_group from {{ops}}.settings) then round(avg(%1$s), %2$s) end as %1$s,
            count(%1$s) as %1$s_people', figure.name, figure.digits);
    end loop;
    for period in
        select * from (values
            ('daily', 'day', 'bucket'), ('weekly', 'ISO week', 'date_trunc(''week'', bucket)'),
            ('monthly', 'month', 'date_trunc(''month'', bucket)')
        ) as p(name, unit, bucket)
    loop
        execute format($sql$
            create view {{agg}}.by_age_group_%1$s as
            select
                case
                    when age < 18 then 'under 18'
                    when age < 25 then '18-24'
                    when age < 35 then '25-34'
                    when age < 45 then '35-44'
                    when age < 55 then '45-54'
                    when age < 65 then '55-64'
                    else 'over 64'
                end as age_group,
                bucket,
                count(*) as people,
                sum(valid_days)::bigint as valid_days
                %2$s
            from (
                select d.*, extract(year from age(d.bucket, u.date_of_birth::timestamp)) as age
                from (
                    select user_id, %3$s as bucket, count(*) as valid_days %4$s
                    from {{agg}}.stored_user_days
                    where minutes_worn >= 864
                    group by user_id, %3$s
                ) d
                join {{raw}}.users u on u.user_id = d.user_id
                where u.date_of_birth is not null
            ) people
            group by 1, 2
            having count(*) >= (select min_group from {{ops}}.settings)
        $sql$, period.name, figures, period.bucket, of_person);
        execute format('comment on view {{agg}}.by_age_group_%s is %L', period.name, format(
            'Means over the people of an age group per %s, of each one''s days that were worn for 60 %% at least; age is that on its first day.',
            period.unit));
    end loop;
end
$groups$;

-- For its samples.
grant select on {{stage}}.quarters, {{stage}}.user_sleeps, {{stage}}.user_exercises, {{agg}}.user_days to pulseline_compactor;

-- The same column means the same everywhere: a view of people says what the one of devices says.
do $comments$
declare
    of record;
begin
    for of in
        select n.nspname, c.relname, a.attname, coalesce(
            (select t.meaning from (values
                ('user_id', 'The person.'),
                ('local_date', 'The local day.'),
                ('vitals_device_id', 'The device that says the resting heart rate and the minutes in zones: of several the one worn longest.'),
                ('activity_device_id', 'The device that says the minutes of activity: of several the one worn longest.'),
                ('is_open', 'True while the day has not ended everywhere on Earth.'),
                ('computed_at', 'When it was computed.'),
                ('distance_mm', 'Millimetres.'),
                ('millikcal', 'Thousandths of a kilocalorie, the basal rate in it.'),
                ('staged_minutes', 'Minutes at all four stages, of sleeps that have stages.'),
                ('staged_wake_minutes', 'Minutes awake in sleeps that have stages.'),
                ('bed_sine', 'Sum of sines of the starts of main sleeps, a day being a full turn.'),
                ('bed_cosine', 'Sum of cosines of the starts of main sleeps.'),
                ('wake_sine', 'Sum of sines of the ends of main sleeps.'),
                ('wake_cosine', 'Sum of cosines of the ends of main sleeps.'),
                ('sleep_scores', 'Sleeps that have a score.'),
                ('sleep_score_sum', 'Sum of these scores.'),
                ('exercise_bpm_minutes', 'Sum of the exercises'' mean beats per minute times their minutes.'),
                ('exercise_minutes_with_bpm', 'Minutes of exercises that have a mean heart rate.'),
                ('age_group', 'Years of age: under 18, 18-24, 25-34, 35-44, 45-54, 55-64, over 64.'),
                ('people', 'People of the group that have a day worn for 60 % at least.'),
                ('valid_days', 'Their days that were worn for 60 % at least.'),
                ('session', 'sleep or exercise.'),
                ('sleep_end_local', 'End of the sleep, wall clock: a filter on it reads the sleeps of its range alone.'),
                ('owned_on', 'The local day it belongs to: on which a sleep ended, or an exercise began.'),
                ('synced_at', 'When the device uploaded it.'),
                ('event_id', 'The upload.'),
                ('piece', 'From when to when, on the wall clock of the sleep''s start.')
            ) as t(name, meaning) where t.name = a.attname),
            case when c.relname like 'by\_age\_group%' then
                case when a.attname like '%\_people' then 'People of the group that have this figure.'
                    when a.attname = 'bucket' then 'Start of the period on the wearers'' wall clocks.'
                    else 'Mean of this figure over the people of the group, of each one its mean of a valid day; null for fewer people than are shown.' end
            end,
            -- Of the relation of devices, else of any.
            (select col_description(o.attrelid, o.attnum)
                from pg_attribute o
                join pg_class d on d.oid = o.attrelid
                join pg_namespace e on e.oid = d.relnamespace and e.nspname in ('{{stage}}', '{{agg}}')
                where o.attname = a.attname and o.attnum > 0 and col_description(o.attrelid, o.attnum) is not null
                    and d.relname not like 'by\_age\_group%'
                order by d.relname <> replace(c.relname, 'user_', ''), d.relname not like '%summary', d.relname limit 1)) as meaning
        from pg_attribute a
        join pg_class c on c.oid = a.attrelid and c.relkind in ('v', 'r') and a.attnum > 0 and not a.attisdropped
        join pg_namespace n on n.oid = c.relnamespace and n.nspname in ('{{stage}}', '{{agg}}')
        where col_description(c.oid, a.attnum) is null
    loop
        execute format('comment on column %I.%I.%I is %L', of.nspname, of.relname, of.attname, of.meaning);
    end loop;
end
$comments$;
comment on column {{stage}}.user_sleeps.device_id is 'The device that saw it.';
comment on column {{stage}}.user_sleep_levels.device_id is 'The device that saw it.';
comment on column {{stage}}.user_sleep_levels.level is 'deep, light, rem, wake; or asleep, restless, awake.';
comment on column {{stage}}.user_exercises.device_id is 'The device that saw it.';
comment on column {{stage}}.user_quarters.device_id is 'The device that counts for the person.';
