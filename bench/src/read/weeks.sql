-- Weeks that rest on some data, all people side by side.
select date_trunc('week', bucket)::date as week, user_id, sum(steps) as steps, sum(minutes_asleep) as minutes_asleep,
    sum(exercise_minutes) as exercise_minutes
from agg.stored_user_days where user_id = any ('{people}')
group by 1, 2 having sum(minutes_worn) >= 1008 order by 1, 2
