//! A night that is sent before it is over: its log so far.

use pulseline_schemas::UtcMillis;

use super::Session;
use crate::cohort::{Cohort, Device};
use crate::quirks::Quirk;
use crate::random::Purpose;

/// Nights of which a part is sent when the sleeper wakes up.
const GROWING: f64 = 0.4;
/// A shorter sleep is not logged yet.
const PART_MIN_SECS: i64 = 90 * 60;
/// The rest of the night must be longer than the delay before the device sends.
const REST_MIN_SECS: i64 = 45 * 60;
/// Fitbit gives no stages below three hours.
const STAGES_MIN_SECS: i64 = 180 * 60;
/// The info code of a sleep of less than 3 hours.
const TOO_SHORT: i32 = 2;

impl Session {
    /// The number of levels that have passed when the sleeper wakes up in the night and the device sends them. None
    /// for most nights, and none before `not_before`.
    pub(crate) fn sent_after(&self, cohort: &Cohort, device: &Device, not_before: i64) -> Option<usize> {
        let mut draw = cohort.draw(device.index, self.start.0, Purpose::Growth);
        if !draw.chance(GROWING) || !cohort.has(Quirk::GrowingSleeps) || !self.main {
            return None;
        }
        let whole: i64 = self.levels.iter().map(|(_, seconds)| seconds).sum();
        let mut passed = 0;
        self.levels
            .iter()
            .position(|&(level, seconds)| {
                passed += seconds;
                matches!(level, "wake" | "awake")
                    && (PART_MIN_SECS..=whole - REST_MIN_SECS).contains(&passed)
                    && self.start.0 + passed * 1_000 >= not_before
            })
            .map(|index| index + 1)
    }

    /// The session with only its first levels.
    pub(crate) fn first(&self, levels: usize) -> Self {
        let mut part = self.clone();
        part.levels.truncate(levels);
        let seconds: i64 = part.levels.iter().map(|(_, seconds)| seconds).sum();
        part.end = UtcMillis(self.start.0 + seconds * 1_000);
        part.shorts.retain(|(at, length)| at + length <= seconds);
        if seconds < STAGES_MIN_SECS {
            part.classic = true;
            part.info_code = TOO_SHORT;
            part.shorts.clear();
            for (level, _) in &mut part.levels {
                *level = match *level {
                    "wake" => "awake",
                    "deep" | "light" | "rem" => "asleep",
                    same => same,
                };
            }
        }
        part
    }
}
