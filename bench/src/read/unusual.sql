-- Days that are unlike the person.
select user_id, bucket::date, resting_bpm, resting_bpm_28d, resting_bpm_deviation
from agg.user_daily_baselines where resting_bpm_deviation >= 0 and resting_bpm_days_28d >= 1 and user_id = any ('{people}')
order by user_id, bucket
