-- The same from raw.
with {nights}
select end_local::date, start_local, end_local, round(100.0 * minutes_asleep / nullif(time_in_bed_minutes, 0), 1), deep, light, rem, wake,
    round(bpm_sum::numeric / nullif(valid, 0), 2)
from nights left join asleep using (log_id) where main_sleep order by ends_at desc limit 7
