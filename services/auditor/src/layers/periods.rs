//! Days as devices say them, and the figures of days, weeks and months.

use pulseline_sql::periods::Level;
use pulseline_sql::query;

use super::check::{Check, PERIODS, SCOPES, Scope};

const VITALS: &str = "bucket, resting_bpm, below_zones_minutes, zone_1_minutes, zone_2_minutes, zone_3_minutes, other_zones_minutes";
const ACTIVITY: &str = "bucket, sedentary_minutes, lightly_active_minutes, moderately_active_minutes, very_active_minutes, other_minutes";
pub(super) const HEART: &str = "bucket, minutes_worn, readings, valid_readings, bpm_sum, bpm_min, bpm_max, bpm_avg, resting_bpm, below_zones_minutes, \
    zone_1_minutes, zone_2_minutes, zone_3_minutes, other_zones_minutes";
pub(super) const STEPS: &str = "bucket, minutes_worn, steps, steps_max, distance_m, kcal";
pub(super) const ACTIVE: &str = "bucket, minutes_worn, sedentary_minutes, lightly_active_minutes, moderately_active_minutes, very_active_minutes, other_minutes";
pub(super) const SLEEPS: &str = "bucket, minutes_worn, sleeps, naps, minutes_asleep, minutes_asleep_main, minutes_in_bed, deep_minutes, light_minutes, \
    rem_minutes, wake_minutes, deep_share, light_share, rem_share, wake_share, sleep_valid_readings, avg_sleep_bpm, sleep_bpm_min, \
    sleep_bpm_max, sleep_score";
pub(super) const EXERCISES: &str = "bucket, minutes_worn, exercises, exercise_minutes, active_minutes, exercise_kcal, exercise_steps, \
    exercise_distance_m, avg_exercise_bpm";
/// Of the summary: each of one family.
const JOINED: &str = "valid_readings, bpm_min, bpm_max, bpm_avg, resting_bpm, steps, distance_m, kcal, \
    sedentary_minutes, lightly_active_minutes, moderately_active_minutes, very_active_minutes, sleeps, naps, minutes_asleep, \
    minutes_in_bed, avg_sleep_bpm, exercises, exercise_minutes";

pub(super) fn checks() -> Vec<Check> {
    let mut checks = vec![
        day("agg.vitals_1d", VITALS, query!("auditor/vitals_1d")),
        day("agg.activity_1d", ACTIVITY, query!("auditor/activity_1d")),
    ];
    for (name, level, unit) in PERIODS {
        let of = |scope| Period {
            scope,
            name,
            level,
            unit,
        };
        let [devices, people] = SCOPES.map(of);
        checks.extend([
            devices.family("heart_rates", HEART, query!("auditor/period_heart_rates")),
            devices.family_while_worn("steps", STEPS, query!("auditor/period_steps")),
            devices.family_while_worn("activity", ACTIVE, query!("auditor/period_activity")),
            devices.family_while_worn("sleeps", SLEEPS, query!("auditor/period_sleeps")),
            devices.family_while_worn("exercises", EXERCISES, query!("auditor/period_exercises")),
            devices.sleep_times(),
            devices.summary(),
            people.sleep_times(),
            people.summary(),
        ]);
    }
    checks
}

fn day(relation: &str, columns: &str, expected: &str) -> Check {
    let columns = format!("device_id, {columns}");
    Check::figures(relation.into(), Level::Day, columns, expected.into())
}

/// Figures of one length of period and one scope.
#[derive(Clone, Copy)]
struct Period {
    scope: Scope,
    name: &'static str,
    level: Level,
    unit: &'static str,
}

impl Period {
    fn relation(self, family: &str) -> String {
        format!("agg.{}{}_{family}", self.scope.prefix, self.name)
    }

    fn family(self, family: &str, columns: &str, expected: &str) -> Check {
        let relation = self.relation(family);
        let check = Check::of_scope(self.scope, relation, self.level, (columns, expected));
        Check {
            values: vec![self.unit],
            ..check
        }
    }

    /// A family that shows the minutes worn beside its own figures.
    fn family_while_worn(self, family: &str, columns: &str, figures: &str) -> Check {
        let worn = query!("auditor/minutes_worn");
        let expected = format!(
            "select f.*, coalesce(w.minutes_worn, 0) as minutes_worn from ({figures}) f \
             left join ({worn}) w using (owner, bucket)"
        );
        self.family(family, columns, &expected)
    }

    /// Bed and wake times: sums of unit vectors differ in their last bits with the order of summing, so within 0.2 s is equal.
    fn sleep_times(self) -> Check {
        let (key, means) = (self.scope.key, query!("auditor/period_sleep_times"));
        let differs = |time: &str| {
            format!(
                "case when ({time} is null) <> (mean_{time} is null) then 1 else \
                 abs((extract(epoch from {time})::numeric - mean_{time}::numeric + 172800 + 43200) % 86400 - 43200) end > 0.2"
            )
        };
        let found = format!(
            "select f.{key}, f.bucket from (select * from {} where bucket >= $1 and bucket < $2) f \
             left join ({means}) m(owner) on m.owner = f.{key} and m.bucket = f.bucket where {} or {}",
            self.relation("sleeps"),
            differs("bedtime"),
            differs("wake_time")
        );
        let none = format!("select {key}, now()::timestamp as bucket from raw.devices where false");
        Check {
            found: Some(found),
            expected: none,
            values: vec![key, self.unit],
            ..self.family("sleeps", "bucket", "")
        }
    }

    fn summary(self) -> Check {
        let (Scope { prefix, key }, name, unit) = (self.scope, self.name, self.unit);
        let part = |family: &str| {
            format!("(select * from agg.{prefix}{name}_{family} where bucket >= $1 and bucket < $2)")
        };
        let expected = format!(
            "select {key}, bucket, coalesce(h.minutes_worn, 0) as minutes_worn, least(1, round(coalesce(h.minutes_worn, 0) \
                 / (extract(epoch from bucket + interval '1 {unit}' - bucket) / 60), 4)) as worn_share, {JOINED} \
             from {} h full join {} s using ({key}, bucket) full join {} a using ({key}, bucket) \
             full join {} n using ({key}, bucket) full join {} e using ({key}, bucket)",
            part("heart_rates"),
            part("steps"),
            part("activity"),
            part("sleeps"),
            part("exercises")
        );
        let columns = format!("{key}, bucket, minutes_worn, worn_share, {JOINED}");
        Check::figures(self.relation("summary"), self.level, columns, expected)
    }
}
