//! The compactor's settings, and the reasons for their defaults.

use std::time::Duration;

use pulseline_sql::periods::DayNumber;
use serde::{Deserialize, Serialize};

use crate::plan::Bounds;

/// Pause between cycles: a late reading appears within seconds.
const INTERVAL_MS: u64 = 2_000;
/// Dirty days taken per cycle: a backlog cannot make a cycle endless.
const DIRTY_ROWS: i64 = 20_000;
/// Days of a stream refreshed per cycle, newest first: about 2 s of work.
const CYCLE_DAYS: usize = 64;
/// Device days whose sleeps are checked per cycle: about 2 s of work when each has a night, and little
/// otherwise.
const CYCLE_DEVICE_DAYS: usize = 1_024;
/// Sleeps per statement, 1 to 2 ms each.
const SLICE_SLEEPS: usize = 128;
/// Days of people per cycle, half a millisecond each.
const USER_DAYS: i64 = 8_192;
/// Late data arrives within 30 days: devices keep daily totals that long.
const PACK_AFTER_DAYS: i32 = 30;
/// History that is being loaded is packed once its loading has ended.
const QUIET_MS: u64 = 3_600_000;
/// Chunks packed per cycle, 0.2 s each.
const PACK_CHUNKS: i64 = 4;
/// Everything is kept by default.
const RETAIN_DAYS: i32 = 0;
/// Totals arrive for 30 days, and a floor is the first of a month: nothing younger may be deleted.
const LEAST_RETAIN_DAYS: i32 = 62;
/// Chunks deleted per cycle: a stream's month, or a week of all four.
const RETAIN_CHUNKS: i64 = 32;
/// Journal entries are kept for a quarter of a year.
const JOURNAL_DAYS: i32 = 90;
/// Log rows folded per cycle.
const FOLD_ROWS: i64 = 50_000;
/// Late uploads of a day come one after the other: it is settled once for many of them.
const SETTLE_AFTER_MS: u64 = 3_600_000;
/// Pause between two samples; a sample takes about as long as a refresh.
const SAMPLE_INTERVAL_MS: u64 = 60_000;
/// How long a silent compactor keeps its lease: longer than one refresh takes.
const LEASE_TTL_MS: u64 = 15_000;
/// Refreshing takes at most a fifth of the server's time in the long run.
const PAUSE_FACTOR: u32 = 4;

/// Settings of the compactor.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CompactorConfig {
    /// Pause between cycles, in milliseconds.
    pub interval_ms: u64,
    /// Most dirty days per cycle.
    pub dirty_rows: i64,
    /// Most days of one stream refreshed per cycle.
    pub cycle_days: usize,
    /// Most device days whose sleeps are checked per cycle.
    pub cycle_device_days: usize,
    /// Sleeps whose heart rate is computed in one statement.
    pub slice_sleeps: usize,
    /// Most closed days of people that are computed per cycle, and most open ones.
    pub user_days: i64,
    /// A day of which devices were patched is refreshed for everybody this long after its first patch, in milliseconds, by a cycle
    /// that has little else to do.
    pub settle_after_ms: u64,
    /// A chunk is packed this many days after it ended.
    pub pack_after_days: i32,
    /// A chunk is packed when nothing was loaded into it for this long, in milliseconds.
    pub quiet_ms: u64,
    /// Most chunks packed in one cycle; 0 packs none.
    pub pack_chunks: i64,
    /// How many days of readings are kept, rounded to the first of a month; 0 keeps all.
    pub retain_days: i32,
    /// Most chunks of readings deleted per cycle.
    pub retain_chunks: i64,
    /// How long entries of `ops.compactions` are kept, in days.
    pub journal_days: i32,
    /// Most rows of the accounting log folded per cycle.
    pub fold_rows: i64,
    /// Pause between two samples, in milliseconds; a sample compares a day with its recomputation. 0 takes none.
    pub sample_interval_ms: u64,
    /// How long the lease lasts without renewal, in milliseconds.
    pub lease_ttl_ms: u64,
    /// In the long run the pauses take this many times as long as the cycles; 0 leaves `interval_ms` alone.
    pub pause_factor: u32,
}

impl Default for CompactorConfig {
    fn default() -> Self {
        Self {
            interval_ms: INTERVAL_MS,
            dirty_rows: DIRTY_ROWS,
            cycle_days: CYCLE_DAYS,
            cycle_device_days: CYCLE_DEVICE_DAYS,
            slice_sleeps: SLICE_SLEEPS,
            user_days: USER_DAYS,
            settle_after_ms: SETTLE_AFTER_MS,
            pack_after_days: PACK_AFTER_DAYS,
            quiet_ms: QUIET_MS,
            pack_chunks: PACK_CHUNKS,
            retain_days: RETAIN_DAYS,
            retain_chunks: RETAIN_CHUNKS,
            journal_days: JOURNAL_DAYS,
            fold_rows: FOLD_ROWS,
            sample_interval_ms: SAMPLE_INTERVAL_MS,
            lease_ttl_ms: LEASE_TTL_MS,
            pause_factor: PAUSE_FACTOR,
        }
    }
}

impl CompactorConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// The full name of the wrong setting, and what it must be.
    pub fn validate(&self) -> Result<(), String> {
        for (name, value) in [
            ("dirty_rows", self.dirty_rows),
            ("user_days", self.user_days),
            ("retain_chunks", self.retain_chunks),
            ("fold_rows", self.fold_rows),
        ] {
            if value < 1 {
                return Err(format!("compactor.{name} must be at least 1"));
            }
        }
        for (name, value) in [
            ("cycle_days", self.cycle_days),
            ("cycle_device_days", self.cycle_device_days),
            ("slice_sleeps", self.slice_sleeps),
        ] {
            if value < 1 {
                return Err(format!("compactor.{name} must be at least 1"));
            }
        }
        if self.pack_chunks < 0 {
            return Err("compactor.pack_chunks must not be negative; 0 packs no chunk".into());
        }
        if self.retain_days != 0 && self.retain_days < LEAST_RETAIN_DAYS {
            return Err(format!(
                "compactor.retain_days must be 0, which keeps everything, or at least {LEAST_RETAIN_DAYS}"
            ));
        }
        // Younger chunks are still being written.
        if self.pack_after_days < 1 || self.journal_days < 1 {
            return Err("compactor.pack_after_days and compactor.journal_days must be at least 1".into());
        }
        if self.lease_ttl_ms < 1_000 {
            return Err("compactor.lease_ttl_ms must be at least 1000".into());
        }
        Ok(())
    }

    pub(crate) fn lease_ttl(&self) -> Duration {
        Duration::from_millis(self.lease_ttl_ms)
    }

    /// Bounds of a cycle above this floor.
    pub(crate) fn bounds(&self, floor: Option<DayNumber>) -> Bounds {
        Bounds {
            floor,
            days: self.cycle_days,
            device_days: self.cycle_device_days,
        }
    }

    pub(crate) fn settle_after(&self) -> Duration {
        Duration::from_millis(self.settle_after_ms)
    }

    pub(crate) fn quiet_seconds(&self) -> f64 {
        Duration::from_millis(self.quiet_ms).as_secs_f64()
    }

    /// Pause between two samples; none when samples are off.
    pub(crate) fn sample_interval(&self) -> Option<Duration> {
        (self.sample_interval_ms > 0).then(|| Duration::from_millis(self.sample_interval_ms))
    }
}
