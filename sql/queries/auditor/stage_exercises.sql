-- Every exercise, whether it counts or not.
select
    a.device_id,
    a.log_id,
    a.start_local,
    a.end_local,
    to_timestamp(extract(epoch from a.start_local) - 60 * a.start_utc_offset_minutes) as starts_at,
    to_timestamp(extract(epoch from a.end_local) - 60 * a.end_utc_offset_minutes) as ends_at,
    date_trunc('day', a.start_local)::date as exercise_date,
    a.activity_name,
    a.log_type,
    round(a.duration_ms::numeric / 60000, 2) as duration_minutes,
    round(a.active_duration_ms::numeric / 60000, 2) as active_minutes,
    a.average_heart_rate,
    round(a.calories::numeric, 3) as kcal,
    a.steps,
    case
        when a.distance_unit = 'Kilometer' then round(a.distance::numeric * 1000, 1)
        when a.distance_unit = 'Mile' then round(a.distance::numeric * 1609.344, 1)
    end as distance_m,
    a.has_gps
from raw.exercises a
