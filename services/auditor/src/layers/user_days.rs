//! People's days, their figures by day, week and month, and the quarters in which a device speaks for a person.

use pulseline_schemas::Stream;
use pulseline_sql::periods::Level;
use pulseline_sql::query;

use super::check::{Check, PERIODS};
use super::periods::{ACTIVE, EXERCISES, HEART, SLEEPS, STEPS};
use super::readings::QUARTER;

/// Every column of a stored day but when it was computed, and sums of unit vectors, which differ in their last bits with the order
/// of summing: bed and wake times are compared as times.
const DAY: &str = "user_id, bucket, is_open, minutes_worn, readings, valid_readings, bpm_sum, bpm_min, bpm_max, vitals_device_id, \
    resting_bpm, below_zones_minutes, zone_1_minutes, zone_2_minutes, zone_3_minutes, other_zones_minutes, steps, steps_max, \
    distance_mm, millikcal, activity_device_id, sedentary_minutes, lightly_active_minutes, moderately_active_minutes, \
    very_active_minutes, other_minutes, sleeps, naps, minutes_asleep, minutes_asleep_main, minutes_in_bed, deep_minutes, \
    light_minutes, rem_minutes, wake_minutes, staged_minutes, staged_wake_minutes, sleep_valid_readings, sleep_bpm_sum, \
    sleep_bpm_min, sleep_bpm_max, sleep_scores, sleep_score_sum, exercises, exercise_minutes, active_minutes, exercise_kcal, \
    exercise_steps, exercise_distance_m, exercise_bpm_minutes, exercise_minutes_with_bpm";
/// A change reaches days as far away: quarters of other devices lie 2 days apart at most, and sleeps touch each other.
const REACH_DAYS: i32 = 3;
/// Days in a slice: quarters of an hour of everybody are laid side by side.
const DAYS: i32 = 7;

pub(super) fn checks() -> Vec<Check> {
    let mut checks = vec![user_quarters(), stored(), shown()];
    for (name, level, unit) in PERIODS {
        for (family, columns) in [
            ("heart_rates", HEART),
            ("steps", STEPS),
            ("activity", ACTIVE),
            ("sleeps", SLEEPS),
            ("exercises", EXERCISES),
        ] {
            let expected = format!(
                "select * from ({}) f(user_id) where has_{family}",
                query!("auditor/user_periods")
            );
            let relation = format!("agg.user_{name}_{family}");
            checks.push(Check {
                values: vec![unit],
                ..Check::figures(relation, level, format!("user_id, {columns}"), expected)
            });
        }
    }
    checks
}

/// Days do not matter here: at each instant the device with the better quarter counts.
fn user_quarters() -> Check {
    let expected = format!(
        "select user_id, {QUARTER} from (select o.user_id, q.*, first_value(q.device_id) over ( \
                 partition by o.user_id, q.starts_at \
                 order by q.minutes_worn desc, greatest(q.steps, q.distance_mm, 0) > 0 desc, q.device_id) as speaker \
             from stage.quarters q join raw.device_owners o \
             on o.device_id = q.device_id and daterange(o.from_day, o.until_day) @> q.bucket::date) heard \
         where device_id = speaker and bucket >= $1 and bucket < $2"
    );
    let columns = format!("user_id, {QUARTER}");
    Check::figures("stage.user_quarters".into(), Level::Day, columns, expected)
}

fn stored() -> Check {
    Check {
        slice_days: Some(DAYS),
        of_people: true,
        unsure: (Stream::ALL.to_vec(), REACH_DAYS),
        ..Check::readings(
            "agg.stored_user_days".into(),
            &[],
            DAY,
            query!("auditor/user_days").into(),
        )
    }
}

/// Where nothing is pending, what is shown is what is stored.
fn shown() -> Check {
    Check {
        of_people: true,
        unsure: (Stream::ALL.to_vec(), REACH_DAYS),
        ..Check::figures(
            "agg.user_days".into(),
            Level::Day,
            DAY,
            format!("select {DAY} from agg.stored_user_days where bucket >= $1 and bucket < $2"),
        )
    }
}
