//! Sleeps: when, how long, and through which levels.

use pulseline_schemas::time::{DAY_MS, MINUTE_MS};
use pulseline_schemas::{LocalMillis, Sleep, SleepLevel, Upload, UtcMillis};
use uuid::Uuid;

use super::{Cohort, Device};
use crate::random::{Draw, Purpose};

/// Fitbit's grid for times of a sleep.
const GRID_SECS: i64 = 30;
/// Log numbers of this era begin here; they need 64 bits.
const LOG_ID_BASE: i64 = 24_000_000_000;
/// Days without a sleep log: the device lay on its charger, or beside the bed.
const NO_LOG: f64 = 0.04;
/// Nights without enough heart rate for stages.
const CLASSIC: f64 = 0.08;
/// Days with a nap.
const NAP: f64 = 0.10;

/// One sleep, planned: what happened, before anyone uploads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// When it began.
    pub(crate) start: UtcMillis,
    /// When it ended.
    pub(crate) end: UtcMillis,
    log_id: i64,
    main: bool,
    classic: bool,
    info_code: i32,
    efficiency: i32,
    /// Fitbit's `duration` is half a minute off in half of the logs.
    duration_shift_ms: i64,
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
    Some(session(
        &mut draw,
        Frame {
            start,
            seconds,
            log_id,
            main: true,
            classic,
            info_code: i32::from(classic),
        },
    ))
}

fn nap(cohort: &Cohort, device: &Device, day: i32) -> Option<Session> {
    let mut draw = cohort.draw(device.index, day.into(), Purpose::Nap);
    if !draw.chance(NAP) {
        return None;
    }
    let person = cohort.owner(device);
    let lies_down = on_grid(i64::from(day) * DAY_MS + (13 * 60 + draw.between(0, 180)) * MINUTE_MS);
    let start = person.zone.instant(LocalMillis(lies_down));
    let seconds = draw.between(40, 100) * 60;
    let log_id = LOG_ID_BASE + i64::from(day) * 100_000 + i64::from(device.index) * 2 + 1;
    // Under three hours there are no stages.
    Some(session(
        &mut draw,
        Frame {
            start,
            seconds,
            log_id,
            main: false,
            classic: true,
            info_code: 2,
        },
    ))
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
        levels,
        shorts,
    }
}

fn on_grid(local_ms: i64) -> i64 {
    local_ms.div_euclid(GRID_SECS * 1_000) * GRID_SECS * 1_000
}

/// Cycles of about 90 minutes: deep sleep early, REM late.
fn stages(draw: &mut Draw, seconds: i64) -> Vec<(&'static str, i64)> {
    let mut levels = Vec::new();
    let mut left = seconds;
    let mut cycle = 0;
    push(&mut levels, &mut left, "wake", draw.between(8, 28));
    while left > 0 {
        push(&mut levels, &mut left, "light", draw.between(40, 80));
        push(
            &mut levels,
            &mut left,
            "deep",
            draw.between(30, 70) / (1 + cycle / 2),
        );
        push(&mut levels, &mut left, "light", draw.between(20, 50));
        push(
            &mut levels,
            &mut left,
            "rem",
            draw.between(14, 30) + 8 * cycle.min(4),
        );
        if draw.chance(0.6) {
            push(&mut levels, &mut left, "wake", draw.between(2, 12));
        }
        cycle += 1;
    }
    levels
}

fn classic_levels(draw: &mut Draw, seconds: i64) -> Vec<(&'static str, i64)> {
    let mut levels = Vec::new();
    let mut left = seconds;
    push(&mut levels, &mut left, "awake", draw.between(2, 10));
    while left > 0 {
        push(&mut levels, &mut left, "asleep", draw.between(30, 150));
        push(
            &mut levels,
            &mut left,
            if draw.chance(0.8) { "restless" } else { "awake" },
            draw.between(2, 8),
        );
    }
    levels
}

/// Adds a level of so many half minutes, as far as time is left.
fn push(levels: &mut Vec<(&'static str, i64)>, left: &mut i64, level: &'static str, half_minutes: i64) {
    let length = (half_minutes.max(1) * GRID_SECS).min(*left);
    if length > 0 {
        levels.push((level, length));
        *left -= length;
    }
}

/// Wakes of up to 3 minutes laid over long enough levels.
fn short_wakes(draw: &mut Draw, levels: &[(&'static str, i64)]) -> Vec<(i64, i64)> {
    let mut shorts = Vec::new();
    let mut at = 0;
    for &(level, length) in levels {
        if level != "wake" && length >= 600 && draw.chance(0.5) {
            shorts.push((
                at + draw.between(2, 10) * GRID_SECS,
                draw.between(1, 6) * GRID_SECS,
            ));
        }
        at += length;
    }
    shorts
}

impl Session {
    /// The session after someone edited it: it ends where its last level began, and is judged anew.
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

    /// The session as its device uploads it.
    pub(crate) fn event(&self, cohort: &Cohort, device: &Device, synced_at: UtcMillis) -> Sleep {
        let zone = &cohort.owner(device).zone;
        let (offset, end_offset) = (zone.offset(self.start), zone.offset(self.end));
        let (window_start, window_end) = (self.start.at_offset(offset), self.end.at_offset(end_offset));
        let mut at = window_start;
        let mut levels = Vec::with_capacity(self.levels.len() + 1);
        for &(level, seconds) in &self.levels {
            levels.push(sleep_level(at, level, seconds));
            at = LocalMillis(at.0 + seconds * 1_000);
        }
        // The clock jumped ahead: the levels keep the start's offset and are short of the new clock's end.
        if window_end > at {
            levels.push(sleep_level(at, "unknown", (window_end.0 - at.0) / 1_000));
        }
        let short_levels = self.shorts.iter().map(|&(after, seconds)| {
            sleep_level(LocalMillis(window_start.0 + after * 1_000), "wake", seconds)
        });
        let (time_in_bed, minutes_asleep) = self.minutes();
        Sleep {
            upload: Upload {
                event_id: Uuid::nil(),
                device_id: device.device_id,
                synced_at,
                utc_offset_minutes: offset,
                window_start,
                window_end,
            },
            end_utc_offset_minutes: end_offset,
            log_id: self.log_id,
            date_of_sleep: i32::try_from(window_end.days()).unwrap_or_default(),
            // The plain difference of the clocks, as Fitbit has it.
            duration_ms: window_end.0 - window_start.0 - self.duration_shift_ms,
            minutes_to_fall_asleep: 0,
            minutes_asleep,
            minutes_awake: time_in_bed - minutes_asleep,
            minutes_after_wakeup: 0,
            time_in_bed,
            efficiency: self.efficiency,
            kind: if self.classic { "classic" } else { "stages" }.to_owned(),
            info_code: Some(self.info_code),
            main_sleep: self.main,
            levels,
            short_levels: short_levels.collect(),
        }
    }

    /// Minutes in bed and minutes asleep.
    fn minutes(&self) -> (i32, i32) {
        let in_bed: i64 = self.levels.iter().map(|(_, seconds)| seconds).sum();
        let asleep: i64 = self
            .levels
            .iter()
            .filter(|(level, _)| !matches!(*level, "wake" | "awake" | "restless"))
            .map(|(_, seconds)| seconds)
            .sum();
        let woken: i64 = self.shorts.iter().map(|(_, seconds)| seconds).sum();
        let minutes = |seconds: i64| i32::try_from(seconds / 60).unwrap_or_default();
        (minutes(in_bed), minutes(asleep - woken))
    }
}

fn sleep_level(ts: LocalMillis, level: &str, seconds: i64) -> SleepLevel {
    SleepLevel {
        ts,
        level: level.to_owned(),
        seconds: i32::try_from(seconds).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
