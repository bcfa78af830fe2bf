//! People and their devices, what is usual for them, and age groups.

use pulseline_sql::periods::Level;
use pulseline_sql::query;

use super::check::{Check, PERIODS, SCOPES, Scope};

const BASELINES: &str = "bucket, minutes_worn, is_valid, valid_days_7d, valid_days_28d, \
    steps, steps_7d, steps_28d, steps_deviation, \
    minutes_asleep, minutes_asleep_7d, minutes_asleep_28d, minutes_asleep_deviation, \
    bpm_avg, bpm_avg_7d, bpm_avg_28d, bpm_avg_deviation, \
    resting_bpm, resting_bpm_7d, resting_bpm_28d, resting_bpm_deviation, \
    avg_sleep_bpm, avg_sleep_bpm_7d, avg_sleep_bpm_28d, avg_sleep_bpm_deviation, \
    steps_days_7d, steps_days_28d, \
    minutes_asleep_days_7d, minutes_asleep_days_28d, \
    bpm_avg_days_7d, bpm_avg_days_28d, \
    resting_bpm_days_7d, resting_bpm_days_28d, \
    avg_sleep_bpm_days_7d, avg_sleep_bpm_days_28d";
const MEANS: &str = "age_group, bucket, people, valid_days, minutes_worn, steps, distance_m, kcal, bpm_avg, resting_bpm, \
    minutes_asleep, avg_sleep_bpm, exercise_minutes, minutes_worn_people, steps_people, distance_m_people, kcal_people, \
    bpm_avg_people, resting_bpm_people, minutes_asleep_people, avg_sleep_bpm_people, exercise_minutes_people";

pub(super) fn devices() -> Vec<Check> {
    let people = "select u.user_id, u.gender, u.height_cm, u.max_heart_rate, u.zone, u.created_at, \
        coalesce((select array_agg(d.device_id order by d.device_id) from raw.devices d where d.user_id = u.user_id), array[]::uuid[]) as devices \
        from raw.users u";
    vec![
        Check::whole(
            "stage.users",
            "user_id, gender, height_cm, max_heart_rate, zone, created_at, devices",
            people.into(),
        ),
        Check::whole(
            "stage.devices",
            "device_id, user_id",
            "select device_id, user_id from raw.devices".into(),
        ),
    ]
}

pub(super) fn checks() -> Vec<Check> {
    let mut checks: Vec<_> = SCOPES.into_iter().map(baselines).collect();
    checks.extend(PERIODS.map(|(name, level, unit)| age_groups(name, level, unit)));
    checks
}

fn baselines(scope: Scope) -> Check {
    let relation = format!("agg.{}daily_baselines", scope.prefix);
    Check::of_scope(
        scope,
        relation,
        Level::Day,
        (BASELINES, query!("auditor/daily_baselines")),
    )
}

fn age_groups(name: &str, level: Level, unit: &'static str) -> Check {
    Check {
        values: vec![unit],
        ..Check::figures(
            format!("agg.by_age_group_{name}"),
            level,
            MEANS,
            query!("auditor/by_age_group").into(),
        )
    }
}
