//! People and their devices, what is usual for them, and age groups.

use pulseline_sql::periods::Level;

use super::check::{Check, PERIODS, SCOPES, Scope};

const FIGURES: [&str; 5] = [
    "steps",
    "minutes_asleep",
    "bpm_avg",
    "resting_bpm",
    "avg_sleep_bpm",
];
/// Figures of age groups, with the digits they are rounded to.
const MEANS: [(&str, u8); 9] = [
    ("minutes_worn", 1),
    ("steps", 1),
    ("distance_m", 1),
    ("kcal", 1),
    ("bpm_avg", 2),
    ("resting_bpm", 2),
    ("minutes_asleep", 1),
    ("avg_sleep_bpm", 2),
    ("exercise_minutes", 1),
];

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
    checks.extend(PERIODS.map(|(name, level, _)| age_groups(name, level)));
    checks
}

/// Day beside day, where the relation slides a window.
fn baselines(scope: Scope) -> Check {
    let (prefix, key) = (scope.prefix, scope.key);
    let (mut columns, mut means) = (
        format!("{key}, bucket, minutes_worn, is_valid, valid_days_7d, valid_days_28d"),
        String::new(),
    );
    for figure in FIGURES {
        columns += &format!(", {figure}, {figure}_7d, {figure}_28d, {figure}_deviation");
        means += &format!(
            ", d.{figure}, round(avg(b.{figure}) filter (where b.ago <= 7), 2) as {figure}_7d, \
             round(avg(b.{figure}), 2) as {figure}_28d, round(d.{figure} - avg(b.{figure}), 2) as {figure}_deviation"
        );
    }
    let grouped = FIGURES.map(|figure| format!(", d.{figure}")).concat();
    let expected = format!(
        "with days as materialized (select *, minutes_worn >= 864 as is_valid from agg.{prefix}daily_summary \
             where bucket >= date '{{from}}' - 28 and bucket < '{{to}}') \
         select d.{key}, d.bucket, d.minutes_worn, d.is_valid, count(b.ago) filter (where b.ago <= 7) as valid_days_7d, \
         count(b.ago) as valid_days_28d{means} from days d \
         left join lateral (select o.*, d.bucket::date - o.bucket::date as ago from days o where o.{key} = d.{key} and o.is_valid \
             and d.bucket::date - o.bucket::date between 1 and 28) b on true \
         where d.bucket >= '{{from}}' group by d.{key}, d.bucket, d.minutes_worn, d.is_valid{grouped}"
    );
    Check::figures(
        format!("agg.{prefix}daily_baselines"),
        Level::Day,
        columns,
        expected,
    )
}

fn age_groups(name: &str, level: Level) -> Check {
    let columns = MEANS.map(|(figure, _)| format!(", {figure}")).concat();
    let means = MEANS
        .map(|(figure, digits)| {
            format!(", round(sum({figure})::numeric / nullif(count({figure}), 0), {digits}) as {figure}")
        })
        .concat();
    // Whole years lived: birthdays passed, not differences of days.
    let expected = format!(
        "select g.age_group, s.bucket, count(*) as people{means} from agg.user_{name}_summary s \
         join raw.users u on u.user_id = s.user_id \
         cross join lateral (select date_part('year', s.bucket)::int - date_part('year', u.date_of_birth)::int \
             - (to_char(s.bucket, 'MMDD') < to_char(u.date_of_birth, 'MMDD'))::int as years) a \
         join (values ('under 18', -10000, 17), ('18-24', 18, 24), ('25-34', 25, 34), ('35-44', 35, 44), ('45-54', 45, 54), \
             ('55-64', 55, 64), ('over 64', 65, 10000)) g(age_group, low, high) on a.years between g.low and g.high \
         where s.bucket >= '{{from}}' and s.bucket < '{{to}}' group by 1, 2"
    );
    Check::figures(
        format!("agg.by_age_group_{name}"),
        level,
        format!("age_group, bucket, people{columns}"),
        expected,
    )
}
