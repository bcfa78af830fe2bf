//! The stored content of stage and agg, as whole numbers.

use std::collections::HashMap;

use anyhow::{Context, Result};
use pulseline_sql::{Client, GenericClient};

use super::owners::{SCOPES, Scope};
use super::rows::{Figures, Key, Rows};

/// Columns of a relation, with the factor that makes them whole numbers.
const FAMILIES: [(&str, &str); 6] = [
    (
        "heart_rates",
        "minutes_worn readings valid_readings bpm_sum bpm_min bpm_max bpm_avg*100 resting_bpm*100 below_zones_minutes*100 \
         zone_1_minutes*100 zone_2_minutes*100 zone_3_minutes*100 other_zones_minutes*100",
    ),
    ("steps", "minutes_worn steps steps_max distance_m*1000 kcal*1000"),
    (
        "activity",
        "minutes_worn sedentary_minutes lightly_active_minutes moderately_active_minutes very_active_minutes other_minutes",
    ),
    (
        "sleeps",
        "minutes_worn sleeps naps minutes_asleep minutes_asleep_main minutes_in_bed deep_minutes*10 light_minutes*10 rem_minutes*10 \
         wake_minutes*10 deep_share*10000 light_share*10000 rem_share*10000 wake_share*10000 extract(epoch_from_bedtime)*10 \
         extract(epoch_from_wake_time)*10 sleep_valid_readings avg_sleep_bpm*100 sleep_bpm_min sleep_bpm_max sleep_score*10",
    ),
    (
        "exercises",
        "minutes_worn exercises exercise_minutes*100 active_minutes*100 exercise_kcal*1000 exercise_steps exercise_distance_m*10 \
         avg_exercise_bpm*10",
    ),
    (
        "summary",
        "minutes_worn worn_share*10000 valid_readings bpm_min bpm_max bpm_avg*100 resting_bpm*100 steps distance_m*1000 kcal*1000 \
         sedentary_minutes lightly_active_minutes moderately_active_minutes very_active_minutes sleeps naps minutes_asleep minutes_in_bed \
         avg_sleep_bpm*100 exercises exercise_minutes*100",
    ),
];
const QUARTER: &str = "extract(epoch_from_starts_at)*1000 minutes_worn heart_readings valid_readings bpm_sum bpm_min bpm_max \
    steps_readings steps steps_min steps_max distance_readings distance_mm distance_mm_min distance_mm_max \
    energy_readings millikcal millikcal_min millikcal_max";
const NIGHT: &str = "extract(epoch_from_starts_at)*1000 extract(epoch_from_ends_at)*1000 efficiency*10 overall_score deep_minutes*10 \
    light_minutes*10 rem_minutes*10 wake_minutes*10 asleep_minutes*10 restless_minutes*10 other_minutes*10 \
    sleep_readings sleep_valid_readings sleep_bpm_sum sleep_bpm_min sleep_bpm_max avg_sleep_bpm*100";
/// Positions of bedtime and wake time among the figures of sleeps.
const TIMES: [usize; 2] = [14, 15];
const DAY_TENTHS: i64 = 864_000;

/// All rows of a relation.
pub(super) async fn rows(client: &Client, relation: &str) -> Result<HashMap<Key, Figures>> {
    let (key, columns) =
        key_and_columns(relation).with_context(|| format!("the columns of {relation} are unknown"))?;
    let columns: Vec<_> = columns
        .split_whitespace()
        .map(|column| format!("({})::bigint", column.replace("epoch_from_", "epoch from ")))
        .collect();
    let sql = format!(
        "select {key}, array[{}]::bigint[] from {relation}",
        columns.join(", ")
    );
    let rows = client
        .query(&sql, &[])
        .await
        .with_context(|| relation.to_owned())?;
    let read = |row: &tokio_postgres::Row| ((row.get(0), row.get(1), row.get(2), row.get(3)), row.get(4));
    Ok(rows.iter().map(read).collect())
}

/// Key and figures of a relation.
fn key_and_columns(relation: &str) -> Option<(String, &'static str)> {
    let bucket = "(extract(epoch from bucket) * 1000)::bigint";
    if relation.ends_with("quarters") {
        let owner = if relation.contains("user_") {
            "user_id"
        } else {
            "device_id"
        };
        let key = format!("{owner}, device_id, {bucket}, utc_offset_minutes::bigint");
        return Some((key, QUARTER));
    }
    let scope = if relation.contains(".user_") {
        Scope::User
    } else {
        SCOPES[0]
    };
    if relation.starts_with("stage.") {
        return Some((format!("{}, device_id, log_id, 0::bigint", scope.key()), NIGHT));
    }
    let family = FAMILIES
        .iter()
        .find(|(family, _)| relation.ends_with(&format!("ly_{family}")))?;
    let key = format!("{0}, {0}, {bucket}, 0::bigint", scope.key());
    Some((key, family.1))
}

/// Mean times within 0.2 s count as equal: sums of unit vectors depend slightly on their order.
pub(super) fn within_tolerance(
    relation: &str,
    expected: &Rows,
    mut found: HashMap<Key, Figures>,
) -> HashMap<Key, Figures> {
    if relation.ends_with("ly_sleeps") {
        for (key, row) in &mut found {
            for time in TIMES {
                let should = expected.get(key).and_then(|expected| expected[time]);
                if let Some((is, should)) = row[time].zip(should) {
                    let away = (is - should).rem_euclid(DAY_TENTHS);
                    if away.min(DAY_TENTHS - away) <= 2 {
                        row[time] = Some(should);
                    }
                }
            }
        }
    }
    found
}
