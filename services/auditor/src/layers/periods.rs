//! Days as devices say them, and the figures of days, weeks and months.

use pulseline_sql::periods::Level;

use super::check::{Check, PERIODS, SCOPES, Scope};

const VITALS: &str = "bucket, resting_bpm, below_zones_minutes, zone_1_minutes, zone_2_minutes, zone_3_minutes, other_zones_minutes";
const ACTIVITY: &str = "bucket, sedentary_minutes, lightly_active_minutes, moderately_active_minutes, very_active_minutes, other_minutes";
const HEART: &str = "minutes_worn, readings, valid_readings, bpm_sum, bpm_min, bpm_max, bpm_avg, resting_bpm, below_zones_minutes, \
    zone_1_minutes, zone_2_minutes, zone_3_minutes, other_zones_minutes";
const STEPS: &str = "minutes_worn, steps, steps_max, distance_m, kcal";
const ACTIVE: &str = "minutes_worn, sedentary_minutes, lightly_active_minutes, moderately_active_minutes, very_active_minutes, other_minutes";
const SLEEPS: &str = "minutes_worn, sleeps, naps, minutes_asleep, minutes_asleep_main, minutes_in_bed, deep_minutes, light_minutes, \
    rem_minutes, wake_minutes, deep_share, light_share, rem_share, wake_share, sleep_valid_readings, avg_sleep_bpm, sleep_bpm_min, \
    sleep_bpm_max, sleep_score";
const EXERCISES: &str = "minutes_worn, exercises, exercise_minutes, active_minutes, exercise_kcal, exercise_steps, \
    exercise_distance_m, avg_exercise_bpm";
const SUMMARY: &str = "minutes_worn, worn_share, valid_readings, bpm_min, bpm_max, bpm_avg, resting_bpm, steps, distance_m, kcal, \
    sedentary_minutes, lightly_active_minutes, moderately_active_minutes, very_active_minutes, sleeps, naps, minutes_asleep, \
    minutes_in_bed, avg_sleep_bpm, exercises, exercise_minutes";

pub(super) fn checks() -> Vec<Check> {
    let mut checks = vec![vitals(), activity()];
    checks.extend(["vitals", "activity"].map(said));
    for scope in SCOPES {
        for (name, level, unit) in PERIODS {
            let of = Period {
                scope,
                name,
                level,
                unit,
            };
            checks.extend([
                of.heart_rates(),
                of.steps(),
                of.activity(),
                of.sleeps(),
                of.times(),
                of.exercises(),
                of.summary(),
            ]);
        }
    }
    checks
}

/// Minutes of one label, out of rows of labels.
fn labelled(label: &str, is: &str, name: &str) -> String {
    format!(
        "(select sum(round(z.minutes::numeric, 2)) from all_rows z where z.device_id = d.device_id and z.local_date = d.local_date \
         and z.{label} {is}) as {name}"
    )
}

fn vitals() -> Check {
    let zones = [
        ("= 'BELOW_DEFAULT_ZONE_1'", "below_zones_minutes"),
        ("= 'IN_DEFAULT_ZONE_1'", "zone_1_minutes"),
        ("= 'IN_DEFAULT_ZONE_2'", "zone_2_minutes"),
        ("= 'IN_DEFAULT_ZONE_3'", "zone_3_minutes"),
        (
            "!~ '^(BELOW_DEFAULT_ZONE_1|IN_DEFAULT_ZONE_[123])$'",
            "other_zones_minutes",
        ),
    ]
    .map(|(is, name)| labelled("zone", is, name));
    let expected = format!(
        "with all_rows as materialized (select * from raw.heart_rate_zones where local_date >= '{{from}}' and local_date < '{{to}}'), \
         resting as (select * from raw.resting_heart_rates where local_date >= '{{from}}' and local_date < '{{to}}'), \
         d as (select device_id, local_date from all_rows union select device_id, local_date from resting) \
         select d.device_id, d.local_date::timestamp as bucket, (select round(r.bpm::numeric, 2) from resting r \
             where (r.device_id, r.local_date) = (d.device_id, d.local_date)) as resting_bpm, {} from d",
        zones.join(", ")
    );
    let columns = format!("device_id, {VITALS}");
    Check::figures("agg.vitals_1d".into(), Level::Day, columns, expected)
}

fn activity() -> Check {
    let levels = ["sedentary", "lightly_active", "moderately_active", "very_active"];
    let mut parts: Vec<_> = levels
        .iter()
        .map(|level| labelled("level", &format!("= '{level}'"), &format!("{level}_minutes")))
        .collect();
    let others = format!("<> all (array['{}'])", levels.join("', '"));
    parts.push(labelled("level", &others, "other_minutes"));
    let expected = format!(
        "with all_rows as materialized (select * from raw.activity_minutes where local_date >= '{{from}}' and local_date < '{{to}}') \
         select d.device_id, d.local_date::timestamp as bucket, {} from (select distinct device_id, local_date from all_rows) d",
        parts.join(", ")
    );
    let columns = format!("device_id, {ACTIVITY}");
    Check::figures("agg.activity_1d".into(), Level::Day, columns, expected)
}

/// What is said of a whole day, by the device that was worn longest.
fn said(what: &str) -> Check {
    let columns = if what == "vitals" { VITALS } else { ACTIVITY };
    let expected = format!(
        "with said as materialized (select o.user_id, x.*, coalesce((select h.minutes_worn from agg.heart_rates_1d h \
             where (h.device_id, h.bucket) = (x.device_id, x.bucket)), 0) as worn \
             from agg.{what}_1d x join raw.devices o on o.device_id = x.device_id \
             where x.bucket >= '{{from}}' and x.bucket < '{{to}}') \
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
    fn check(self, family: &str, columns: &str, expected: String) -> Check {
        let (prefix, key) = (self.scope.prefix, self.scope.key);
        let relation = format!("agg.{prefix}{}_{family}", self.name);
        Check::figures(
            relation,
            self.level,
            format!("{key}, bucket, {columns}"),
            expected,
        )
    }

    /// Days of a source, as a subquery with the period beside each.
    fn days(self, source: &str, bucket: &str) -> String {
        let (prefix, unit) = (self.scope.prefix, self.unit);
        let relation = source.replacen('.', &format!(".{prefix}"), 1);
        format!(
            "(select *, date_trunc('{unit}', {bucket}::timestamp) as period from {relation} \
             where {bucket} >= '{{from}}' and {bucket} < '{{to}}')"
        )
    }

    /// Minutes worn of each period.
    fn worn(self) -> String {
        let key = self.scope.key;
        format!(
            "(select {key}, period, sum(minutes_worn)::bigint as minutes_worn from {} h group by 1, 2)",
            self.days("agg.heart_rates_1d", "bucket")
        )
    }

    /// `grouped`, which has key, period and figures, with minutes worn beside it.
    fn beside_worn(self, grouped: &str) -> String {
        let key = self.scope.key;
        format!(
            "select g.*, g.period as bucket, coalesce(w.minutes_worn, 0) as minutes_worn from ({grouped}) g \
             left join {} w on w.{key} = g.{key} and w.period = g.period",
            self.worn()
        )
    }

    fn heart_rates(self) -> Check {
        let key = self.scope.key;
        let expected = format!(
            "select {key}, period as bucket, coalesce(h.minutes_worn, 0) as minutes_worn, coalesce(h.readings, 0) as readings, \
             coalesce(h.valid_readings, 0) as valid_readings, h.bpm_sum, h.bpm_min, h.bpm_max, \
             case when h.valid_readings > 0 then round(h.bpm_sum / h.valid_readings::numeric, 2) end as bpm_avg, \
             v.resting_bpm, v.below_zones_minutes, v.zone_1_minutes, v.zone_2_minutes, v.zone_3_minutes, v.other_zones_minutes \
             from (select {key}, period, sum(minutes_worn)::bigint as minutes_worn, sum(readings)::bigint as readings, \
                 sum(valid_readings)::bigint as valid_readings, sum(bpm_sum)::bigint as bpm_sum, min(bpm_min) as bpm_min, \
                 max(bpm_max) as bpm_max from {} x group by 1, 2) h \
             full join (select {key}, period, round(sum(resting_bpm) / nullif(count(resting_bpm), 0), 2) as resting_bpm, \
                 sum(below_zones_minutes) as below_zones_minutes, sum(zone_1_minutes) as zone_1_minutes, \
                 sum(zone_2_minutes) as zone_2_minutes, sum(zone_3_minutes) as zone_3_minutes, \
                 sum(other_zones_minutes) as other_zones_minutes from {} x group by 1, 2) v using ({key}, period)",
            self.days("agg.heart_rates_1d", "bucket"),
            self.days("agg.vitals_1d", "bucket")
        );
        self.check("heart_rates", HEART, expected)
    }

    fn steps(self) -> Check {
        let key = self.scope.key;
        let grouped = format!(
            "select {key}, period, s.steps, s.steps_max, d.distance_m, c.kcal \
             from (select {key}, period, sum(steps)::bigint as steps, max(steps_max) as steps_max from {} x group by 1, 2) s \
             full join (select {key}, period, round(sum(distance_mm)::numeric / 1000, 3) as distance_m from {} x group by 1, 2) d \
                 using ({key}, period) \
             full join (select {key}, period, round(sum(millikcal)::numeric / 1000, 3) as kcal from {} x group by 1, 2) c \
                 using ({key}, period)",
            self.days("agg.steps_1d", "bucket"),
            self.days("agg.distances_1d", "bucket"),
            self.days("agg.calories_1d", "bucket")
        );
        self.check("steps", STEPS, self.beside_worn(&grouped))
    }

    fn activity(self) -> Check {
        let key = self.scope.key;
        let grouped = format!(
            "select {key}, period, sum(sedentary_minutes)::bigint as sedentary_minutes, \
             sum(lightly_active_minutes)::bigint as lightly_active_minutes, \
             sum(moderately_active_minutes)::bigint as moderately_active_minutes, \
             sum(very_active_minutes)::bigint as very_active_minutes, sum(other_minutes)::bigint as other_minutes from {} x group by 1, 2",
            self.days("agg.activity_1d", "bucket")
        );
        self.check("activity", ACTIVE, self.beside_worn(&grouped))
    }

    fn sleeps(self) -> Check {
        let key = self.scope.key;
        let share = |kind: &str, whose: &str| {
            format!("case when sum(whole) > 0 then round(sum({whose}) / sum(whole), 4) end as {kind}_share, ")
        };
        let grouped = format!(
            "select {key}, period, count(*) as sleeps, sum((not main_sleep)::int)::bigint as naps, \
             sum(minutes_asleep)::bigint as minutes_asleep, sum(case when main_sleep then minutes_asleep end)::bigint as minutes_asleep_main, \
             sum(time_in_bed_minutes)::bigint as minutes_in_bed, sum(deep_minutes) as deep_minutes, sum(light_minutes) as light_minutes, \
             sum(rem_minutes) as rem_minutes, sum(wake_minutes) as wake_minutes, {}{}{}{} \
             coalesce(sum(sleep_valid_readings), 0)::bigint as sleep_valid_readings, \
             case when sum(sleep_valid_readings) > 0 then round(sum(sleep_bpm_sum)::numeric / sum(sleep_valid_readings), 2) end as avg_sleep_bpm, \
             min(sleep_bpm_min) as sleep_bpm_min, max(sleep_bpm_max) as sleep_bpm_max, \
             round(sum(overall_score)::numeric / nullif(count(overall_score), 0), 1) as sleep_score \
             from (select *, case when type = 'stages' then (select sum(k) from unnest(array[deep_minutes, light_minutes, rem_minutes, \
                 wake_minutes, 0]) k) end as whole from {} x) s group by 1, 2",
            share("deep", "deep_minutes"),
            share("light", "light_minutes"),
            share("rem", "rem_minutes"),
            share("wake", "case when whole > 0 then wake_minutes end"),
            self.days("stage.sleeps", "sleep_date")
        );
        self.check("sleeps", SLEEPS, self.beside_worn(&grouped))
    }

    /// Bed and wake times: sums of unit vectors differ in their last bits with the order of summing, so within 0.2 s is equal.
    fn times(self) -> Check {
        let (key, prefix) = (self.scope.key, self.scope.prefix);
        let angle = |column: &str| format!("2 * pi() * extract(epoch from {column}::time)::float8 / 86400");
        let mean = |column: &str| {
            let (sines, cosines) = (
                format!("sum(sin({}))", angle(column)),
                format!("sum(cos({}))", angle(column)),
            );
            format!(
                "case when {sines} ^ 2 + {cosines} ^ 2 >= 1e-12 then atan2({sines}, {cosines}) / (2 * pi()) * 86400 end"
            )
        };
        let away = |time: &str| {
            format!(
                "case when ({time} is null) <> (mean_{time} is null) then 1 else \
                 abs((extract(epoch from {time})::numeric - mean_{time}::numeric + 172800 + 43200) % 86400 - 43200) end"
            )
        };
        let found = format!(
            "select f.{key}, f.bucket from (select {key}, bucket, bedtime, wake_time from agg.{prefix}{}_sleeps \
                 where bucket >= '{{from}}' and bucket < '{{to}}') f \
             left join (select {key}, period, {} as mean_bedtime, {} as mean_wake_time from {} x where main_sleep group by 1, 2) m \
                 on m.{key} = f.{key} and m.period = f.bucket where {} > 0.2 or {} > 0.2",
            self.name,
            mean("start_local"),
            mean("end_local"),
            self.days("stage.sleeps", "sleep_date"),
            away("bedtime"),
            away("wake_time")
        );
        let none = format!("select {key}, now()::timestamp as bucket from raw.devices where false");
        Check {
            found: Some(found),
            columns: format!("{key}, bucket"),
            ..self.check("sleeps", "bedtime", none)
        }
    }

    fn exercises(self) -> Check {
        let key = self.scope.key;
        let grouped = format!(
            "select {key}, period, count(*) as exercises, sum(duration_minutes) as exercise_minutes, sum(active_minutes) as active_minutes, \
             sum(kcal) as exercise_kcal, sum(steps)::bigint as exercise_steps, sum(distance_m) as exercise_distance_m, \
             case when sum(weight) > 0 then round(sum(average_heart_rate * weight) / sum(weight), 1) end as avg_exercise_bpm \
             from (select *, case when average_heart_rate is not null then duration_minutes end as weight from {} x) e group by 1, 2",
            self.days("stage.exercises", "exercise_date")
        );
        self.check("exercises", EXERCISES, self.beside_worn(&grouped))
    }

    fn summary(self) -> Check {
        let (key, prefix, name) = (self.scope.key, self.scope.prefix, self.name);
        let part = |family: &str| {
            format!(
                "(select * from agg.{prefix}{name}_{family} where bucket >= '{{from}}' and bucket < '{{to}}')"
            )
        };
        let expected = format!(
            "select {key}, bucket, coalesce(w.minutes_worn, 0) as minutes_worn, \
             round(coalesce(w.minutes_worn, 0) / (extract(epoch from bucket + interval '1 {}' - bucket) / 60), 4) as worn_share, \
             h.valid_readings, h.bpm_min, h.bpm_max, h.bpm_avg, h.resting_bpm, s.steps, s.distance_m, s.kcal, a.sedentary_minutes, \
             a.lightly_active_minutes, a.moderately_active_minutes, a.very_active_minutes, n.sleeps, n.naps, n.minutes_asleep, \
             n.minutes_in_bed, n.avg_sleep_bpm, e.exercises, e.exercise_minutes \
             from {} h full join {} s using ({key}, bucket) full join {} a using ({key}, bucket) full join {} n using ({key}, bucket) \
             full join {} e using ({key}, bucket) left join (select {key}, period as bucket, minutes_worn from {} x) w using ({key}, bucket)",
            self.unit,
            part("heart_rates"),
            part("steps"),
            part("activity"),
            part("sleeps"),
            part("exercises"),
            self.worn()
        );
        self.check("summary", SUMMARY, expected)
    }
}
