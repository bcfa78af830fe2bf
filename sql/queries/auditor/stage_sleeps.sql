-- The sleeps of devices or of people ($1: 'device_id' or 'user_id'). Of those that overlap, the longest counts, then the
-- newest. Minutes by level: of each long segment what no short one covers, and of each short one what lies on a long one.
with placed as materialized (
    select
        case $1 when 'user_id' then o.user_id else s.device_id end as owner,
        o.user_id,
        s.*,
        s.start_local - s.start_utc_offset_minutes * interval '1 minute' as begins,
        s.end_local - s.end_utc_offset_minutes * interval '1 minute' as ends
    from raw.sleeps s
    left join raw.devices o on o.device_id = s.device_id
    where $1 = 'device_id' or o.user_id is not null
), segments as (
    select
        device_id,
        log_id,
        source,
        level,
        tsrange(local_ts, local_ts + seconds * interval '1 second') as span
    from raw.sleep_levels
), pieces as (
    select device_id, log_id, level, upper(span) - lower(span) as length
    from segments
    where source = 'data' and not isempty(span)
    union all
    select d.device_id, d.log_id, p.level, p.sign * (upper(d.span * s.span) - lower(d.span * s.span))
    from segments d
    join segments s on (s.device_id, s.log_id) = (d.device_id, d.log_id) and s.span && d.span,
    lateral (values (d.level, -1), (s.level, 1)) p(level, sign)
    where d.source = 'data' and s.source = 'short'
), levels as (
    select
        device_id,
        log_id,
        case
            when level in ('deep', 'light', 'rem', 'asleep', 'restless') then level
            when level like any (array['wake', 'awake']) then 'wake'
            else 'other'
        end as kind,
        round(sum(extract(epoch from length)) / 60, 1) as minutes
    from pieces
    group by 1, 2, 3
)
select
    a.user_id,
    a.device_id,
    a.log_id,
    a.start_local,
    a.end_local,
    a.begins at time zone 'UTC' as starts_at,
    a.ends at time zone 'UTC' as ends_at,
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
    (select minutes from levels l where (l.device_id, l.log_id, l.kind) = (a.device_id, a.log_id, 'deep')) as deep_minutes,
    (select minutes from levels l where (l.device_id, l.log_id, l.kind) = (a.device_id, a.log_id, 'light')) as light_minutes,
    (select minutes from levels l where (l.device_id, l.log_id, l.kind) = (a.device_id, a.log_id, 'rem')) as rem_minutes,
    (select minutes from levels l where (l.device_id, l.log_id, l.kind) = (a.device_id, a.log_id, 'wake')) as wake_minutes,
    (select minutes from levels l where (l.device_id, l.log_id, l.kind) = (a.device_id, a.log_id, 'asleep')) as asleep_minutes,
    (select minutes from levels l where (l.device_id, l.log_id, l.kind) = (a.device_id, a.log_id, 'restless')) as restless_minutes,
    (select minutes from levels l where (l.device_id, l.log_id, l.kind) = (a.device_id, a.log_id, 'other')) as other_minutes,
    (select overall_score from raw.sleep_scores c where (c.device_id, c.log_id) = (a.device_id, a.log_id)) as overall_score,
    f.readings as sleep_readings,
    f.valid_readings as sleep_valid_readings,
    f.bpm_sum as sleep_bpm_sum,
    f.bpm_min as sleep_bpm_min,
    f.bpm_max as sleep_bpm_max,
    case when f.valid_readings > 0 then round(f.bpm_sum / f.valid_readings::numeric, 2) end as avg_sleep_bpm
from placed a
left join stage.sleep_heart_rates f on (f.device_id, f.log_id) = (a.device_id, a.log_id)
where not exists (
    select from placed b
    where a.owner = b.owner and b.begins < a.ends and b.ends > a.begins
        and row(b.ends - b.begins, b.synced_at, b.event_id, b.device_id, b.log_id)
            > row(a.ends - a.begins, a.synced_at, a.event_id, a.device_id, a.log_id)
)
