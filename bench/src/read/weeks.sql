-- Weeks that rest on some data, everybody side by side.
select bucket::date, user_id, steps, minutes_asleep, exercise_minutes
from agg.user_weekly_summary where worn_share >= 0.1 and user_id = any ('{people}') order by bucket, user_id
