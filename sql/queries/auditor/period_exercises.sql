-- Exercises of devices by 'day', 'week' or 'month' ($3), from $1 to before $2. An
-- exercise belongs to the day on which it began.
select
    owner,
    bucket,
    count(*) as exercises,
    sum(duration_minutes) as exercise_minutes,
    sum(active_minutes) as active_minutes,
    sum(kcal) as exercise_kcal,
    sum(steps)::bigint as exercise_steps,
    sum(distance_m) as exercise_distance_m,
    case when sum(case when average_heart_rate is not null then duration_minutes end) > 0
        then round(sum(average_heart_rate * duration_minutes)
            / sum(case when average_heart_rate is not null then duration_minutes end), 1) end as avg_exercise_bpm
from (
    select
        device_id as owner, date_trunc($3, exercise_date::timestamp) as bucket,
        duration_minutes, active_minutes, kcal, steps, distance_m, average_heart_rate
    from stage.exercises
    where exercise_date >= $1::date and exercise_date < $2::date
) days
group by 1, 2
