-- Means over the people of an age group by 'day', 'week' or 'month' ($3), from $1 to before $2, of days that were worn for 60 %. Age
-- is whole years lived: birthdays passed, not differences of days. What fewer people have than are shown is left out.
with people as (
    select
        user_id,
        date_trunc($3, bucket) as bucket,
        count(*) as days,
        avg(minutes_worn) as minutes_worn,
        avg(steps) as steps,
        avg(distance_mm) / 1000 as distance_m,
        avg(millikcal) / 1000 as kcal,
        avg(case when valid_readings > 0 then bpm_sum / valid_readings::numeric end) as bpm_avg,
        avg(resting_bpm) as resting_bpm,
        avg(minutes_asleep) as minutes_asleep,
        avg(case when sleep_valid_readings > 0 then sleep_bpm_sum / sleep_valid_readings::numeric end) as avg_sleep_bpm,
        avg(exercise_minutes) as exercise_minutes
    from agg.stored_user_days
    where bucket >= $1 and bucket < $2 and minutes_worn * 10 >= 1440 * 6
    group by 1, 2
), groups(age_group, low, high) as (
    values
        ('under 18', -10000, 17),
        ('18-24', 18, 24),
        ('25-34', 25, 34),
        ('35-44', 35, 44),
        ('45-54', 45, 54),
        ('55-64', 55, 64),
        ('over 64', 65, 10000)
), figures as (
    select
        g.age_group,
        p.*
    from people p
    join raw.users u using (user_id)
    cross join lateral (
        select date_part('year', p.bucket)::int - date_part('year', u.date_of_birth)::int
            - (to_char(p.bucket, 'MMDD') < to_char(u.date_of_birth, 'MMDD'))::int as years
    ) a
    join groups g on a.years between g.low and g.high
), least_people as (
    select min_group as shown from ops.settings
)
select
    age_group,
    bucket,
    count(*) as people,
    sum(days)::bigint as valid_days,
    count(minutes_worn) as minutes_worn_people,
    count(steps) as steps_people,
    count(distance_m) as distance_m_people,
    count(kcal) as kcal_people,
    count(bpm_avg) as bpm_avg_people,
    count(resting_bpm) as resting_bpm_people,
    count(minutes_asleep) as minutes_asleep_people,
    count(avg_sleep_bpm) as avg_sleep_bpm_people,
    count(exercise_minutes) as exercise_minutes_people,
    case when count(minutes_worn) >= max(shown) then round(sum(minutes_worn) / count(minutes_worn), 1) end as minutes_worn,
    case when count(steps) >= max(shown) then round(sum(steps) / count(steps), 1) end as steps,
    case when count(distance_m) >= max(shown) then round(sum(distance_m) / count(distance_m), 1) end as distance_m,
    case when count(kcal) >= max(shown) then round(sum(kcal) / count(kcal), 1) end as kcal,
    case when count(bpm_avg) >= max(shown) then round(sum(bpm_avg) / count(bpm_avg), 2) end as bpm_avg,
    case when count(resting_bpm) >= max(shown) then round(sum(resting_bpm) / count(resting_bpm), 2) end as resting_bpm,
    case when count(minutes_asleep) >= max(shown) then round(sum(minutes_asleep) / count(minutes_asleep), 1) end as minutes_asleep,
    case when count(avg_sleep_bpm) >= max(shown) then round(sum(avg_sleep_bpm) / count(avg_sleep_bpm), 2) end as avg_sleep_bpm,
    case when count(exercise_minutes) >= max(shown)
        then round(sum(exercise_minutes) / count(exercise_minutes), 1) end as exercise_minutes
from figures
cross join least_people
group by 1, 2
having count(*) >= max(shown)
