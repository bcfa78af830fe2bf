-- What is usual for a device or a person, age groups, and what every column means. Locks: none but its own new views.

do $baselines$
declare
    scope record;
    figure text;
    figures text := '';
begin
    -- The days before, never the day itself: a day is compared with what was usual until then.
    foreach figure in array array['steps', 'minutes_asleep', 'bpm_avg', 'resting_bpm', 'avg_sleep_bpm'] loop
        figures := figures || format($sql$,
            %1$s,
            round(avg(%1$s) filter (where is_valid) over week_before, 2) as %1$s_7d,
            round(avg(%1$s) filter (where is_valid) over month_before, 2) as %1$s_28d,
            round(%1$s - avg(%1$s) filter (where is_valid) over month_before, 2) as %1$s_deviation
        $sql$, figure);
    end loop;
    for scope in select * from (values ('', 'device_id', 'device'), ('user_', 'user_id', 'person')) as s(prefix, key, whose) loop
        execute format($sql$
            create view {{agg}}.%1$sdaily_baselines as
            select
                %2$s,
                bucket,
                minutes_worn,
                is_valid,
                count(*) filter (where is_valid) over week_before as valid_days_7d,
                count(*) filter (where is_valid) over month_before as valid_days_28d
                %3$s
            from (select *, worn_share >= 0.6 as is_valid from {{agg}}.%1$sdaily_summary) days
            window
                week_before as (partition by %2$s order by bucket range between interval '7 days' preceding and interval '1 day' preceding),
                month_before as (partition by %2$s order by bucket range between interval '28 days' preceding and interval '1 day' preceding)
        $sql$, scope.prefix, scope.key, figures);
        execute format('comment on view {{agg}}.%sdaily_baselines is %L', scope.prefix,
            format('What was usual for the %s over the 7 and 28 days before, from days worn for 60 %% at least, and how far the day is from it.',
                scope.whose));
    end loop;
end
$baselines$;

do $groups$
declare
    period record;
begin
    for period in select * from (values ('daily', 'day'), ('weekly', 'ISO week'), ('monthly', 'month')) as p(name, unit) loop
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
                round(avg(minutes_worn), 1) as minutes_worn,
                round(avg(steps), 1) as steps,
                round(avg(distance_m), 1) as distance_m,
                round(avg(kcal), 1) as kcal,
                round(avg(bpm_avg), 2) as bpm_avg,
                round(avg(resting_bpm), 2) as resting_bpm,
                round(avg(minutes_asleep), 1) as minutes_asleep,
                round(avg(avg_sleep_bpm), 2) as avg_sleep_bpm,
                round(avg(exercise_minutes), 1) as exercise_minutes
            from (
                select s.*, extract(year from age(s.bucket, u.date_of_birth::timestamp)) as age
                from {{agg}}.user_%1$s_summary s
                join {{raw}}.users u using (user_id)
                where u.date_of_birth is not null
            ) people
            group by 1, 2
        $sql$, period.name);
        execute format('comment on view {{agg}}.by_age_group_%s is %L', period.name,
            format('Means over the people of an age group per %s; age is that on the first day of it.', period.unit));
    end loop;
end
$groups$;

-- The same column means the same everywhere; where a few differ, the narrower line stands below and wins.
do $comments$
declare
    of record;
    found record;
begin
    for of in
        select * from (values
            ('%', '%', 'device_id', 'The device.'),
            ('stage', 'user_%', 'device_id', 'The device that counts for the person.'),
            ('agg', 'user_%', 'device_id', 'The device that counts for the person.'),
            ('%', '%', 'user_id', 'The person.'),
            ('%', '%', 'utc_offset_minutes', 'Minutes to subtract from the wall clock to get UTC.'),
            ('%', '%', 'start_utc_offset_minutes', 'Minutes to subtract from the start''s wall clock to get UTC.'),
            ('%', '%', 'end_utc_offset_minutes', 'Minutes to subtract from the end''s wall clock to get UTC.'),
            ('%', '%', 'bucket', 'Start of the period on the wearer''s wall clock.'),
            ('%', '%', 'starts_at', 'Start, the instant.'),
            ('%', '%', 'ends_at', 'End, the instant.'),
            ('%', '%', 'readings', 'Readings of any confidence.'),
            ('%', '%', 'heart_readings', 'Heart rates of any confidence; null without any.'),
            ('%', '%', 'steps_readings', 'Minutes that have a row of steps; null without any.'),
            ('%', '%', 'distance_readings', 'Minutes that have a row of distance; null without any.'),
            ('%', '%', 'energy_readings', 'Minutes that have a row of energy; null without any.'),
            ('%', '%', 'valid_readings', 'Readings with confidence > 0, or from a source without confidences.'),
            ('%', '%', 'bpm_sum', 'Sum of beats per minute over valid readings.'),
            ('%', '%', 'bpm_min', 'Least beats per minute of a valid reading.'),
            ('%', '%', 'bpm_max', 'Greatest beats per minute of a valid reading.'),
            ('%', '%', 'bpm_avg', 'Mean beats per minute over valid readings.'),
            ('%', '%', 'worn_mask', 'Bit n is set when minute n of the 15 has a valid heart rate.'),
            ('%', '%', 'minutes_worn', 'Distinct minutes with a valid heart rate.'),
            ('%', '%', 'worn_share', 'Minutes worn over the minutes of the period, 0 to 1.'),
            ('%', '%', 'resting_bpm', 'Resting heart rate as the device says; over several days their mean.'),
            ('%', '%', 'below_zones_minutes', 'Minutes below the first heart-rate zone, as the device says.'),
            ('%', '%', 'zone_1_minutes', 'Minutes in heart-rate zone 1, as the device says.'),
            ('%', '%', 'zone_2_minutes', 'Minutes in heart-rate zone 2, as the device says.'),
            ('%', '%', 'zone_3_minutes', 'Minutes in heart-rate zone 3, as the device says.'),
            ('%', '%', 'other_zones_minutes', 'Minutes in zones of other names.'),
            ('%', '%', 'steps', 'Steps.'),
            ('%', '%', 'steps_min', 'Fewest steps in one minute that has a row.'),
            ('%', '%', 'steps_max', 'Most steps in one minute.'),
            ('%', '%', 'distance_mm', 'Millimetres.'),
            ('%', '%', 'distance_mm_min', 'Fewest millimetres in one minute that has a row.'),
            ('%', '%', 'distance_mm_max', 'Most millimetres in one minute.'),
            ('%', '%', 'distance_m', 'Metres.'),
            ('%', '%', 'millikcal', 'Thousandths of a kilocalorie, the basal rate in it.'),
            ('%', '%', 'millikcal_min', 'Least energy of one minute that has a row.'),
            ('%', '%', 'millikcal_max', 'Most energy of one minute.'),
            ('%', '%', 'kcal', 'Kilocalories.'),
            ('%', '%', 'sedentary_minutes', 'Minutes sedentary, as the device says.'),
            ('%', '%', 'lightly_active_minutes', 'Minutes lightly active, as the device says.'),
            ('%', '%', 'moderately_active_minutes', 'Minutes moderately active, as the device says.'),
            ('%', '%', 'very_active_minutes', 'Minutes very active, as the device says.'),
            ('%', '%', 'other_minutes', 'Minutes at levels of other names; null without any.'),
            ('%', '%', 'log_id', 'Fitbit''s id of the session.'),
            ('%', '%', 'start_local', 'Start, wall clock.'),
            ('%', '%', 'end_local', 'End, wall clock.'),
            ('%', '%', 'sleep_date', 'Local date on which the sleep ended.'),
            ('%', '%', 'exercise_date', 'Local date on which the exercise began.'),
            ('%', '%', 'main_sleep', 'False for a nap.'),
            ('%', '%', 'type', 'stages, classic, or what Fitbit thinks of later.'),
            ('%', '%', 'log_type', 'How it was recorded.'),
            ('%', '%', 'info_code', '0 enough data, 1 not enough heart rate, 2 under 3 hours, 3 server.'),
            ('%', '%', 'minutes_to_fall_asleep', 'Minutes, as Fitbit says.'),
            ('%', '%', 'minutes_awake', 'Minutes, as Fitbit says.'),
            ('%', '%', 'minutes_after_wakeup', 'Minutes, as Fitbit says.'),
            ('%', '%', 'minutes_asleep', 'Minutes asleep, naps included.'),
            ('stage', '%sleeps', 'minutes_asleep', 'Minutes asleep, as Fitbit says.'),
            ('%', '%', 'minutes_asleep_main', 'Minutes asleep in main sleeps.'),
            ('%', '%', 'time_in_bed_minutes', 'Minutes in bed, as Fitbit says.'),
            ('%', '%', 'minutes_in_bed', 'Minutes in bed, naps included.'),
            ('%', '%', 'efficiency_fitbit', 'Percent, as Fitbit says.'),
            ('%', '%', 'efficiency', 'Percent: minutes asleep over minutes in bed.'),
            ('%', '%', 'deep_minutes', 'Minutes of deep sleep; null without any.'),
            ('%', '%', 'light_minutes', 'Minutes of light sleep; null without any.'),
            ('%', '%', 'rem_minutes', 'Minutes of REM sleep; null without any.'),
            ('%', '%', 'wake_minutes', 'Minutes awake, short wakes laid over what they cover; null without any.'),
            ('%', '%', 'asleep_minutes', 'Minutes asleep of a classic log; null without any.'),
            ('%', '%', 'restless_minutes', 'Minutes restless of a classic log; null without any.'),
            ('%', '%', 'deep_share', 'Share of deep sleep in the minutes of all four stages.'),
            ('%', '%', 'light_share', 'Share of light sleep in the minutes of all four stages.'),
            ('%', '%', 'rem_share', 'Share of REM sleep in the minutes of all four stages.'),
            ('%', '%', 'wake_share', 'Share of wake in the minutes of all four stages.'),
            ('%', '%', 'bedtime', 'Circular mean of the starts of main sleeps, wall clock, to a tenth of a second.'),
            ('%', '%', 'wake_time', 'Circular mean of the ends of main sleeps, wall clock, to a tenth of a second.'),
            ('%', '%', 'overall_score', 'Fitbit''s score of the sleep, 0 to 100.'),
            ('%', '%', 'sleep_score', 'Mean of Fitbit''s scores of the sleeps.'),
            ('%', '%', 'sleep_readings', 'Heart rates of any confidence between start and end.'),
            ('%', '%', 'sleep_valid_readings', 'Valid heart rates between start and end.'),
            ('%', '%', 'sleep_bpm_sum', 'Sum of beats per minute over these.'),
            ('%', '%', 'sleep_bpm_min', 'Least beats per minute asleep.'),
            ('%', '%', 'sleep_bpm_max', 'Greatest beats per minute asleep.'),
            ('%', '%', 'avg_sleep_bpm', 'Mean beats per minute over valid readings between start and end of the sleeps.'),
            ('%', '%', 'sleeps', 'Sleeps, naps included.'),
            ('%', '%', 'naps', 'Sleeps that are not the main one.'),
            ('%', '%', 'activity_name', 'What was done.'),
            ('%', '%', 'duration_minutes', 'Minutes from start to end.'),
            ('%', '%', 'active_minutes', 'Minutes without pauses.'),
            ('%', '%', 'average_heart_rate', 'Mean beats per minute, as Fitbit says.'),
            ('%', '%', 'has_gps', 'True when a track was recorded; it is not kept.'),
            ('%', '%', 'exercises', 'Exercises.'),
            ('%', '%', 'exercise_minutes', 'Minutes of exercise from start to end.'),
            ('%', '%', 'exercise_kcal', 'Kilocalories of the exercises.'),
            ('%', '%', 'exercise_steps', 'Steps of the exercises.'),
            ('%', '%', 'exercise_distance_m', 'Metres of the exercises.'),
            ('%', '%', 'avg_exercise_bpm', 'Mean of the exercises'' mean beats per minute, weighed by their minutes.'),
            ('%', '%', 'gender', 'As given.'),
            ('%', '%', 'height_cm', 'Centimetres.'),
            ('%', '%', 'max_heart_rate', 'Beats per minute, where known.'),
            ('%', '%', 'zone', 'IANA time zone.'),
            ('%', '%', 'created_at', 'When the account was made.'),
            ('%', '%', 'devices', 'The person''s devices.'),
            ('%', '%', 'age_group', 'Years of age: under 18, 18-24, 25-34, 35-44, 45-54, 55-64, over 64.'),
            ('%', '%', 'people', 'People that the means are over.'),
            ('%', '%', 'is_valid', 'True when the day was worn for 60 % at least.'),
            ('%', '%', 'valid_days_7d', 'Days of the 7 before that were worn for 60 % at least.'),
            ('%', '%', 'valid_days_28d', 'Days of the 28 before that were worn for 60 % at least.'),
            ('%', '%', '%_7d', 'Mean over the valid days of the 7 before.'),
            ('%', '%', '%_28d', 'Mean over the valid days of the 28 before.'),
            ('%', '%', '%_deviation', 'The day''s figure less its mean over the valid days of the 28 before.'),
            ('agg', 'by_age_group%', '%', 'Mean of this figure over the people of the group.'),
            ('agg', 'by_age_group%', 'age_group', 'Years of age: under 18, 18-24, 25-34, 35-44, 45-54, 55-64, over 64.'),
            ('agg', 'by_age_group%', 'bucket', 'Start of the period on the wearers'' wall clocks.'),
            ('agg', 'by_age_group%', 'people', 'People that the means are over.')
        ) as t(schema, relation, name, meaning)
    loop
        for found in
            select n.nspname, c.relname, a.attname
            from pg_attribute a
            join pg_class c on c.oid = a.attrelid and c.relkind = 'v' and a.attnum > 0
            join pg_namespace n on n.oid = c.relnamespace and n.nspname in ('{{stage}}', '{{agg}}')
            where n.nspname like '%' || of.schema and c.relname like of.relation and a.attname like replace(of.name, '_', '\_')
                and not (of.name like '\%%' and of.relation = '%' and col_description(c.oid, a.attnum) is not null)
                -- Single readings carry raw's own words.
                and not (n.nspname = '{{stage}}' and c.relname in ('heart_rates', 'steps', 'distances', 'calories'))
        loop
            execute format('comment on column %I.%I.%I is %L', found.nspname, found.relname, found.attname, of.meaning);
        end loop;
    end loop;
end
$comments$;
