//! Activity by minute (sleep, rest, walk, run) and the resulting heart rate.

use pulseline_schemas::time::MINUTE_MS;

use super::{Cohort, Device};
use crate::quirks::Quirk;
use crate::random::{Draw, Purpose};

/// One minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Minute {
    /// False: no readings.
    pub(crate) worn: bool,
    /// False: steps are counted, but the heart rate is not measured.
    pub(crate) senses_heart: bool,
    /// The value that the heart rate approaches.
    pub(crate) bpm: i32,
    /// Steps, if the minute is reported. An unreported minute may have any activity.
    pub(crate) steps: Option<i32>,
}

/// How active a minute is, by Fitbit's levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Sedentary,
    Lightly,
    Moderately,
    Very,
}

/// Fewest steps per minute of each level: up and about, a brisk walk, a run.
const LIGHTLY_FROM: i32 = 12;
const MODERATELY_FROM: i32 = 100;
const VERY_FROM: i32 = 142;

impl Minute {
    /// A device that is not worn counts as sedentary.
    pub(crate) fn level(&self) -> Level {
        match self.steps.unwrap_or_default() {
            VERY_FROM.. => Level::Very,
            MODERATELY_FROM.. => Level::Moderately,
            LIGHTLY_FROM.. => Level::Lightly,
            _ => Level::Sedentary,
        }
    }

    /// The heart rate, if it was measured.
    pub(crate) const fn measured_bpm(&self) -> Option<i32> {
        if self.worn && self.senses_heart {
            Some(self.bpm)
        } else {
            None
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Doing {
    Sits,
    Walks,
    Runs,
}

/// The minutes of the day (date, first instant, end).
pub(crate) fn minutes(
    cohort: &Cohort,
    device: &Device,
    (date, start, end): (i32, i64, i64),
    worn: impl Fn(i64) -> bool,
    asleep: impl Fn(i64) -> bool,
) -> Vec<Minute> {
    let person = cohort.owner(device);
    let mut draw = cohort.draw(device.index, date.into(), Purpose::Minutes);
    let mut doing = Doing::Sits;
    let says_zero = cohort.has(Quirk::ZeroMinutes);
    let count = (end - start) / MINUTE_MS;
    let one = |index: i64| {
        let at = start + index * MINUTE_MS;
        let (worn, asleep) = (worn(at), asleep(at));
        doing = if asleep {
            Doing::Sits
        } else {
            next(doing, index / 60, &mut draw)
        };
        let steps = if worn && !asleep {
            steps(doing, &mut draw).filter(|steps| *steps > 0 || says_zero)
        } else {
            None
        };
        let effort = match doing {
            Doing::Sits if asleep => -4 - ((index / 45) % 3),
            Doing::Sits => 10 + circadian(index),
            Doing::Walks => 36 + circadian(index),
            Doing::Runs => 78,
        };
        let bpm = person.resting_bpm + i32::try_from(effort).unwrap_or_default();
        Minute {
            worn,
            senses_heart: true,
            bpm: bpm.min(person.max_bpm - 5),
            steps,
        }
    };
    (0..count).map(one).collect()
}

/// Beats added by the time of day: none in the morning and at night, most in the late afternoon.
fn circadian(minute: i64) -> i64 {
    let from_peak = (minute - 16 * 60) / 60;
    (9 - from_peak * from_peak / 8).max(0)
}

/// Chooses the next activity. How often a person gets up depends on the hour of the day.
fn next(doing: Doing, hour: i64, draw: &mut Draw) -> Doing {
    let roll = draw.below(1_000);
    let gets_up = match hour {
        7..=9 | 12 | 15..=18 => 60,
        10..=21 => 32,
        _ => 8,
    };
    match doing {
        Doing::Sits if roll < gets_up => Doing::Walks,
        Doing::Sits if roll >= 998 && (6..=20).contains(&hour) => Doing::Runs,
        Doing::Walks if roll < 190 => Doing::Sits,
        Doing::Runs if roll < 32 => Doing::Walks,
        same => same,
    }
}

/// Steps of a minute. Most minutes without steps are unreported; some report zero.
fn steps(doing: Doing, draw: &mut Draw) -> Option<i32> {
    let roll = draw.below(100);
    match doing {
        Doing::Sits if roll < 62 => None,
        Doing::Sits if roll < 76 => Some(0),
        Doing::Sits => Some(draw.int(1, 24)),
        Doing::Walks => Some(draw.int(55, 118)),
        Doing::Runs => Some(draw.int(142, 178)),
    }
}
