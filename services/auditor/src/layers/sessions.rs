//! Sleeps with their heart rate, and exercises.

use pulseline_schemas::Stream;

use super::checks::{Check, SCOPES, Scope};

const FACTS: &str = "device_id, bucket, log_id, readings, valid_readings, bpm_sum, bpm_min, bpm_max";
const SLEEP: &str = "device_id, log_id, start_local, end_local, starts_at, ends_at, start_utc_offset_minutes, end_utc_offset_minutes, \
    sleep_date, main_sleep, type, log_type, info_code, minutes_to_fall_asleep, minutes_asleep, minutes_awake, minutes_after_wakeup, \
    time_in_bed_minutes, efficiency_fitbit, efficiency, deep_minutes, light_minutes, rem_minutes, wake_minutes, asleep_minutes, \
    restless_minutes, other_minutes, overall_score, sleep_readings, sleep_valid_readings, sleep_bpm_sum, sleep_bpm_min, sleep_bpm_max, \
    avg_sleep_bpm";
const EXERCISE: &str = "device_id, log_id, start_local, end_local, starts_at, ends_at, exercise_date, activity_name, log_type, \
    duration_minutes, active_minutes, average_heart_rate, kcal, steps, distance_m, has_gps";

/// A sleep lasts a week at most, and its clocks may differ from those of its readings.
const PAST_DAYS: i32 = 12;

pub(super) fn checks() -> Vec<Check> {
    let mut checks = vec![facts(), orphans()];
    for scope in SCOPES {
        checks.push(sleeps(scope));
        checks.push(levels(scope));
        checks.push(exercises(scope));
    }
    checks
}

/// The bucket is the day on which the sleep ended.
fn facts() -> Check {
    let expected = format!(
        "select s.device_id, s.end_local as bucket, s.log_id, count(r.bpm)::int as readings, count(r.valid)::int as valid_readings, \
        coalesce(sum(r.valid), 0)::int as bpm_sum, min(r.valid) as bpm_min, max(r.valid) as bpm_max \
        from raw.sleeps s left join (select device_id, local_ts - utc_offset_minutes * interval '1 minute' as at, local_ts, bpm, \
                case when coalesce(confidence, 1) > 0 then bpm end as valid from raw.heart_rates \
                where local_ts >= date '{{from}}' - {PAST_DAYS} and local_ts < date '{{to}}' + 3) r \
            on r.device_id = s.device_id and r.local_ts between s.start_local - interval '36 hours' and s.end_local + interval '36 hours' \
            and r.at >= s.start_local - s.start_utc_offset_minutes * interval '1 minute' \
            and r.at < s.end_local - s.end_utc_offset_minutes * interval '1 minute' \
        where s.end_local >= '{{from}}' and s.end_local < '{{to}}' group by s.device_id, s.log_id"
    );
    let found = "select f.device_id, s.end_local as bucket, f.log_id, f.readings, f.valid_readings, f.bpm_sum, f.bpm_min, f.bpm_max \
        from stage.sleep_heart_rates f join raw.sleeps s on (s.device_id, s.log_id) = (f.device_id, f.log_id) \
        where s.end_local >= '{from}' and s.end_local < '{to}'";
    Check {
        // A dirty day reaches two days to each side, and a sleep lies on two.
        unsure: (vec![Stream::HeartRates, Stream::Sleeps], 3),
        past_days: PAST_DAYS,
        found: Some(found.into()),
        ..Check::readings("stage.sleep_heart_rates".into(), &[], FACTS, expected)
    }
}

/// Facts of sleeps that are not there.
fn orphans() -> Check {
    let columns = "device_id, log_id";
    let found = "select device_id, log_id from stage.sleep_heart_rates except select device_id, log_id from raw.sleeps";
    Check {
        found: Some(found.into()),
        ..Check::whole(
            "stage.sleep_heart_rates",
            columns,
            "select device_id, log_id from raw.sleeps where false".into(),
        )
    }
}

/// Sessions of a table with their place on the UTC line and what decides between two that overlap.
fn placed(table: &str, scope: Scope) -> String {
    let owner = if scope.key == "user_id" {
        "join raw.devices o on o.device_id = s.device_id"
    } else {
        "cross join (select null::uuid as user_id) o"
    };
    format!(
        "placed as materialized (select {}.{} as owner, o.user_id as wearer, s.*, \
             s.start_local - s.start_utc_offset_minutes * interval '1 minute' as begins, \
             s.end_local - s.end_utc_offset_minutes * interval '1 minute' as ends \
             from raw.{table} s {owner})",
        if scope.key == "user_id" { "o" } else { "s" },
        scope.key
    )
}

/// `a` loses against `b`.
const LOSES: &str = "a.owner = b.owner and b.begins < a.ends and b.ends > a.begins \
    and row(b.ends - b.begins, b.synced_at, b.event_id, b.device_id, b.log_id) \
        > row(a.ends - a.begins, a.synced_at, a.event_id, a.device_id, a.log_id)";

/// Seconds by level: of each long segment what no short one covers, and of each short one what lies on a long one.
const LEVELS: &str = "segments as (select device_id, log_id, source, level, \
        tsrange(local_ts, local_ts + seconds * interval '1 second') as span from raw.sleep_levels), \
    pieces as (select device_id, log_id, level, upper(span) - lower(span) as length from segments where source = 'data' and not isempty(span) \
        union all select d.device_id, d.log_id, p.level, p.sign * (upper(d.span * s.span) - lower(d.span * s.span)) \
        from segments d join segments s on (s.device_id, s.log_id) = (d.device_id, d.log_id) and s.span && d.span, \
        lateral (values (d.level, -1), (s.level, 1)) p(level, sign) where d.source = 'data' and s.source = 'short'), \
    levels as (select device_id, log_id, \
        case when level in ('deep', 'light', 'rem', 'asleep', 'restless') then level when level like any (array['wake', 'awake']) then 'wake' \
            else 'other' end as kind, round(sum(extract(epoch from length)) / 60, 1) as minutes from pieces group by 1, 2, 3)";

fn sleeps(scope: Scope) -> Check {
    let kinds = ["deep", "light", "rem", "wake", "asleep", "restless", "other"].map(|kind| {
        format!(
            "(select l.minutes from levels l where (l.device_id, l.log_id, l.kind) = (a.device_id, a.log_id, '{kind}')) as {kind}_minutes"
        )
    });
    let expected = format!(
        "with {}, {LEVELS} select a.wearer as user_id, a.*, a.begins at time zone 'UTC' as starts_at, \
         a.ends at time zone 'UTC' as ends_at, date_trunc('day', a.end_local)::date as sleep_date, a.efficiency as efficiency_fitbit, \
         case when a.time_in_bed_minutes <> 0 then round(a.minutes_asleep * 100 / a.time_in_bed_minutes::numeric, 1) end as efficiency_own, \
         {}, (select c.overall_score from raw.sleep_scores c where (c.device_id, c.log_id) = (a.device_id, a.log_id)) as overall_score, \
         f.readings as sleep_readings, f.valid_readings as sleep_valid_readings, f.bpm_sum as sleep_bpm_sum, f.bpm_min as sleep_bpm_min, \
         f.bpm_max as sleep_bpm_max, case when f.valid_readings > 0 then round(f.bpm_sum / f.valid_readings::numeric, 2) end as avg_sleep_bpm \
         from placed a left join stage.sleep_heart_rates f on (f.device_id, f.log_id) = (a.device_id, a.log_id) \
         where not exists (select from placed b where {LOSES})",
        placed("sleeps", scope),
        kinds.join(", ")
    );
    // Two columns are called efficiency in there: name each side's own.
    let own = columns(scope, SLEEP);
    let expected = format!(
        "select {} from ({expected}) x",
        own.replace(" efficiency,", " efficiency_own as efficiency,")
    );
    Check::whole(&format!("stage.{}sleeps", scope.prefix), &own, expected)
}

/// Stretches between all boundaries of a sleep's segments: the short ones that cover it say what it is, else the long ones.
const STRETCHES: &str = "marks as (select device_id, log_id, local_ts as at from raw.sleep_levels where seconds > 0 \
        union select device_id, log_id, local_ts + seconds * interval '1 second' from raw.sleep_levels where seconds > 0), \
    stretches as (select device_id, log_id, at, lead(at) over (partition by device_id, log_id order by at) as until from marks), \
    covered as (select t.*, x.source, x.level from stretches t join raw.sleep_levels x using (device_id, log_id) \
        where x.seconds > 0 and x.local_ts <= t.at and x.local_ts + x.seconds * interval '1 second' >= t.until), \
    staged as (select d.device_id, d.log_id, coalesce(o.level, d.level) as level, d.until - d.at as length \
        from covered d left join covered o on (o.device_id, o.log_id, o.at, o.source) = (d.device_id, d.log_id, d.at, 'short') \
        where d.source = 'data')";

/// Seconds in each stage: how they are cut into rows does not matter.
fn levels(scope: Scope) -> Check {
    let expected = format!(
        "with {}, {STRETCHES} select a.wearer as user_id, a.device_id, a.log_id, t.level, extract(epoch from sum(t.length))::bigint as seconds \
         from placed a join staged t on (t.device_id, t.log_id) = (a.device_id, a.log_id) \
         where not exists (select from placed b where {LOSES}) group by 1, 2, 3, 4",
        placed("sleeps", scope)
    );
    let relation = format!("stage.{}sleep_levels", scope.prefix);
    let keys = columns(scope, "device_id, log_id, level");
    let found = format!(
        "select {keys}, extract(epoch from sum(ends_at - starts_at))::bigint as seconds from {relation} group by {keys}"
    );
    Check {
        found: Some(found),
        ..Check::whole(&relation, &format!("{keys}, seconds"), expected)
    }
}

fn exercises(scope: Scope) -> Check {
    let expected = format!(
        "with {} select a.wearer as user_id, a.device_id, a.log_id, a.start_local, a.end_local, a.begins at time zone 'UTC' as starts_at, \
         a.ends at time zone 'UTC' as ends_at, date_trunc('day', a.start_local)::date as exercise_date, a.activity_name, a.log_type, \
         round(a.duration_ms::numeric / 60000, 2) as duration_minutes, round(a.active_duration_ms::numeric / 60000, 2) as active_minutes, \
         a.average_heart_rate, round(a.calories::numeric, 3) as kcal, a.steps, \
         case when a.distance_unit = 'Kilometer' then round(a.distance::numeric * 1000, 1) \
             when a.distance_unit = 'Mile' then round(a.distance::numeric * 1609.344, 1) end as distance_m, a.has_gps \
         from placed a where not exists (select from placed b where a.device_id <> b.device_id and {LOSES})",
        placed("exercises", scope)
    );
    Check::whole(
        &format!("stage.{}exercises", scope.prefix),
        &columns(scope, EXERCISE),
        expected,
    )
}

fn columns(scope: Scope, columns: &str) -> String {
    if scope.key == "user_id" {
        format!("user_id, {columns}")
    } else {
        columns.to_owned()
    }
}
