//! Distances and energy of one window, as measured and as corrected later.

use pulseline_schemas::{Calorie, Distance, UtcMillis};

use super::Cohort;
use super::activity::{Level, Minute};
use super::day::Day;
use super::zone::Span;
use crate::random::Draw;

/// Distances of a window: one for every minute with reported steps.
pub(crate) fn distances(cohort: &Cohort, day: &Day, window: &Span) -> Vec<Distance> {
    let step_mm = cohort.owner(&day.device).step_mm;
    let reported = day.minutes_in(window).filter_map(|(at, minute)| {
        Some(Distance {
            ts: UtcMillis(at).at_offset(window.utc_offset_minutes),
            distance_mm: distance_mm(step_mm, minute)?,
        })
    });
    reported.collect()
}

/// Millimetres of a minute; steps are longer when running.
pub(crate) fn distance_mm(step_mm: i32, minute: &Minute) -> Option<i32> {
    let percent = if minute.level() == Level::Very { 140 } else { 100 };
    Some(minute.steps? * step_mm * percent / 100)
}

/// Energy of a window: one value for every minute, worn or not.
pub(crate) fn calories(cohort: &Cohort, day: &Day, window: &Span) -> Vec<Calorie> {
    let basal = cohort.owner(&day.device).basal_millikcal;
    let every = day.minutes_in(window).map(|(at, minute)| Calorie {
        ts: UtcMillis(at).at_offset(window.utc_offset_minutes),
        millikcal: millikcal(basal, minute),
    });
    every.collect()
}

/// Thousandths of a kilocalorie of a minute: the basal rate, and more for every step.
pub(crate) fn millikcal(basal: i32, minute: &Minute) -> i32 {
    let steps = minute.steps.unwrap_or_default();
    let percent = match minute.level() {
        Level::Sedentary => 100 + 4 * steps,
        Level::Lightly => 150 + 2 * steps,
        Level::Moderately => 200 + 2 * steps,
        Level::Very => 300 + 4 * steps,
    };
    basal * percent / 100
}

/// The values of a later upload of the same window; at least the last minute differs.
pub(crate) fn correct_distances(samples: &mut [Distance], draw: &mut Draw) {
    let last = samples.len().saturating_sub(1);
    for (index, sample) in samples.iter_mut().enumerate() {
        if draw.chance(0.3) || index == last {
            sample.distance_mm += draw.int(1, 9_000);
        }
    }
}

/// [`correct_distances`] for energy.
pub(crate) fn correct_calories(samples: &mut [Calorie], draw: &mut Draw) {
    let last = samples.len().saturating_sub(1);
    for (index, sample) in samples.iter_mut().enumerate() {
        if draw.chance(0.3) || index == last {
            sample.millikcal += draw.int(10, 900);
        }
    }
}
