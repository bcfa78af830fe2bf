//! Days as devices say them, and the figures of days, weeks and months.

use pulseline_sql::periods::Level;
use pulseline_sql::query;

use super::check::{Check, PERIODS, SCOPES, Scope};

const VITALS: &str = "bucket, resting_bpm, below_zones_minutes, zone_1_minutes, zone_2_minutes, zone_3_minutes, other_zones_minutes";
const ACTIVITY: &str = "bucket, sedentary_minutes, lightly_active_minutes, moderately_active_minutes, very_active_minutes, other_minutes";
const HEART: &str = "bucket, minutes_worn, readings, valid_readings, bpm_sum, bpm_min, bpm_max, bpm_avg, resting_bpm, below_zones_minutes, \
    zone_1_minutes, zone_2_minutes, zone_3_minutes, other_zones_minutes";
const STEPS: &str = "bucket, minutes_worn, steps, steps_max, distance_m, kcal";
const ACTIVE: &str = "bucket, minutes_worn, sedentary_minutes, lightly_active_minutes, moderately_active_minutes, very_active_minutes, other_minutes";
const SLEEPS: &str = "bucket, minutes_worn, sleeps, naps, minutes_asleep, minutes_asleep_main, minutes_in_bed, deep_minutes, light_minutes, \
    rem_minutes, wake_minutes, deep_share, light_share, rem_share, wake_share, sleep_valid_readings, avg_sleep_bpm, sleep_bpm_min, \
    sleep_bpm_max, sleep_score";
const EXERCISES: &str = "bucket, minutes_worn, exercises, exercise_minutes, active_minutes, exercise_kcal, exercise_steps, \
    exercise_distance_m, avg_exercise_bpm";
/// Of the summary: each of one family.
const JOINED: &str = "valid_readings, bpm_min, bpm_max, bpm_avg, resting_bpm, steps, distance_m, kcal, \
    sedentary_minutes, lightly_active_minutes, moderately_active_minutes, very_active_minutes, sleeps, naps, minutes_asleep, \
    minutes_in_bed, avg_sleep_bpm, exercises, exercise_minutes";

pub(super) fn checks() -> Vec<Check> {
    let mut checks = vec![
        day("agg.vitals_1d", VITALS, query!("auditor/vitals_1d")),
        day("agg.activity_1d", ACTIVITY, query!("auditor/activity_1d")),
        said("vitals", VITALS),
        said("activity", ACTIVITY),
    ];
    for scope in SCOPES {
        for (name, level, unit) in PERIODS {
            let of = Period {
                scope,
                name,
                level,
                unit,
            };
            checks.extend([
                of.family("heart_rates", HEART, query!("auditor/period_heart_rates")),
                of.family_while_worn("steps", STEPS, query!("auditor/period_steps")),
                of.family_while_worn("activity", ACTIVE, query!("auditor/period_activity")),
                of.family_while_worn("sleeps", SLEEPS, query!("auditor/period_sleeps")),
                of.sleep_times(),
                of.family_while_worn("exercises", EXERCISES, query!("auditor/period_exercises")),
                of.summary(),
            ]);
        }
    }
    checks
}

fn day(relation: &str, columns: &str, expected: &str) -> Check {
    let columns = format!("device_id, {columns}");
    Check::figures(relation.into(), Level::Day, columns, expected.into())
}

/// What is said of a whole day, by the device that was worn longest.
fn said(what: &str, columns: &str) -> Check {
    let expected = format!(
        "with said as materialized (select o.user_id, x.*, coalesce((select h.minutes_worn from agg.heart_rates_1d h \
             where (h.device_id, h.bucket) = (x.device_id, x.bucket)), 0) as worn \
             from agg.{what}_1d x join raw.devices o on o.device_id = x.device_id \
             where x.bucket >= $1 and x.bucket < $2) \
         select a.* from said a where not exists (select from said b where b.user_id = a.user_id and b.bucket = a.bucket \
             and (b.worn > a.worn or (b.worn = a.worn and b.device_id < a.device_id)))"
    );
    let columns = format!("user_id, device_id, {columns}");
    Check::figures(format!("agg.user_{what}_1d"), Level::Day, columns, expected)
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
        let mut check = Check::of_scope(self.scope, relation, self.level, (columns, expected));
        check.values.push(self.unit);
        check
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
            ..self.family("sleeps", "bucket", "")
        }
    }

    fn summary(self) -> Check {
        let (Scope { prefix, key }, name, unit) = (self.scope, self.name, self.unit);
        let part = |family: &str| {
            format!("(select * from agg.{prefix}{name}_{family} where bucket >= $1 and bucket < $2)")
        };
        let expected = format!(
            "select {key}, bucket, coalesce(h.minutes_worn, 0) as minutes_worn, round(coalesce(h.minutes_worn, 0) \
                 / (extract(epoch from bucket + interval '1 {unit}' - bucket) / 60), 4) as worn_share, {JOINED} \
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
