-- The exercises of devices or of people ($1: 'device_id' or 'user_id'). Of those of two devices that overlap, the longest
-- counts, then the newest.
with placed as materialized (
    select
        case $1 when 'user_id' then o.user_id else s.device_id end as owner,
        o.user_id,
        s.*,
        s.start_local - s.start_utc_offset_minutes * interval '1 minute' as begins,
        s.end_local - s.end_utc_offset_minutes * interval '1 minute' as ends
    from raw.exercises s
    left join raw.devices o on o.device_id = s.device_id
    where $1 = 'device_id' or o.user_id is not null
)
select
    a.user_id,
    a.device_id,
    a.log_id,
    a.start_local,
    a.end_local,
    a.begins at time zone 'UTC' as starts_at,
    a.ends at time zone 'UTC' as ends_at,
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
from placed a
where not exists (
    select from placed b
    where a.device_id <> b.device_id
        and a.owner = b.owner and b.begins < a.ends and b.ends > a.begins
        and row(b.ends - b.begins, b.synced_at, b.event_id, b.device_id, b.log_id)
            > row(a.ends - a.begins, a.synced_at, a.event_id, a.device_id, a.log_id)
)
