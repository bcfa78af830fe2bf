-- Figures per device and per person by day, ISO week and month: plain views over days. Locks: none but its own new views.

-- What a device itself says of a day.
create view {{agg}}.vitals_1d as
select
    device_id,
    local_date::timestamp as bucket,
    max(resting_bpm) as resting_bpm,
    sum(minutes) filter (where zone = 'BELOW_DEFAULT_ZONE_1') as below_zones_minutes,
    sum(minutes) filter (where zone = 'IN_DEFAULT_ZONE_1') as zone_1_minutes,
    sum(minutes) filter (where zone = 'IN_DEFAULT_ZONE_2') as zone_2_minutes,
    sum(minutes) filter (where zone = 'IN_DEFAULT_ZONE_3') as zone_3_minutes,
    sum(minutes) filter (where zone not in
        ('BELOW_DEFAULT_ZONE_1', 'IN_DEFAULT_ZONE_1', 'IN_DEFAULT_ZONE_2', 'IN_DEFAULT_ZONE_3')) as other_zones_minutes
from (
    select device_id, local_date, round(bpm::numeric, 2) as resting_bpm, null::text as zone, null::numeric as minutes
    from {{raw}}.resting_heart_rates
    union all
    select device_id, local_date, null, zone, round(minutes::numeric, 2) from {{raw}}.heart_rate_zones
) said
group by device_id, local_date;
comment on view {{agg}}.vitals_1d is 'Resting heart rate and minutes in zones per device and local day, as the device says.';

create view {{agg}}.activity_1d as
select
    device_id,
    local_date::timestamp as bucket,
    sum(minutes) filter (where level = 'sedentary') as sedentary_minutes,
    sum(minutes) filter (where level = 'lightly_active') as lightly_active_minutes,
    sum(minutes) filter (where level = 'moderately_active') as moderately_active_minutes,
    sum(minutes) filter (where level = 'very_active') as very_active_minutes,
    sum(minutes) filter (where level not in ('sedentary', 'lightly_active', 'moderately_active', 'very_active')) as other_minutes
from {{raw}}.activity_minutes
group by device_id, local_date;
comment on view {{agg}}.activity_1d is 'Minutes by level of activity per device and local day, as the device says.';

do $days$
declare
    of record;
begin
    for of in
        select * from (values
            ('heart_rates', 'valid_readings, bpm_sum, bpm_min, bpm_max, minutes_worn', 'heart_readings',
                'sum(valid_readings)::bigint as valid_readings, sum(bpm_sum)::bigint as bpm_sum, min(bpm_min) as bpm_min,
                max(bpm_max) as bpm_max, sum(minutes_worn)::bigint as minutes_worn', 'Heart rate'),
            ('steps', 'steps, steps_min, steps_max', 'steps_readings',
                'sum(steps)::bigint as steps, min(steps_min) as steps_min, max(steps_max) as steps_max', 'Steps'),
            ('distances', 'distance_mm, distance_mm_min, distance_mm_max', 'distance_readings',
                'sum(distance_mm)::bigint as distance_mm, min(distance_mm_min) as distance_mm_min, max(distance_mm_max) as distance_mm_max', 'Distance'),
            ('calories', 'millikcal, millikcal_min, millikcal_max', 'energy_readings',
                'sum(millikcal)::bigint as millikcal, min(millikcal_min) as millikcal_min, max(millikcal_max) as millikcal_max', 'Energy')
        ) as t(stream, columns, counted, sums, title)
    loop
        execute format($sql$
            create view {{agg}}.user_%1$s_1d as
            select user_id, bucket, sum(readings)::bigint as readings, %4$s
            from (
                select d.user_id, x.bucket, x.readings, %2$s
                from {{agg}}.%1$s_1d x
                join {{raw}}.devices d using (device_id)
                where not exists (select 1 from {{stage}}.shared_days s where s.device_id = x.device_id and s.bucket = x.bucket)
                union all
                select user_id, date_trunc('day', bucket), %3$s, %2$s from {{stage}}.shared_quarters where %3$s > 0
            ) days
            group by user_id, bucket
        $sql$, of.stream, of.columns, of.counted, of.sums);
        execute format('comment on view {{agg}}.user_%s_1d is %L', of.stream, of.title ||
            ' per person and local day; in each 15 minutes the device with more minutes worn counts.');
    end loop;
    -- What is said of a whole day cannot be cut into quarters: the device that was worn longer that day says it.
    foreach of.stream in array array['vitals', 'activity'] loop
        execute format($sql$
            create view {{agg}}.user_%1$s_1d as
            select distinct on (d.user_id, x.bucket) d.user_id, x.*
            from {{agg}}.%1$s_1d x
            join {{raw}}.devices d using (device_id)
            left join {{agg}}.heart_rates_1d h on h.device_id = x.device_id and h.bucket = x.bucket
            order by d.user_id, x.bucket, coalesce(h.minutes_worn, 0) desc, x.device_id
        $sql$, of.stream);
        execute format('comment on view {{agg}}.user_%s_1d is %L', of.stream,
            'Per person and local day what the device says that was worn longest that day, then the one with the smaller id.');
    end loop;
end
$days$;

create function {{stage}}.mean_time(sines double precision, cosines double precision) returns time
language sql immutable parallel safe
return case when sqrt(sines * sines + cosines * cosines) >= 1e-6
    then time '00:00' + make_interval(secs => round((atan2d(sines, cosines) * 240)::numeric, 1)::double precision) end;
comment on function {{stage}}.mean_time is
    'Time of day in the direction of summed sines and cosines, to a tenth of a second; null where they cancel out: the mean of 23:00 and 01:00 is midnight.';

do $figures$
declare
    scope record;
    period record;
begin
    for scope in select * from (values ('', 'device_id', 'device'), ('user_', 'user_id', 'person')) as s(prefix, key, whose) loop
        for period in
            select * from (values
                ('daily', 'day', 'bucket', '1440'),
                ('weekly', 'ISO week (Monday)', 'date_trunc(''week'', bucket)', '10080'),
                ('monthly', 'month', 'date_trunc(''month'', bucket)',
                    '1440 * extract(day from bucket + interval ''1 month'' - interval ''1 day'')')
            ) as p(name, unit, bucket, minutes)
        loop
            execute format($sql$
                create view {{agg}}.%1$s%2$s_heart_rates as
                select
                    %3$s,
                    %4$s as bucket,
                    coalesce(sum(minutes_worn), 0)::bigint as minutes_worn,
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
                from (
                    select
                        %3$s, bucket, minutes_worn, readings, valid_readings, bpm_sum, bpm_min, bpm_max, null::numeric as resting_bpm,
                        null::numeric as below_zones_minutes, null::numeric as zone_1_minutes, null::numeric as zone_2_minutes,
                        null::numeric as zone_3_minutes, null::numeric as other_zones_minutes
                    from {{agg}}.%1$sheart_rates_1d
                    union all
                    select
                        %3$s, bucket, null, null, null, null, null, null, resting_bpm,
                        below_zones_minutes, zone_1_minutes, zone_2_minutes, zone_3_minutes, other_zones_minutes
                    from {{agg}}.%1$svitals_1d
                ) days
                group by %3$s, %4$s
            $sql$, scope.prefix, period.name, scope.key, period.bucket);
            execute format('comment on view {{agg}}.%s%s_heart_rates is %L', scope.prefix, period.name,
                format('Heart rate per %s and %s: read, resting, in zones.', scope.whose, period.unit));

            execute format($sql$
                create view {{agg}}.%1$s%2$s_steps as
                select
                    %3$s,
                    %4$s as bucket,
                    coalesce(sum(minutes_worn), 0)::bigint as minutes_worn,
                    sum(steps)::bigint as steps,
                    max(steps_max) as steps_max,
                    round(sum(distance_mm) / 1000.0, 3) as distance_m,
                    round(sum(millikcal) / 1000.0, 3) as kcal
                from (
                    select %3$s, bucket, steps, steps_max, null::bigint as distance_mm, null::bigint as millikcal, null::bigint as minutes_worn
                    from {{agg}}.%1$ssteps_1d
                    union all
                    select %3$s, bucket, null, null, distance_mm, null, null from {{agg}}.%1$sdistances_1d
                    union all
                    select %3$s, bucket, null, null, null, millikcal, null from {{agg}}.%1$scalories_1d
                    union all
                    select %3$s, bucket, null, null, null, null, minutes_worn from {{agg}}.%1$sheart_rates_1d
                ) days
                group by %3$s, %4$s
                having count(steps) + count(distance_mm) + count(millikcal) > 0
            $sql$, scope.prefix, period.name, scope.key, period.bucket);
            execute format('comment on view {{agg}}.%s%s_steps is %L', scope.prefix, period.name,
                format('Steps, distance and energy per %s and %s.', scope.whose, period.unit));

            execute format($sql$
                create view {{agg}}.%1$s%2$s_activity as
                select
                    %3$s,
                    %4$s as bucket,
                    coalesce(sum(minutes_worn), 0)::bigint as minutes_worn,
                    sum(sedentary_minutes)::bigint as sedentary_minutes,
                    sum(lightly_active_minutes)::bigint as lightly_active_minutes,
                    sum(moderately_active_minutes)::bigint as moderately_active_minutes,
                    sum(very_active_minutes)::bigint as very_active_minutes,
                    sum(other_minutes)::bigint as other_minutes
                from (
                    select
                        %3$s, bucket, true as is_said, sedentary_minutes, lightly_active_minutes, moderately_active_minutes,
                        very_active_minutes, other_minutes, null::bigint as minutes_worn
                    from {{agg}}.%1$sactivity_1d
                    union all
                    select %3$s, bucket, false, null, null, null, null, null, minutes_worn from {{agg}}.%1$sheart_rates_1d
                ) days
                group by %3$s, %4$s
                having bool_or(is_said)
            $sql$, scope.prefix, period.name, scope.key, period.bucket);
            execute format('comment on view {{agg}}.%s%s_activity is %L', scope.prefix, period.name,
                format('Minutes by level of activity per %s and %s.', scope.whose, period.unit));

            execute format($sql$
                create view {{agg}}.%1$s%2$s_sleeps as
                select
                    %3$s,
                    %4$s as bucket,
                    coalesce(sum(minutes_worn), 0)::bigint as minutes_worn,
                    count(is_main) as sleeps,
                    count(*) filter (where not is_main) as naps,
                    sum(minutes_asleep)::bigint as minutes_asleep,
                    sum(minutes_asleep) filter (where is_main)::bigint as minutes_asleep_main,
                    sum(time_in_bed_minutes)::bigint as minutes_in_bed,
                    sum(deep_minutes) as deep_minutes,
                    sum(light_minutes) as light_minutes,
                    sum(rem_minutes) as rem_minutes,
                    sum(wake_minutes) as wake_minutes,
                    round(sum(deep_minutes) / nullif(sum(staged_minutes), 0), 4) as deep_share,
                    round(sum(light_minutes) / nullif(sum(staged_minutes), 0), 4) as light_share,
                    round(sum(rem_minutes) / nullif(sum(staged_minutes), 0), 4) as rem_share,
                    round(sum(wake_minutes) filter (where staged_minutes > 0) / nullif(sum(staged_minutes), 0), 4) as wake_share,
                    {{stage}}.mean_time(
                        sum(sind(extract(epoch from start_time)::double precision / 240)) filter (where is_main),
                        sum(cosd(extract(epoch from start_time)::double precision / 240)) filter (where is_main)) as bedtime,
                    {{stage}}.mean_time(
                        sum(sind(extract(epoch from end_time)::double precision / 240)) filter (where is_main),
                        sum(cosd(extract(epoch from end_time)::double precision / 240)) filter (where is_main)) as wake_time,
                    coalesce(sum(sleep_valid_readings), 0)::bigint as sleep_valid_readings,
                    round(sum(sleep_bpm_sum)::numeric / nullif(sum(sleep_valid_readings), 0), 2) as avg_sleep_bpm,
                    min(sleep_bpm_min) as sleep_bpm_min,
                    max(sleep_bpm_max) as sleep_bpm_max,
                    round(avg(overall_score), 1) as sleep_score
                from (
                    select
                        %3$s, sleep_date::timestamp as bucket, main_sleep as is_main, minutes_asleep, time_in_bed_minutes,
                        deep_minutes, light_minutes, rem_minutes, wake_minutes,
                        case when type = 'stages' then coalesce(deep_minutes, 0) + coalesce(light_minutes, 0)
                            + coalesce(rem_minutes, 0) + coalesce(wake_minutes, 0) end as staged_minutes,
                        start_local::time as start_time, end_local::time as end_time,
                        sleep_valid_readings, sleep_bpm_sum, sleep_bpm_min, sleep_bpm_max, overall_score, null::bigint as minutes_worn
                    from {{stage}}.%1$ssleeps
                    union all
                    select
                        %3$s, bucket, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, minutes_worn
                    from {{agg}}.%1$sheart_rates_1d
                ) days
                group by %3$s, %4$s
                having count(is_main) > 0
            $sql$, scope.prefix, period.name, scope.key, period.bucket);
            execute format('comment on view {{agg}}.%s%s_sleeps is %L', scope.prefix, period.name,
                format('Sleep per %s and %s; a sleep belongs to the date on which it ended.', scope.whose, period.unit));

            execute format($sql$
                create view {{agg}}.%1$s%2$s_exercises as
                select
                    %3$s,
                    %4$s as bucket,
                    coalesce(sum(minutes_worn), 0)::bigint as minutes_worn,
                    count(duration_minutes) as exercises,
                    sum(duration_minutes) as exercise_minutes,
                    sum(active_minutes) as active_minutes,
                    sum(exercise_kcal) as exercise_kcal,
                    sum(exercise_steps)::bigint as exercise_steps,
                    sum(exercise_distance_m) as exercise_distance_m,
                    round(sum(average_heart_rate * duration_minutes)
                        / nullif(sum(duration_minutes) filter (where average_heart_rate is not null), 0), 1) as avg_exercise_bpm
                from (
                    select
                        %3$s, exercise_date::timestamp as bucket, duration_minutes, active_minutes, kcal as exercise_kcal,
                        steps as exercise_steps, distance_m as exercise_distance_m, average_heart_rate, null::bigint as minutes_worn
                    from {{stage}}.%1$sexercises
                    union all
                    select %3$s, bucket, null, null, null, null, null, null, minutes_worn from {{agg}}.%1$sheart_rates_1d
                ) days
                group by %3$s, %4$s
                having count(duration_minutes) > 0
            $sql$, scope.prefix, period.name, scope.key, period.bucket);
            execute format('comment on view {{agg}}.%s%s_exercises is %L', scope.prefix, period.name,
                format('Exercises per %s and %s; an exercise belongs to the day on which it began.', scope.whose, period.unit));

            -- Rows laid under each other, not joins: a filter on a device or a period reaches every source.
            execute format($sql$
                create view {{agg}}.%1$s%2$s_summary as
                select
                    %3$s,
                    bucket,
                    max(minutes_worn) as minutes_worn,
                    round(max(minutes_worn)::numeric / (%4$s), 4) as worn_share,
                    max(valid_readings) as valid_readings,
                    max(bpm_min) as bpm_min,
                    max(bpm_max) as bpm_max,
                    max(bpm_avg) as bpm_avg,
                    max(resting_bpm) as resting_bpm,
                    max(steps) as steps,
                    max(distance_m) as distance_m,
                    max(kcal) as kcal,
                    max(sedentary_minutes) as sedentary_minutes,
                    max(lightly_active_minutes) as lightly_active_minutes,
                    max(moderately_active_minutes) as moderately_active_minutes,
                    max(very_active_minutes) as very_active_minutes,
                    max(sleeps) as sleeps,
                    max(naps) as naps,
                    max(minutes_asleep) as minutes_asleep,
                    max(minutes_in_bed) as minutes_in_bed,
                    max(avg_sleep_bpm) as avg_sleep_bpm,
                    max(exercises) as exercises,
                    max(exercise_minutes) as exercise_minutes
                from (
                    select
                        %3$s, bucket, minutes_worn, valid_readings, bpm_min, bpm_max, bpm_avg, resting_bpm,
                        null::bigint as steps, null::numeric as distance_m, null::numeric as kcal,
                        null::bigint as sedentary_minutes, null::bigint as lightly_active_minutes,
                        null::bigint as moderately_active_minutes, null::bigint as very_active_minutes,
                        null::bigint as sleeps, null::bigint as naps, null::bigint as minutes_asleep, null::bigint as minutes_in_bed,
                        null::numeric as avg_sleep_bpm, null::bigint as exercises, null::numeric as exercise_minutes
                    from {{agg}}.%1$s%2$s_heart_rates
                    union all
                    select
                        %3$s, bucket, minutes_worn, null, null, null, null, null, steps, distance_m, kcal,
                        null, null, null, null, null, null, null, null, null, null, null
                    from {{agg}}.%1$s%2$s_steps
                    union all
                    select
                        %3$s, bucket, minutes_worn, null, null, null, null, null, null, null, null,
                        sedentary_minutes, lightly_active_minutes, moderately_active_minutes, very_active_minutes,
                        null, null, null, null, null, null, null
                    from {{agg}}.%1$s%2$s_activity
                    union all
                    select
                        %3$s, bucket, minutes_worn, null, null, null, null, null, null, null, null, null, null, null, null,
                        sleeps, naps, minutes_asleep, minutes_in_bed, avg_sleep_bpm, null, null
                    from {{agg}}.%1$s%2$s_sleeps
                    union all
                    select
                        %3$s, bucket, minutes_worn, null, null, null, null, null, null, null, null, null, null, null, null,
                        null, null, null, null, null, exercises, exercise_minutes
                    from {{agg}}.%1$s%2$s_exercises
                ) figures
                group by %3$s, bucket
            $sql$, scope.prefix, period.name, scope.key, period.minutes);
            execute format('comment on view {{agg}}.%s%s_summary is %L', scope.prefix, period.name,
                format('One row per %s and %s with anything at all; minutes worn say how much the figures rest on.',
                    scope.whose, period.unit));
        end loop;
    end loop;
end
$figures$;
