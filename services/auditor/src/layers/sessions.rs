//! Sleeps with their heart rate, and exercises.

use pulseline_schemas::Stream;
use pulseline_sql::query;

use super::check::{Check, SCOPES, Scope};

const FACTS: &str = "device_id, bucket, log_id, readings, valid_readings, bpm_sum, bpm_min, bpm_max";
const SLEEP: &str = "device_id, log_id, start_local, end_local, starts_at, ends_at, start_utc_offset_minutes, end_utc_offset_minutes, \
    sleep_date, main_sleep, type, log_type, info_code, minutes_to_fall_asleep, minutes_asleep, minutes_awake, minutes_after_wakeup, \
    time_in_bed_minutes, efficiency_fitbit, efficiency, deep_minutes, light_minutes, rem_minutes, wake_minutes, asleep_minutes, \
    restless_minutes, other_minutes, overall_score, sleep_readings, sleep_valid_readings, sleep_bpm_sum, sleep_bpm_min, sleep_bpm_max, \
    avg_sleep_bpm";
const EXERCISE: &str = "device_id, log_id, start_local, end_local, starts_at, ends_at, exercise_date, activity_name, log_type, \
    duration_minutes, active_minutes, average_heart_rate, kcal, steps, distance_m, has_gps";

/// Days before a slice of which `auditor/stage_sleep_heart_rates` reads readings.
const PAST_DAYS: i32 = 12;

/// Minutes of a sleep by level, one column for each kind.
const MINUTES: &str = "select device_id, log_id, \
    round(sum(seconds) filter (where level = 'deep') / 60, 1) as deep_minutes, \
    round(sum(seconds) filter (where level = 'light') / 60, 1) as light_minutes, \
    round(sum(seconds) filter (where level = 'rem') / 60, 1) as rem_minutes, \
    round(sum(seconds) filter (where level like any (array['wake', 'awake'])) / 60, 1) as wake_minutes, \
    round(sum(seconds) filter (where level = 'asleep') / 60, 1) as asleep_minutes, \
    round(sum(seconds) filter (where level = 'restless') / 60, 1) as restless_minutes, \
    round(sum(seconds) filter (where level !~ '^(deep|light|rem|wake|awake|asleep|restless)$') / 60, 1) as other_minutes";

pub(super) fn checks() -> Vec<Check> {
    let mut checks = vec![
        facts(),
        orphans("stage.sleep_heart_rates"),
        orphans("raw.sleep_levels"),
        spans(),
        pieces(),
    ];
    for scope in SCOPES {
        checks.extend([sleeps(scope), levels(scope), exercises(scope)]);
    }
    checks
}

/// The bucket is the day on which the sleep ended.
fn facts() -> Check {
    let found = "select f.device_id, s.end_local as bucket, f.log_id, f.readings, f.valid_readings, f.bpm_sum, f.bpm_min, f.bpm_max \
        from stage.sleep_heart_rates f join raw.sleeps s on (s.device_id, s.log_id) = (f.device_id, f.log_id) \
        where s.end_local >= $1 and s.end_local < $2";
    Check {
        // A dirty day reaches two days to each side, and a sleep lies on two.
        unsure: (vec![Stream::HeartRates, Stream::Sleeps], 3),
        past_days: PAST_DAYS,
        found: Some(found.into()),
        ..Check::readings(
            "stage.sleep_heart_rates".into(),
            &[],
            FACTS,
            query!("auditor/stage_sleep_heart_rates").into(),
        )
    }
}

/// Facts and levels of sleeps that are not there (B7).
fn orphans(relation: &str) -> Check {
    let columns = "device_id, log_id";
    let found =
        format!("select device_id, log_id from {relation} except select device_id, log_id from raw.sleeps");
    Check {
        found: Some(found),
        ..Check::whole(
            relation,
            columns,
            "select device_id, log_id from raw.sleeps where false".into(),
        )
    }
}

/// Sleeps or exercises that count for a device or a person, with the columns of `all`.
fn counted(scope: Scope, table: &str, kind: &'static str, (own, all): (&str, &str)) -> Check {
    let relation = format!("stage.{}{table}", scope.prefix);
    let sessions = query!("auditor/sessions");
    Check {
        values: vec![scope.key, kind],
        ..Check::whole(
            &relation,
            &columns(scope, own),
            format!("select * from ({sessions}) c join ({all}) a using (device_id, log_id)"),
        )
    }
}

/// Seconds at each level of each sleep.
fn seconds() -> String {
    format!(
        "select device_id, log_id, level, extract(epoch from sum(length)) as seconds from ({}) t group by 1, 2, 3",
        query!("auditor/stages")
    )
}

fn sleeps(scope: Scope) -> Check {
    let (all, seconds) = (query!("auditor/stage_sleeps"), seconds());
    let with_minutes = format!(
        "select * from ({all}) s left join ({MINUTES} from ({seconds}) l group by 1, 2) m using (device_id, log_id)"
    );
    counted(scope, "sleeps", "sleep", (SLEEP, &with_minutes))
}

fn exercises(scope: Scope) -> Check {
    counted(
        scope,
        "exercises",
        "exercise",
        (EXERCISE, query!("auditor/stage_exercises")),
    )
}

fn levels(scope: Scope) -> Check {
    let keys = columns(scope, "device_id, log_id, level");
    let found = format!(
        "select {keys}, extract(epoch from sum(ends_at - starts_at)) as seconds from stage.{}sleep_levels group by {keys}",
        scope.prefix
    );
    Check {
        found: Some(found),
        ..counted(
            scope,
            "sleep_levels",
            "sleep",
            ("device_id, log_id, level, seconds", &seconds()),
        )
    }
}

fn spans() -> Check {
    let of = |session: &str, table: &str, day: &str| {
        format!(
            "select '{session}' as session, device_id, log_id, start_local, end_local, date_trunc('day', {day})::date as owned_on, \
             to_timestamp(extract(epoch from start_local) - 60 * start_utc_offset_minutes) as starts_at, \
             to_timestamp(extract(epoch from end_local) - 60 * end_utc_offset_minutes) as ends_at, synced_at, event_id from raw.{table}"
        )
    };
    let expected = format!(
        "{} union all {}",
        of("sleep", "sleeps", "end_local"),
        of("exercise", "exercises", "start_local")
    );
    let columns = "session, device_id, log_id, start_local, end_local, owned_on, starts_at, ends_at, synced_at, event_id";
    Check::whole("stage.session_spans", columns, expected)
}

fn pieces() -> Check {
    let found = "select device_id, log_id, level, extract(epoch from sum(upper(piece) - lower(piece))) as seconds \
        from stage.sleep_pieces group by 1, 2, 3";
    Check {
        found: Some(found.into()),
        ..Check::whole(
            "stage.sleep_pieces",
            "device_id, log_id, level, seconds",
            seconds(),
        )
    }
}

fn columns(scope: Scope, columns: &str) -> String {
    if scope.key == "user_id" {
        format!("user_id, {columns}")
    } else {
        columns.to_owned()
    }
}
