-- When somebody goes to bed and gets up.
select bucket::date as month, bedtime, wake_time, deep_share, rem_share, sleep_score
from agg.user_monthly_sleeps where user_id = '{user}' order by bucket
