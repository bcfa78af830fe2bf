-- The last nights.
select sleep_date, start_local, end_local, efficiency, deep_minutes, light_minutes, rem_minutes, wake_minutes, avg_sleep_bpm
from stage.user_sleeps where user_id = '{user}' and main_sleep order by ends_at desc limit 7
