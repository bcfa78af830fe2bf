-- Every figure of a person's day, from $1 to before $2. Days do not matter to who speaks: at each instant it is the device with the
-- better quarter of an hour.
with owned as (
    select o.user_id, q.*, greatest(q.steps, q.distance_mm, 0) > 0 as has_moved
    from stage.quarters q
    join raw.device_owners o on o.device_id = q.device_id and daterange(o.from_day, o.until_day) @> q.bucket::date
    where q.bucket >= $1::timestamp - interval '3 days' and q.bucket < $2::timestamp + interval '3 days'
), heard as (
    select *, first_value(device_id) over (
        partition by user_id, starts_at order by minutes_worn desc, has_moved desc, device_id) as speaker
    from owned
), spoken as materialized (
    select *, date_trunc('day', bucket) as day
    from heard
    where device_id = speaker and bucket >= $1 and bucket < $2
), heart as (
    select user_id, day as bucket, sum(minutes_worn)::bigint as minutes_worn, sum(heart_readings)::bigint as readings,
        sum(valid_readings)::bigint as valid_readings, sum(bpm_sum)::bigint as bpm_sum, min(bpm_min) as bpm_min, max(bpm_max) as bpm_max
    from spoken
    where heart_readings is not null
    group by 1, 2
), moved as (
    select user_id, day as bucket, sum(steps)::bigint as steps, max(steps_max) as steps_max, sum(distance_mm)::bigint as distance_mm,
        sum(millikcal)::bigint as millikcal
    from spoken
    where coalesce(steps_readings, distance_readings, energy_readings) is not null
    group by 1, 2
), said as materialized (
    select o.user_id, k.device_id, k.bucket,
        coalesce((select h.minutes_worn from agg.heart_rates_1d h where (h.device_id, h.bucket) = (k.device_id, k.bucket)), 0) as worn
    from (
        select device_id, bucket from agg.vitals_1d where bucket >= $1 and bucket < $2
        union
        select device_id, bucket from agg.activity_1d where bucket >= $1 and bucket < $2
    ) k
    join raw.device_owners o on o.device_id = k.device_id and daterange(o.from_day, o.until_day) @> k.bucket::date
), vitals as (
    select s.user_id, s.worn, v.*
    from said s
    join agg.vitals_1d v using (device_id, bucket)
), activity as (
    select s.user_id, s.worn, a.*
    from said s
    join agg.activity_1d a using (device_id, bucket)
), nights as (
    select
        user_id,
        sleep_date::timestamp as bucket,
        count(*) as sleeps,
        sum((not main_sleep)::int)::bigint as naps,
        sum(minutes_asleep)::bigint as minutes_asleep,
        sum(case when main_sleep then minutes_asleep end)::bigint as minutes_asleep_main,
        sum(time_in_bed_minutes)::bigint as minutes_in_bed,
        sum(deep_minutes) as deep_minutes,
        sum(light_minutes) as light_minutes,
        sum(rem_minutes) as rem_minutes,
        sum(wake_minutes) as wake_minutes,
        sum(staged) as staged_minutes,
        sum(case when staged > 0 then wake_minutes end) as staged_wake_minutes,
        sum(sleep_valid_readings)::bigint as sleep_valid_readings,
        sum(sleep_bpm_sum)::bigint as sleep_bpm_sum,
        min(sleep_bpm_min) as sleep_bpm_min,
        max(sleep_bpm_max) as sleep_bpm_max,
        count(overall_score) as sleep_scores,
        sum(overall_score)::bigint as sleep_score_sum
    from (
        select *, case when type = 'stages'
            then (select sum(k) from unnest(array[deep_minutes, light_minutes, rem_minutes, wake_minutes, 0]) k) end as staged
        from stage.user_sleeps
        where sleep_date >= $1::date and sleep_date < $2::date
    ) s
    group by 1, 2
), exercised as (
    select
        user_id,
        exercise_date::timestamp as bucket,
        count(*) as exercises,
        sum(duration_minutes) as exercise_minutes,
        sum(active_minutes) as active_minutes,
        sum(kcal) as exercise_kcal,
        sum(steps)::bigint as exercise_steps,
        sum(distance_m) as exercise_distance_m,
        sum(average_heart_rate * duration_minutes) as exercise_bpm_minutes,
        sum(case when average_heart_rate is not null then duration_minutes end) as exercise_minutes_with_bpm
    from stage.user_exercises
    where exercise_date >= $1::date and exercise_date < $2::date
    group by 1, 2
), keys as (
    select user_id, bucket from heart
    union
    select user_id, bucket from moved
    union
    select user_id, bucket from said
    union
    select user_id, bucket from nights
    union
    select user_id, bucket from exercised
)
select
    k.*,
    k.bucket::date >= (select open_from from ops.open_days) as is_open,
    h.minutes_worn, h.readings, h.valid_readings, h.bpm_sum, h.bpm_min, h.bpm_max,
    v.device_id as vitals_device_id, v.resting_bpm, v.below_zones_minutes, v.zone_1_minutes, v.zone_2_minutes, v.zone_3_minutes,
    v.other_zones_minutes,
    m.steps, m.steps_max, m.distance_mm, m.millikcal,
    a.device_id as activity_device_id, a.sedentary_minutes, a.lightly_active_minutes, a.moderately_active_minutes,
    a.very_active_minutes, a.other_minutes,
    n.sleeps, n.naps, n.minutes_asleep, n.minutes_asleep_main, n.minutes_in_bed, n.deep_minutes, n.light_minutes, n.rem_minutes,
    n.wake_minutes, n.staged_minutes, n.staged_wake_minutes, n.sleep_valid_readings, n.sleep_bpm_sum, n.sleep_bpm_min,
    n.sleep_bpm_max, n.sleep_scores, n.sleep_score_sum,
    e.exercises, e.exercise_minutes, e.active_minutes, e.exercise_kcal, e.exercise_steps, e.exercise_distance_m,
    e.exercise_bpm_minutes, e.exercise_minutes_with_bpm
from keys k
left join heart h using (user_id, bucket)
left join moved m using (user_id, bucket)
left join vitals v on (v.user_id, v.bucket) = (k.user_id, k.bucket) and not exists (
    select from vitals o
    where (o.user_id, o.bucket) = (v.user_id, v.bucket) and (o.worn > v.worn or o.worn = v.worn and o.device_id < v.device_id))
left join activity a on (a.user_id, a.bucket) = (k.user_id, k.bucket) and not exists (
    select from activity o
    where (o.user_id, o.bucket) = (a.user_id, a.bucket) and (o.worn > a.worn or o.worn = a.worn and o.device_id < a.device_id))
left join nights n on (n.user_id, n.bucket) = (k.user_id, k.bucket)
left join exercised e on (e.user_id, e.bucket) = (k.user_id, k.bucket)
