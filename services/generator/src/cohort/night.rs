//! Sleeps: start, length and levels.

mod growth;
mod levels;
mod upload;

use pulseline_schemas::time::{DAY_MS, MINUTE_MS};
use pulseline_schemas::{LocalMillis, UtcMillis};

use super::{Cohort, Device};
use crate::quirks::Quirk;
use crate::random::{Draw, Purpose};
use levels::{GRID_SECS, classic_levels, short_wakes, stages};

/// Log numbers of this time begin here; they need 64 bits.
const LOG_ID_BASE: i64 = 24_000_000_000;
/// Days without a sleep log: the device was charging, or not worn.
const NO_LOG: f64 = 0.04;
/// Nights with too few heart rates for stages.
const CLASSIC: f64 = 0.08;
/// Days with a nap.
const NAP: f64 = 0.10;
/// Logs in which the minutes in bed differ from the sum of the others.
const SHIFTED_IN_BED: f64 = 0.35;
/// Nights with stages and no short wakes.
const NO_SHORT_LEVELS: f64 = 0.06;
/// Logs with a level that has no name.
const UNKNOWN_LEVEL: f64 = 0.03;

/// One planned sleep, before its upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// When it began.
    pub(crate) start: UtcMillis,
    /// When it ended.
    pub(crate) end: UtcMillis,
    pub(crate) log_id: i64,
    main: bool,
    classic: bool,
    info_code: i32,
    efficiency: i32,
    /// Fitbit's `duration` is half a minute off in half of the logs.
    duration_shift_ms: i64,
    /// Difference between the minutes in bed and the sum of the others.
    in_bed_shift: i32,
    levels: Vec<(&'static str, i64)>,
    /// Short wakes: seconds after the start, length in seconds.
    shorts: Vec<(i64, i64)>,
}

/// The night that ends on a local date, and the nap of that date.
pub(crate) fn sessions(cohort: &Cohort, device: &Device, day: i32) -> Vec<Session> {
    if device.secondary {
        return Vec::new();
    }
    [night(cohort, device, day), nap(cohort, device, day)]
        .into_iter()
        .flatten()
        .collect()
}

/// The night that ends on a local date.
pub(crate) fn night(cohort: &Cohort, device: &Device, day: i32) -> Option<Session> {
    let mut draw = cohort.draw(device.index, day.into(), Purpose::Night);
    if device.secondary || draw.chance(NO_LOG) {
        return None;
    }
    let person = cohort.owner(device);
    let midnight = i64::from(day) * DAY_MS;
    let to_bed = on_grid(
        midnight + (person.chronotype_minutes + draw.between(-90, 60)) * MINUTE_MS + draw.between(0, 59_999),
    );
    let start = person.zone.instant(LocalMillis(to_bed));
    let seconds = draw.between(330, 540) * 60 + draw.between(0, 1) * GRID_SECS;
    let classic = draw.chance(CLASSIC);
    let log_id = LOG_ID_BASE + i64::from(day) * 100_000 + i64::from(device.index) * 2;
    let frame = Frame {
        start,
        seconds,
        log_id,
        main: true,
        classic,
        info_code: i32::from(classic),
    };
    Some(with_oddities(cohort, device, session(&mut draw, frame)))
}

fn nap(cohort: &Cohort, device: &Device, day: i32) -> Option<Session> {
    let mut draw = cohort.draw(device.index, day.into(), Purpose::Nap);
    if !draw.chance(NAP) || !cohort.has(Quirk::Naps) {
        return None;
    }
    let person = cohort.owner(device);
    let lies_down = on_grid(i64::from(day) * DAY_MS + (13 * 60 + draw.between(0, 180)) * MINUTE_MS);
    let start = person.zone.instant(LocalMillis(lies_down));
    let seconds = draw.between(40, 100) * 60;
    let log_id = LOG_ID_BASE + i64::from(day) * 100_000 + i64::from(device.index) * 2 + 1;
    // Sleeps of less than three hours have no stages.
    let frame = Frame {
        start,
        seconds,
        log_id,
        main: false,
        classic: true,
        info_code: 2,
    };
    Some(with_oddities(cohort, device, session(&mut draw, frame)))
}

struct Frame {
    start: UtcMillis,
    seconds: i64,
    log_id: i64,
    main: bool,
    classic: bool,
    info_code: i32,
}

fn session(draw: &mut Draw, frame: Frame) -> Session {
    let levels = if frame.classic {
        classic_levels(draw, frame.seconds)
    } else {
        stages(draw, frame.seconds)
    };
    let shorts = if frame.classic {
        Vec::new()
    } else {
        short_wakes(draw, &levels)
    };
    Session {
        start: frame.start,
        end: UtcMillis(frame.start.0 + frame.seconds * 1_000),
        log_id: frame.log_id,
        main: frame.main,
        classic: frame.classic,
        info_code: frame.info_code,
        efficiency: draw.int(84, 98),
        duration_shift_ms: if draw.chance(0.5) { GRID_SECS * 1_000 } else { 0 },
        in_bed_shift: 0,
        levels,
        shorts,
    }
}

/// Adds the oddities of real logs.
fn with_oddities(cohort: &Cohort, device: &Device, mut session: Session) -> Session {
    let mut draw = cohort.draw(device.index, session.start.0, Purpose::NightOddities);
    if draw.chance(SHIFTED_IN_BED) && cohort.has(Quirk::OddSummaries) {
        session.in_bed_shift = 1;
    }
    if draw.chance(NO_SHORT_LEVELS) && cohort.has(Quirk::NoShortLevels) {
        session.shorts.clear();
    }
    if draw.chance(UNKNOWN_LEVEL)
        && cohort.has(Quirk::UnknownValues)
        && let Some((level, _)) = session.levels.get_mut(2)
    {
        *level = "unknown";
    }
    if !cohort.has(Quirk::DurationOff) {
        session.duration_shift_ms = 0;
    }
    session
}

fn on_grid(local_ms: i64) -> i64 {
    local_ms.div_euclid(GRID_SECS * 1_000) * GRID_SECS * 1_000
}

impl Session {
    /// True if Fitbit gives it a score: a main sleep with stages.
    pub(crate) const fn is_scored(&self) -> bool {
        self.main && !self.classic
    }

    /// Minutes of deep sleep.
    pub(crate) fn deep_minutes(&self) -> i32 {
        let deep = self.levels.iter().filter(|(level, _)| *level == "deep");
        i32::try_from(deep.map(|(_, seconds)| seconds).sum::<i64>() / 60).unwrap_or_default()
    }

    /// The session after an edit: it ends where its last level began, and its figures are recomputed.
    pub(crate) fn edited(&self, draw: &mut Draw) -> Self {
        let mut edited = self.clone();
        if edited.levels.len() > 2
            && let Some((_, cut)) = edited.levels.pop()
        {
            edited.end = UtcMillis(self.end.0 - cut * 1_000);
            let seconds = (edited.end.0 - edited.start.0) / 1_000;
            edited.shorts.retain(|(at, length)| at + length <= seconds);
        }
        edited.efficiency = self.efficiency - draw.int(1, 6);
        edited
    }
}

#[cfg(test)]
mod tests;
