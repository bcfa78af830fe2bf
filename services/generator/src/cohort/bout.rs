//! Exercises: the period with the most steps, detected by the device, or one that the wearer recorded.

mod upload;

use pulseline_schemas::UtcMillis;
use pulseline_schemas::time::MINUTE_MS;

use super::activity::{Level, Minute};
use super::{Cohort, Device};
use crate::quirks::Quirk;
use crate::random::{Draw, Purpose};

/// Log numbers of this time begin here; they need 64 bits.
const LOG_ID_BASE: i64 = 29_000_000_000;
/// Days with an exercise.
const EXERCISE: f64 = 0.4;
/// Fewest steps per minute of a walk.
const WALK_STEPS_A_MINUTE: i32 = 25;

/// One exercise, planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bout {
    /// When it began.
    pub(crate) start: UtcMillis,
    /// When it ended.
    pub(crate) end: UtcMillis,
    log_id: i64,
    sport: Sport,
    /// Steps and calories that its wearer added.
    added: i32,
    /// Keys that this log lacks, one bit each.
    absent: u32,
}

/// The kind of exercise: its name and Fitbit's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sport {
    name: &'static str,
    type_id: Option<i64>,
    log_type: &'static str,
}

const fn sport(name: &'static str, type_id: Option<i64>, log_type: &'static str) -> Sport {
    Sport {
        name,
        type_id,
        log_type,
    }
}

const WALK: Sport = sport("Walk", Some(90_013), "auto_detected");
const HIKE: Sport = sport("Hike", Some(90_012), "manual");
const RUN: Sport = sport("Run", Some(90_009), "auto_detected");
const BIKE: Sport = sport("Bike", Some(90_001), "tracker");
/// A kind that is in no list.
const UNKNOWN_SPORT: Sport = sport("Hover Boarding", None, "mobile_ride");

/// The exercises of a date whose minutes begin at an instant.
pub(crate) fn bouts(
    cohort: &Cohort,
    device: &Device,
    date: i32,
    (start, minutes): (i64, &[Minute]),
) -> Vec<Bout> {
    let mut draw = cohort.draw(device.index, date.into(), Purpose::Exercise);
    if device.secondary || !draw.chance(EXERCISE) {
        return Vec::new();
    }
    let length = draw.int(15, 60).unsigned_abs() as usize;
    let (roll, at) = (draw.below(10), draw.between(9 * 60, 19 * 60));
    let (seconds, absent) = (draw.between(0, 59), draw.bits());
    let recorded = (usize::try_from(at).unwrap_or_default(), BIKE);
    let found = match roll {
        0 if cohort.has(Quirk::UnknownValues) => Some((recorded.0, UNKNOWN_SPORT)),
        0..=2 => Some(recorded),
        _ => busiest(minutes, length),
    };
    let Some((first, sport)) = found else {
        return Vec::new();
    };
    let worn = minutes.get(first..first + length);
    if !worn.is_some_and(|minutes| minutes.iter().all(|minute| minute.worn)) {
        return Vec::new();
    }
    let begins = start + i64::try_from(first).unwrap_or_default() * MINUTE_MS + seconds * 1_000;
    // An exercise ends within its last minute.
    let lasts = i64::try_from(length).unwrap_or_default() * MINUTE_MS - 60_000;
    vec![Bout {
        start: UtcMillis(begins),
        end: UtcMillis(begins + lasts),
        log_id: LOG_ID_BASE + i64::from(date) * 100_000 + i64::from(device.index),
        sport,
        added: 0,
        absent: if cohort.has(Quirk::AbsentKeys) { absent } else { 0 },
    }]
}

/// The window of `length` minutes with the most steps, and its kind of exercise; none if it has few steps.
fn busiest(minutes: &[Minute], length: usize) -> Option<(usize, Sport)> {
    let steps = |minute: &Minute| minute.steps.unwrap_or_default();
    let mut sum: i32 = minutes.iter().take(length).map(steps).sum();
    let mut best = (0, sum);
    for last in length..minutes.len() {
        sum += steps(&minutes[last]) - steps(&minutes[last - length]);
        if sum > best.1 {
            best = (last - length + 1, sum);
        }
    }
    let (first, most) = best;
    let window = minutes.get(first..first + length)?;
    let runs = window
        .iter()
        .filter(|minute| minute.level() == Level::Very)
        .count();
    let enough = most >= WALK_STEPS_A_MINUTE * i32::try_from(length).ok()?;
    enough.then_some((first, if runs * 2 > length { RUN } else { WALK }))
}

impl Bout {
    /// The exercise after an edit: moved in time, but not before its day, or with another name.
    pub(crate) fn edited(&self, day_start: i64, draw: &mut Draw) -> Self {
        let earlier = draw.between(5, 20) * MINUTE_MS;
        let added = draw.int(10, 200);
        let mut edited = self.clone();
        if draw.chance(0.5) && self.start.0 - earlier >= day_start {
            edited.start.0 -= earlier;
            edited.end.0 -= earlier;
        }
        edited.sport = if self.sport == WALK { HIKE } else { self.sport };
        edited.added = added;
        edited
    }
}
