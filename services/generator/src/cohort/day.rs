//! One local day of one device: wear time and activity by minute.

use pulseline_schemas::UtcMillis;
use pulseline_schemas::time::MINUTE_MS;

use super::activity::{Minute, minutes};
use super::bout::{Bout, bouts};
use super::night::{Session, night, sessions};
use super::zone::{Span, windows};
use super::{Cohort, Device};
use crate::quirks::Quirk;
use crate::random::Purpose;

const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Days on which the device is not worn.
const NOT_WORN_ALL_DAY: f64 = 0.02;
/// Days with a gap of hours.
const LONG_GAP: f64 = 0.10;

/// Days with an hour of steps without heart rates.
const SENSOR_OFF: f64 = 0.08;

/// A day, planned.
#[derive(Debug)]
pub(crate) struct Day {
    pub(crate) device: Device,
    /// The local date, in days since 1970-01-01.
    pub(crate) date: i32,
    /// First instant of the date.
    pub(crate) start: i64,
    /// Upload windows, in order; an upload window never spans a change of the offset.
    pub(crate) windows: Vec<Span>,
    /// The sleeps that end on this date.
    pub(crate) sessions: Vec<Session>,
    /// The exercises that were detected or recorded on this date.
    pub(crate) bouts: Vec<Bout>,
    /// Activity of each minute from `start` on.
    pub(crate) minutes: Vec<Minute>,
}

impl Day {
    /// The day of a device, a function of the cohort's seed.
    pub(crate) fn plan(cohort: &Cohort, device: Device, date: i32, window_ms: i64) -> Self {
        let zone = &cohort.owner(&device).zone;
        let (start, end) = (zone.midnight(date), zone.midnight(date + 1));
        let today = if worn_at_all(cohort, &device, date) {
            sessions(cohort, &device, date)
        } else {
            Vec::new()
        };
        let tonight = night(cohort, &device, date + 1);
        let gaps = gaps(cohort, &device, date, (start.0, end.0));
        let asleep = |at: i64| {
            today
                .iter()
                .chain(&tonight)
                .any(|session| (session.start.0..session.end.0).contains(&at))
        };
        let worn = |at: i64| !gaps.iter().any(|&(from, to)| (from..to).contains(&at));
        let mut minutes = minutes(cohort, &device, (date, start.0, end.0), worn, asleep);
        switch_sensor_off(cohort, &device, date, &mut minutes);
        let bouts = bouts(cohort, &device, date, (start.0, &minutes));
        Self {
            device,
            date,
            start: start.0,
            windows: windows(&zone.spans(start, end), window_ms),
            sessions: today,
            bouts,
            minutes,
        }
    }

    /// The minute that holds an instant of this day.
    pub(crate) fn minute(&self, at: i64) -> Option<&Minute> {
        self.minutes
            .get(usize::try_from((at - self.start).div_euclid(MINUTE_MS)).ok()?)
    }

    /// True if the device was worn for at least one minute.
    pub(crate) fn is_worn(&self) -> bool {
        self.minutes.iter().any(|minute| minute.worn)
    }

    /// The minutes that begin inside a window, each with its instant.
    pub(crate) fn minutes_in(&self, window: &Span) -> impl Iterator<Item = (i64, &Minute)> {
        let first = (window.from - self.start + MINUTE_MS - 1).div_euclid(MINUTE_MS);
        let last = (window.to - self.start + MINUTE_MS - 1).div_euclid(MINUTE_MS);
        (first..last).filter_map(|index| {
            let minute = self.minutes.get(usize::try_from(index).ok()?)?;
            Some((self.start + index * MINUTE_MS, minute))
        })
    }
}

fn worn_at_all(cohort: &Cohort, device: &Device, date: i32) -> bool {
    !cohort.has(Quirk::Gaps)
        || !cohort
            .draw(device.index, date.into(), Purpose::Wear)
            .chance(NOT_WORN_ALL_DAY)
}

/// When the device is not worn: charging, forgotten, or a second device that is left at home.
fn gaps(cohort: &Cohort, device: &Device, date: i32, (start, end): (i64, i64)) -> Vec<(i64, i64)> {
    let mut draw = cohort.draw(device.index, date.into(), Purpose::Wear);
    if !cohort.has(Quirk::Gaps) && !device.secondary {
        return Vec::new();
    }
    if draw.chance(NOT_WORN_ALL_DAY) {
        return vec![(start, end)];
    }
    if device.secondary {
        if draw.chance(0.4) {
            return vec![(start, end)];
        }
        let on = start + draw.between(8 * 60, 13 * 60) * MINUTE_MS;
        let off = on + draw.between(4 * 60, 8 * 60) * MINUTE_MS;
        return vec![(start, on), (off, end)];
    }
    let charging = start + draw.between(9 * 60, 21 * 60) * MINUTE_MS;
    let mut gaps = vec![(charging, charging + draw.between(25, 90) * MINUTE_MS)];
    if draw.chance(LONG_GAP) {
        let forgotten = start + draw.between(9, 14) * HOUR_MS;
        gaps.push((forgotten, forgotten + draw.between(3, 9) * HOUR_MS));
    }
    gaps
}

/// An hour in which steps are counted and the heart rate is not measured.
fn switch_sensor_off(cohort: &Cohort, device: &Device, date: i32, minutes: &mut [Minute]) {
    let mut draw = cohort.draw(device.index, date.into(), Purpose::SensorOff);
    if draw.chance(SENSOR_OFF) && cohort.has(Quirk::StepsWithoutHeartRate) {
        let from = usize::try_from(draw.between(8 * 60, 20 * 60)).unwrap_or_default();
        let until = (from + 60).min(minutes.len());
        for minute in minutes.get_mut(from..until).unwrap_or_default() {
            minute.senses_heart = false;
        }
    }
}

/// The first instant of a date for a device; all of the date's uploads are sent after it.
pub(crate) fn opens_at(cohort: &Cohort, device: &Device, date: i32) -> UtcMillis {
    cohort.owner(device).zone.midnight(date)
}
