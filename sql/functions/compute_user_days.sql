-- The days of people, from the relations of their devices: every figure of a local day as sums and counts.
--
-- Who wears one device has its days. Where a person has several near each other, each quarter of an hour is taken from the
-- device that was worn longer in it, then from one that moved, then from the one with the smaller id. What is said of a whole
-- day comes from the device that was worn longer that day.
create or replace function {{stage}}.compute_user_days(of_users uuid[], low date, high date)
returns setof {{agg}}.stored_user_days
-- Planned with its days each time: a plan for any days would look into every chunk.
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan as $days$
declare
    worn uuid[];
    lone uuid[];
    several uuid[];
    first timestamp := low;
    last timestamp := high;
begin
    -- Offsets differ by 36 hours at most: quarters whose days lie 3 apart never share an instant. A device that passes from somebody
    -- who has no other one to somebody who has is read once, by its quarters.
    select
        array_agg(device_id),
        coalesce(array_agg(device_id) filter (where devices = 1), '{}'),
        coalesce(array_agg(device_id) filter (where devices > 1), '{}')
    into worn, lone, several
    from (
        select device_id, max(devices) as devices
        from (
            select o.device_id, count(*) over (partition by o.user_id) as devices
            from {{raw}}.device_owners o
            where o.user_id = any(of_users) and o.from_day < high + 2 and o.until_day > low - 2
        ) spans
        group by device_id
    ) near;
    return query
    with owned as materialized (
        select o.user_id, o.device_id, o.from_day::timestamp as from_day, o.until_day::timestamp as until_day
        from {{raw}}.device_owners o
        where o.user_id = any(of_users)
    ), instants as materialized (
        select
            o.user_id,
            q.*,
            first_value(q.device_id) over (partition by o.user_id, q.starts_at order by q.minutes_worn desc,
                coalesce(q.steps > 0, false) or coalesce(q.distance_mm > 0, false) desc, q.device_id) as speaker
        from {{stage}}.quarters q
        join owned o on o.device_id = q.device_id and q.bucket >= o.from_day and q.bucket < o.until_day
        where q.device_id = any(several) and q.bucket >= first - interval '2 days' and q.bucket < last + interval '2 days'
    ), spoken as materialized (
        select i.*, date_trunc('day', i.bucket) as day
        from instants i
        where i.device_id = i.speaker and i.bucket >= first and i.bucket < last
    ), heart as (
        select
            x.user_id,
            x.bucket,
            sum(x.minutes_worn)::bigint as minutes_worn,
            sum(x.readings)::bigint as readings,
            sum(x.valid_readings)::bigint as valid_readings,
            sum(x.bpm_sum)::bigint as bpm_sum,
            min(x.bpm_min) as bpm_min,
            max(x.bpm_max) as bpm_max
        from (
            select o.user_id, h.bucket, h.minutes_worn, h.readings, h.valid_readings, h.bpm_sum, h.bpm_min, h.bpm_max
            from {{agg}}.heart_rates_1d h
            join owned o on o.device_id = h.device_id and h.bucket >= o.from_day and h.bucket < o.until_day
            where h.device_id = any(lone) and h.bucket >= first and h.bucket < last
            union all
            select user_id, day, minutes_worn, heart_readings, valid_readings, bpm_sum, bpm_min, bpm_max
            from spoken where heart_readings > 0
        ) x
        group by x.user_id, x.bucket
    ), steps as (
        select x.user_id, x.bucket, sum(x.steps)::bigint as steps, max(x.steps_max) as steps_max
        from (
            select o.user_id, s.bucket, s.steps, s.steps_max
            from {{agg}}.steps_1d s
            join owned o on o.device_id = s.device_id and s.bucket >= o.from_day and s.bucket < o.until_day
            where s.device_id = any(lone) and s.bucket >= first and s.bucket < last
            union all
            select user_id, day, steps, steps_max from spoken where steps_readings > 0
        ) x
        group by x.user_id, x.bucket
    ), distances as (
        select x.user_id, x.bucket, sum(x.distance_mm)::bigint as distance_mm
        from (
            select o.user_id, d.bucket, d.distance_mm
            from {{agg}}.distances_1d d
            join owned o on o.device_id = d.device_id and d.bucket >= o.from_day and d.bucket < o.until_day
            where d.device_id = any(lone) and d.bucket >= first and d.bucket < last
            union all
            select user_id, day, distance_mm from spoken where distance_readings > 0
        ) x
        group by x.user_id, x.bucket
    ), calories as (
        select x.user_id, x.bucket, sum(x.millikcal)::bigint as millikcal
        from (
            select o.user_id, c.bucket, c.millikcal
            from {{agg}}.calories_1d c
            join owned o on o.device_id = c.device_id and c.bucket >= o.from_day and c.bucket < o.until_day
            where c.device_id = any(lone) and c.bucket >= first and c.bucket < last
            union all
            select user_id, day, millikcal from spoken where energy_readings > 0
        ) x
        group by x.user_id, x.bucket
    ), wearing as materialized (
        select h.device_id, h.bucket, h.minutes_worn
        from {{agg}}.heart_rates_1d h
        where h.device_id = any(several) and h.bucket >= first and h.bucket < last
    ), vitals as (
        select distinct on (o.user_id, v.bucket)
            o.user_id, v.bucket, v.device_id as vitals_device_id, v.resting_bpm, v.below_zones_minutes,
            v.zone_1_minutes, v.zone_2_minutes, v.zone_3_minutes, v.other_zones_minutes
        from {{agg}}.vitals_1d v
        join owned o on o.device_id = v.device_id and v.bucket >= o.from_day and v.bucket < o.until_day
        left join wearing w on w.device_id = v.device_id and w.bucket = v.bucket
        where v.device_id = any(worn) and v.local_date >= low and v.local_date < high
        order by o.user_id, v.bucket, coalesce(w.minutes_worn, 0) desc, v.device_id
    ), activity as (
        select distinct on (o.user_id, a.bucket)
            o.user_id, a.bucket, a.device_id as activity_device_id, a.sedentary_minutes, a.lightly_active_minutes,
            a.moderately_active_minutes, a.very_active_minutes, a.other_minutes
        from {{agg}}.activity_1d a
        join owned o on o.device_id = a.device_id and a.bucket >= o.from_day and a.bucket < o.until_day
        left join wearing w on w.device_id = a.device_id and w.bucket = a.bucket
        where a.device_id = any(worn) and a.local_date >= low and a.local_date < high
        order by o.user_id, a.bucket, coalesce(w.minutes_worn, 0) desc, a.device_id
    ), sleeps as (
        select
            s.user_id,
            s.sleep_date::timestamp as bucket,
            count(*) as sleeps,
            count(*) filter (where not s.main_sleep) as naps,
            sum(s.minutes_asleep) as minutes_asleep,
            sum(s.minutes_asleep) filter (where s.main_sleep) as minutes_asleep_main,
            sum(s.time_in_bed_minutes) as minutes_in_bed,
            sum(s.deep_minutes) as deep_minutes,
            sum(s.light_minutes) as light_minutes,
            sum(s.rem_minutes) as rem_minutes,
            sum(s.wake_minutes) as wake_minutes,
            sum(g.minutes) as staged_minutes,
            sum(s.wake_minutes) filter (where g.minutes > 0) as staged_wake_minutes,
            sum(sind(extract(epoch from s.start_local::time)::double precision / 240)) filter (where s.main_sleep) as bed_sine,
            sum(cosd(extract(epoch from s.start_local::time)::double precision / 240)) filter (where s.main_sleep) as bed_cosine,
            sum(sind(extract(epoch from s.end_local::time)::double precision / 240)) filter (where s.main_sleep) as wake_sine,
            sum(cosd(extract(epoch from s.end_local::time)::double precision / 240)) filter (where s.main_sleep) as wake_cosine,
            sum(s.sleep_valid_readings)::bigint as sleep_valid_readings,
            sum(s.sleep_bpm_sum)::bigint as sleep_bpm_sum,
            min(s.sleep_bpm_min) as sleep_bpm_min,
            max(s.sleep_bpm_max) as sleep_bpm_max,
            count(s.overall_score) as sleep_scores,
            sum(s.overall_score)::bigint as sleep_score_sum
        from {{stage}}.user_sleeps s
        cross join lateral (
            select case when s.type = 'stages' then coalesce(s.deep_minutes, 0) + coalesce(s.light_minutes, 0)
                + coalesce(s.rem_minutes, 0) + coalesce(s.wake_minutes, 0) end as minutes
        ) g
        where s.user_id = any(of_users) and s.end_local >= first and s.end_local < last
        group by s.user_id, s.sleep_date
    ), exercises as (
        select
            e.user_id,
            e.exercise_date::timestamp as bucket,
            count(*) as exercises,
            sum(e.duration_minutes) as exercise_minutes,
            sum(e.active_minutes) as active_minutes,
            sum(e.kcal) as exercise_kcal,
            sum(e.steps) as exercise_steps,
            sum(e.distance_m) as exercise_distance_m,
            sum(e.average_heart_rate * e.duration_minutes) as exercise_bpm_minutes,
            sum(e.duration_minutes) filter (where e.average_heart_rate is not null) as exercise_minutes_with_bpm
        from {{stage}}.user_exercises e
        where e.user_id = any(of_users) and e.start_local >= first and e.start_local < last
        group by e.user_id, e.exercise_date
    )
    select
        user_id, bucket, bucket >= (select o.open_from from {{ops}}.open_days o), now(),
        h.minutes_worn, h.readings, h.valid_readings, h.bpm_sum, h.bpm_min, h.bpm_max,
        v.vitals_device_id, v.resting_bpm, v.below_zones_minutes, v.zone_1_minutes, v.zone_2_minutes, v.zone_3_minutes,
        v.other_zones_minutes,
        s.steps, s.steps_max, d.distance_mm, c.millikcal,
        a.activity_device_id, a.sedentary_minutes, a.lightly_active_minutes, a.moderately_active_minutes, a.very_active_minutes,
        a.other_minutes,
        n.sleeps, n.naps, n.minutes_asleep, n.minutes_asleep_main, n.minutes_in_bed, n.deep_minutes, n.light_minutes,
        n.rem_minutes, n.wake_minutes, n.staged_minutes, n.staged_wake_minutes, n.bed_sine, n.bed_cosine, n.wake_sine,
        n.wake_cosine, n.sleep_valid_readings, n.sleep_bpm_sum, n.sleep_bpm_min, n.sleep_bpm_max, n.sleep_scores,
        n.sleep_score_sum,
        e.exercises, e.exercise_minutes, e.active_minutes, e.exercise_kcal, e.exercise_steps, e.exercise_distance_m,
        e.exercise_bpm_minutes, e.exercise_minutes_with_bpm
    from heart h
    full join steps s using (user_id, bucket)
    full join distances d using (user_id, bucket)
    full join calories c using (user_id, bucket)
    full join vitals v using (user_id, bucket)
    full join activity a using (user_id, bucket)
    full join sleeps n using (user_id, bucket)
    full join exercises e using (user_id, bucket);
end
$days$;
