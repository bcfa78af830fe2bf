-- A day in quarters of an hour.
select starts_at, bpm_sum::numeric / nullif(valid_readings, 0) as bpm, bpm_min, bpm_max
from stage.heart_rates_15m where device_id = '{device}' and bucket >= '{day}' and bucket < date '{day}' + 1 order by starts_at
