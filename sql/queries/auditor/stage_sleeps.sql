-- Every sleep with its heart rate and score, whether it counts or not.
select
    a.device_id,
    a.log_id,
    a.start_local,
    a.end_local,
    to_timestamp(extract(epoch from a.start_local) - 60 * a.start_utc_offset_minutes) as starts_at,
    to_timestamp(extract(epoch from a.end_local) - 60 * a.end_utc_offset_minutes) as ends_at,
    a.start_utc_offset_minutes,
    a.end_utc_offset_minutes,
    date_trunc('day', a.end_local)::date as sleep_date,
    a.main_sleep,
    a.type,
    a.log_type,
    a.info_code,
    a.minutes_to_fall_asleep,
    a.minutes_asleep,
    a.minutes_awake,
    a.minutes_after_wakeup,
    a.time_in_bed_minutes,
    a.efficiency as efficiency_fitbit,
    case when a.time_in_bed_minutes <> 0
        then round(a.minutes_asleep * 100 / a.time_in_bed_minutes::numeric, 1) end as efficiency,
    (select overall_score from raw.sleep_scores c where (c.device_id, c.log_id) = (a.device_id, a.log_id)) as overall_score,
    f.readings as sleep_readings,
    f.valid_readings as sleep_valid_readings,
    f.bpm_sum as sleep_bpm_sum,
    f.bpm_min as sleep_bpm_min,
    f.bpm_max as sleep_bpm_max,
    case when f.valid_readings > 0 then round(f.bpm_sum / f.valid_readings::numeric, 2) end as avg_sleep_bpm
from raw.sleeps a
left join stage.sleep_heart_rates f on (f.device_id, f.log_id) = (a.device_id, a.log_id)
