-- A person's last days.
select bucket::date, worn_share, steps, bpm_avg, resting_bpm, minutes_asleep, avg_sleep_bpm
from agg.user_daily_summary where user_id = '{user}' order by bucket desc limit 14
