//! What each relation must hold, said in plain SQL over raw.

/// Heart rates by minute: the grain in which minutes worn are counted.
fn minutes(from: &str, to: &str) -> String {
    format!(
        "select device_id, utc_offset_minutes, date_trunc('minute', local_ts) as minute, count(*) as readings, \
         count(*) filter (where confidence >= 1) as valid, sum(bpm) filter (where confidence >= 1) as total, \
         min(bpm) filter (where confidence >= 1) as low, max(bpm) filter (where confidence >= 1) as high \
         from raw.heart_rates where local_ts >= '{from}' and local_ts < '{to}' group by 1, 2, 3"
    )
}

pub(super) fn heart_rates(unit: &str, from: &str, to: &str) -> String {
    format!(
        "select device_id, date_trunc('{unit}', minute) as bucket, sum(readings)::bigint as readings, \
         sum(valid)::bigint as valid_readings, sum(total)::bigint as bpm_sum, min(low) as bpm_min, max(high) as bpm_max, \
         case when sum(valid) > 0 then round(sum(total)::numeric / sum(valid), 2) end as bpm_avg, \
         count(*) filter (where valid > 0) as minutes_worn \
         from ({}) m group by 1, 2",
        minutes(from, to)
    )
}

pub(super) fn heart_rates_15m(from: &str, to: &str) -> String {
    format!(
        "select device_id, date_bin('15 minutes', minute, '2000-01-01') as bucket, utc_offset_minutes, \
         sum(readings)::bigint as readings, sum(valid)::bigint as valid_readings, sum(total)::bigint as bpm_sum, \
         min(low) as bpm_min, max(high) as bpm_max, \
         coalesce(sum(power(2, extract(minute from minute)::int % 15)) filter (where valid > 0), 0)::int as worn_mask \
         from ({}) m group by 1, 2, 3",
        minutes(from, to)
    )
}

pub(super) fn steps(unit: &str, from: &str, to: &str) -> String {
    format!(
        "select device_id, date_trunc('{unit}', local_ts) as bucket, count(*) as readings, sum(steps)::bigint as steps, \
         max(steps) as steps_max from raw.steps where local_ts >= '{from}' and local_ts < '{to}' group by 1, 2"
    )
}

pub(super) fn steps_15m(from: &str, to: &str) -> String {
    format!(
        "select device_id, date_bin('15 minutes', local_ts, '2000-01-01') as bucket, utc_offset_minutes, \
         count(*) as readings, sum(steps)::bigint as steps, max(steps) as steps_max \
         from raw.steps where local_ts >= '{from}' and local_ts < '{to}' group by 1, 2, 3"
    )
}

pub(super) fn sessions() -> String {
    "select s.device_id, s.log_id, s.start_local, s.end_local, \
     s.start_local - s.start_utc_offset_minutes * interval '1 minute' as start_utc, \
     s.end_local - s.end_utc_offset_minutes * interval '1 minute' as end_utc, \
     date_trunc('day', s.end_local)::date as sleep_date, s.main_sleep, s.type, s.minutes_asleep, s.time_in_bed_minutes, \
     s.efficiency as efficiency_fitbit, \
     case when s.time_in_bed_minutes <> 0 then round(s.minutes_asleep * 100 / s.time_in_bed_minutes::numeric, 1) end as efficiency, \
     round(sum(case when l.level = 'deep' then l.seconds end) / 60.0, 1) as deep_minutes, \
     round(sum(case when l.level = 'light' then l.seconds end) / 60.0, 1) as light_minutes, \
     round(sum(case when l.level = 'rem' then l.seconds end) / 60.0, 1) as rem_minutes, \
     round(sum(case when l.level = 'wake' or l.level = 'awake' then l.seconds end) / 60.0, 1) as wake_minutes \
     from raw.sleeps s left join raw.sleep_levels l on (l.device_id, l.log_id, l.source) = (s.device_id, s.log_id, 'data') \
     group by s.device_id, s.log_id"
        .to_owned()
}

pub(super) fn people() -> String {
    "select u.user_id, u.gender, u.height_cm, u.max_heart_rate, u.zone, u.created_at, \
     array(select d.device_id from raw.devices d where d.user_id = u.user_id order by 1) as devices from raw.users u"
        .to_owned()
}

pub(super) fn sleeps(unit: &str, from: &str, to: &str) -> String {
    format!(
        "select device_id, date_trunc('{unit}', end_local) as bucket, count(*) as sleeps, \
         sum(case when main_sleep then 0 else 1 end)::bigint as naps, sum(minutes_asleep)::bigint as minutes_asleep, \
         sum(case when main_sleep then minutes_asleep end)::bigint as minutes_asleep_main, \
         sum(time_in_bed_minutes)::bigint as minutes_in_bed, sum(deep_minutes) as deep_minutes, \
         sum(light_minutes) as light_minutes, sum(rem_minutes) as rem_minutes, sum(wake_minutes) as wake_minutes \
         from ({}) s where end_local >= '{from}' and end_local < '{to}' group by 1, 2",
        sessions()
    )
}

/// A union in which each source fills its own columns: whoever has any row has a row.
pub(super) fn summary(unit: &str, from: &str, to: &str) -> String {
    format!(
        "select device_id, bucket, coalesce(max(worn), 0) as minutes_worn, max(valid) as valid_readings, max(low) as bpm_min, \
         max(high) as bpm_max, max(mean) as bpm_avg, max(steps) as steps, max(asleep) as minutes_asleep, \
         max(in_bed) as minutes_in_bed, max(sleeps) as sleeps, max(naps) as naps from ( \
         select device_id, bucket, minutes_worn as worn, valid_readings as valid, bpm_min as low, bpm_max as high, bpm_avg as mean, \
         null::bigint as steps, null::bigint as asleep, null::bigint as in_bed, null::bigint as sleeps, null::bigint as naps from ({}) h \
         union all select device_id, bucket, null, null, null, null, null, steps, null, null, null, null from ({}) s \
         union all select device_id, bucket, null, null, null, null, null, null, minutes_asleep, minutes_in_bed, sleeps, naps from ({}) n \
         ) u group by 1, 2",
        heart_rates(unit, from, to),
        steps(unit, from, to),
        sleeps(unit, from, to)
    )
}
