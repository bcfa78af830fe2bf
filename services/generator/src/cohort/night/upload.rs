//! A sleep as its device uploads it.

use pulseline_schemas::{LocalDay, LocalMillis, Sleep, SleepLevel, Stream, Upload, UtcMillis};
use uuid::Uuid;

use super::Session;
use crate::cohort::oddities::extra;
use crate::cohort::{Cohort, Device};
use crate::quirks::Quirk;

impl Session {
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
        // The clock jumped ahead. The levels keep the start's offset, so they end before the new clock's end.
        if window_end > at {
            levels.push(sleep_level(at, "unknown", (window_end.0 - at.0) / 1_000));
        }
        let short_levels = self.shorts.iter().map(|&(after, seconds)| {
            sleep_level(LocalMillis(window_start.0 + after * 1_000), "wake", seconds)
        });
        let (minutes, minutes_asleep) = self.minutes();
        let time_in_bed = minutes + self.in_bed_shift;
        let efficiency = if cohort.has(Quirk::OwnEfficiency) {
            self.efficiency
        } else {
            100 * minutes_asleep / time_in_bed.max(1)
        };
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
            date_of_sleep: LocalDay(i32::try_from(window_end.days()).unwrap_or_default()),
            // Fitbit uses the plain difference of the wall clocks.
            duration_ms: window_end.0 - window_start.0 - self.duration_shift_ms,
            minutes_to_fall_asleep: 0,
            minutes_asleep,
            minutes_awake: minutes - minutes_asleep,
            minutes_after_wakeup: 0,
            time_in_bed,
            efficiency,
            kind: if self.classic { "classic" } else { "stages" }.to_owned(),
            info_code: Some(self.info_code),
            main_sleep: self.main,
            levels,
            short_levels: short_levels.collect(),
            log_type: Some(if self.main { "auto_detected" } else { "manual" }.to_owned()),
            extra: extra(cohort, device, self.start.0, Stream::Sleeps),
        }
    }

    /// Minutes in bed and minutes asleep.
    pub(crate) fn minutes(&self) -> (i32, i32) {
        let in_bed: i64 = self.levels.iter().map(|(_, seconds)| seconds).sum();
        let asleep: i64 = self
            .levels
            .iter()
            .filter(|(level, _)| !matches!(*level, "wake" | "awake" | "restless" | "unknown"))
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
