-- Means over the people of an age group by 'day', 'week' or 'month' ($3), from $1 to before $2. Age is whole years lived:
-- birthdays passed, not differences of days.
with summaries as (
    select * from agg.user_daily_summary where $3 = 'day' and bucket >= $1 and bucket < $2
    union all
    select * from agg.user_weekly_summary where $3 = 'week' and bucket >= $1 and bucket < $2
    union all
    select * from agg.user_monthly_summary where $3 = 'month' and bucket >= $1 and bucket < $2
), groups(age_group, low, high) as (
    values
        ('under 18', -10000, 17),
        ('18-24', 18, 24),
        ('25-34', 25, 34),
        ('35-44', 35, 44),
        ('45-54', 45, 54),
        ('55-64', 55, 64),
        ('over 64', 65, 10000)
)
select
    g.age_group,
    s.bucket,
    count(*) as people,
    round(sum(minutes_worn)::numeric / nullif(count(minutes_worn), 0), 1) as minutes_worn,
    round(sum(steps)::numeric / nullif(count(steps), 0), 1) as steps,
    round(sum(distance_m)::numeric / nullif(count(distance_m), 0), 1) as distance_m,
    round(sum(kcal)::numeric / nullif(count(kcal), 0), 1) as kcal,
    round(sum(bpm_avg)::numeric / nullif(count(bpm_avg), 0), 2) as bpm_avg,
    round(sum(resting_bpm)::numeric / nullif(count(resting_bpm), 0), 2) as resting_bpm,
    round(sum(minutes_asleep)::numeric / nullif(count(minutes_asleep), 0), 1) as minutes_asleep,
    round(sum(avg_sleep_bpm)::numeric / nullif(count(avg_sleep_bpm), 0), 2) as avg_sleep_bpm,
    round(sum(exercise_minutes)::numeric / nullif(count(exercise_minutes), 0), 1) as exercise_minutes
from summaries s
join raw.users u using (user_id)
cross join lateral (
    select date_part('year', s.bucket)::int - date_part('year', u.date_of_birth)::int
        - (to_char(s.bucket, 'MMDD') < to_char(u.date_of_birth, 'MMDD'))::int as years
) a
join groups g on a.years between g.low and g.high
group by 1, 2
