//! The figures of days, weeks and months.

use pulseline_schemas::time::DAY_MS;
use pulseline_sql::periods::Level;

use super::days::{Day, Days, Effort, sum};
use super::decimal::rounded;
use super::nights::Night;
use super::owners::Scope;
use super::quarters::Sum;
use super::rows::{Figures, Rows};

const PERIODS: [(&str, Level); 3] = [
    ("daily", Level::Day),
    ("weekly", Level::Week),
    ("monthly", Level::Month),
];
/// Figures of a day or more; none without data.
type Family = fn(&Day, i64) -> Option<Figures>;

/// Every relation of a scope's figures.
pub(super) fn relations(days: &Days, scope: Scope) -> Vec<(String, Rows)> {
    let mut relations = Vec::new();
    for (name, level) in PERIODS {
        let mut periods = Days::new();
        for ((owner, day), figures) in days {
            let start = level.period(*day).start;
            periods.entry((*owner, start)).or_default().merge(figures);
        }
        let families: [(&str, Family); 6] = [
            ("heart_rates", heart_rates),
            ("steps", steps),
            ("activity", activity),
            ("sleeps", sleeps),
            ("exercises", exercises),
            ("summary", summary),
        ];
        for (family, figures) in families {
            let rows = periods.iter().filter_map(|((owner, start), period)| {
                let length = i64::try_from(level.period(*start).len()).ok()?;
                let key = (*owner, *owner, i64::from(*start) * DAY_MS, 0);
                Some((key, figures(period, length)?))
            });
            let relation = format!("agg.{}{name}_{family}", scope.prefix());
            relations.push((relation, rows.collect()));
        }
    }
    relations
}

fn mean(sum: i64, count: i64, factor: i64) -> Option<i64> {
    rounded(i128::from(sum) * i128::from(factor), count.into())
}

fn resting(day: &Day) -> Option<i64> {
    mean(
        day.resting.iter().sum(),
        i64::try_from(day.resting.len()).ok()?,
        1,
    )
}

fn heart_rates(day: &Day, _: i64) -> Option<Figures> {
    let is_there = day.heart.readings > 0 || day.is_said;
    let mut figures = vec![
        Some(day.worn),
        Some(day.heart.readings),
        Some(day.valid),
        (day.valid > 0).then_some(day.heart.sum),
        day.heart.low(),
        day.heart.high(),
        mean(day.heart.sum, day.valid, 100),
        resting(day),
    ];
    figures.extend(day.zones);
    is_there.then_some(figures)
}

fn steps(day: &Day, _: i64) -> Option<Figures> {
    let there = |sum: &Sum| (sum.readings > 0).then_some(sum.sum);
    let [steps, distances, calories] = &day.minutes;
    let figures = vec![
        Some(day.worn),
        there(steps),
        steps.high(),
        there(distances),
        there(calories),
    ];
    figures[1..].iter().any(Option::is_some).then_some(figures)
}

fn activity(day: &Day, _: i64) -> Option<Figures> {
    let figures = std::iter::once(Some(day.worn)).chain(day.levels);
    day.is_active.then(|| figures.collect())
}

/// Time of day in milliseconds: the mean direction of these times, in tenths of a second.
fn mean_time(times: impl Iterator<Item = i64>) -> Option<i64> {
    let angle = |millis: i64| {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a day has fewer milliseconds than 2^52"
        )]
        let share = millis.rem_euclid(DAY_MS) as f64 / DAY_MS as f64;
        share * std::f64::consts::TAU
    };
    let (mut sines, mut cosines, mut count) = (0.0, 0.0, 0);
    for time in times {
        sines += angle(time).sin();
        cosines += angle(time).cos();
        count += 1;
    }
    if count == 0 || f64::hypot(sines, cosines) < 1e-6 {
        return None;
    }
    let share = f64::atan2(sines, cosines) / std::f64::consts::TAU;
    #[expect(clippy::cast_possible_truncation, reason = "at most 864,000")]
    let tenths = (share * 864_000.0).round() as i64;
    Some(tenths.rem_euclid(864_000))
}

fn sleeps(day: &Day, _: i64) -> Option<Figures> {
    let nights = &day.nights;
    let main = || nights.iter().filter(|night| night.sleep.main_sleep);
    let total = |of: fn(&Night) -> Option<i64>| sum(nights.iter().map(of));
    let kinds = [0, 1, 2, 3].map(|kind| sum(nights.iter().map(|night| night.tenths[kind])));
    let staged = total(Night::staged).unwrap_or(0);
    let share = |tenths: Option<i64>| tenths.and_then(|tenths| mean(tenths, staged, 10_000));
    let wake = sum(nights
        .iter()
        .filter(|night| night.staged() > Some(0))
        .map(|night| night.tenths[3]));
    let valid = total(|night| Some(night.valid)).unwrap_or(0);
    let scores = nights.iter().filter(|night| night.score.is_some()).count();
    let count = |number: usize| i64::try_from(number).ok();
    let mut figures = vec![
        Some(day.worn),
        count(nights.len()),
        count(nights.len() - main().count()),
        total(|night| Some(night.sleep.minutes_asleep.into())),
        sum(main().map(|night| Some(night.sleep.minutes_asleep.into()))),
        total(|night| Some(night.sleep.time_in_bed.into())),
    ];
    figures.extend(kinds);
    figures.extend([share(kinds[0]), share(kinds[1]), share(kinds[2]), share(wake)]);
    figures.extend([
        mean_time(main().map(|night| night.sleep.upload.window_start.0)),
        mean_time(main().map(|night| night.sleep.upload.window_end.0)),
        Some(valid),
        mean(total(|night| Some(night.sum)).unwrap_or(0), valid, 100),
        nights.iter().filter_map(|night| Some(night.extremes?.0)).min(),
        nights.iter().filter_map(|night| Some(night.extremes?.1)).max(),
        mean(
            total(|night| night.score.map(i64::from)).unwrap_or(0),
            count(scores)?,
            10,
        ),
    ]);
    (!nights.is_empty()).then_some(figures)
}

fn exercises(day: &Day, _: i64) -> Option<Figures> {
    let total = |of: fn(&Effort) -> Option<i64>| sum(day.efforts.iter().map(of));
    let weighed = total(|effort| Some(effort.bpm? * effort.minutes)).unwrap_or(0);
    let weights = total(|effort| effort.bpm.map(|_| effort.minutes)).unwrap_or(0);
    let figures = vec![
        Some(day.worn),
        i64::try_from(day.efforts.len()).ok(),
        total(|effort| Some(effort.minutes)),
        total(|effort| effort.active),
        total(|effort| effort.kcal),
        total(|effort| effort.steps),
        total(|effort| effort.distance),
        mean(weighed, weights, 10),
    ];
    (!day.efforts.is_empty()).then_some(figures)
}

fn summary(day: &Day, length: i64) -> Option<Figures> {
    let (hearts, walked) = (heart_rates(day, length), steps(day, length));
    let (active, slept) = (activity(day, length), sleeps(day, length));
    let trained = exercises(day, length);
    let is_there = [&hearts, &walked, &active, &slept, &trained]
        .iter()
        .any(|family| family.is_some());
    let pick = |family: &Option<Figures>, columns: &[usize]| -> Figures {
        let of = |column: &usize| family.as_ref().and_then(|figures| figures[*column]);
        columns.iter().map(of).collect()
    };
    let mut figures = vec![Some(day.worn), mean(day.worn, length * 1_440, 10_000)];
    figures.extend(pick(&hearts, &[2, 4, 5, 6, 7]));
    figures.extend(pick(&walked, &[1, 3, 4]));
    figures.extend(pick(&active, &[1, 2, 3, 4]));
    figures.extend(pick(&slept, &[1, 2, 3, 5, 17]));
    figures.extend(pick(&trained, &[1, 2]));
    is_there.then_some(figures)
}
