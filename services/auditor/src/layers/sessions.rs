//! Sleeps with their heart rate, and exercises.

use pulseline_schemas::Stream;

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

pub(super) fn checks() -> Vec<Check> {
    let mut checks = vec![facts(), orphans()];
    for scope in SCOPES {
        checks.push(sessions(
            scope,
            "sleeps",
            SLEEP,
            pulseline_sql::query!("auditor/stage_sleeps"),
        ));
        checks.push(levels(scope));
        checks.push(sessions(
            scope,
            "exercises",
            EXERCISE,
            pulseline_sql::query!("auditor/stage_exercises"),
        ));
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
            pulseline_sql::query!("auditor/stage_sleep_heart_rates").into(),
        )
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

/// Sessions of a device or a person; `expected` has both keys.
fn sessions(scope: Scope, table: &str, own: &str, expected: &str) -> Check {
    let relation = format!("stage.{}{table}", scope.prefix);
    Check {
        values: vec![scope.key],
        ..Check::whole(&relation, &columns(scope, own), expected.into())
    }
}

fn levels(scope: Scope) -> Check {
    let keys = columns(scope, "device_id, log_id, level");
    let found = format!(
        "select {keys}, extract(epoch from sum(ends_at - starts_at))::bigint as seconds \
         from stage.{}sleep_levels group by {keys}",
        scope.prefix
    );
    let own = "device_id, log_id, level, seconds";
    Check {
        found: Some(found),
        ..sessions(
            scope,
            "sleep_levels",
            own,
            pulseline_sql::query!("auditor/stage_sleep_levels"),
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
