//! Sleep sessions with their levels. A later upload of a session replaces it whole.

use super::{Extra, Upload};
use crate::codec::record;
use crate::time::{LocalDay, LocalMillis};

record! {
    /// One stretch of a sleep at one level.
    "SleepLevel" SleepLevel {
        /// Start, on the clock of the sleep's start (its offset, even across a clock change).
        ts: LocalMillis = "ts",
        /// `deep`, `light`, `rem`, `wake`; `asleep`, `restless`, `awake`; others are kept.
        level: String = "level",
        /// Length in seconds.
        seconds: i32 = "seconds",
    }
}

record! {
    /// A sleep session: its window is start to end of the sleep, its offset that of the start.
    "Sleep" Sleep in upload: Upload {
        /// Minutes east of UTC at the end; differs from the start's on the night of a clock change.
        end_utc_offset_minutes: i32 = "end_utc_offset_minutes",
        /// Fitbit's number of the session.
        log_id: i64 = "log_id",
        /// Date on which the sleep ended.
        date_of_sleep: LocalDay = "date_of_sleep",
        /// Length as Fitbit says it, in milliseconds.
        duration_ms: i64 = "duration_ms",
        /// Minutes until asleep.
        minutes_to_fall_asleep: i32 = "minutes_to_fall_asleep",
        /// Minutes asleep.
        minutes_asleep: i32 = "minutes_asleep",
        /// Minutes awake in between.
        minutes_awake: i32 = "minutes_awake",
        /// Minutes in bed after waking up.
        minutes_after_wakeup: i32 = "minutes_after_wakeup",
        /// Minutes in bed.
        time_in_bed: i32 = "time_in_bed",
        /// Fitbit's efficiency in percent; not minutes_asleep / time_in_bed.
        efficiency: i32 = "efficiency",
        /// `stages` or `classic`; others are kept.
        kind: String = "type",
        /// Why a sleep is `classic`: 0 enough data, 1 not enough heart rate, 2 under 3 hours, 3 server.
        info_code: Option<i32> = "info_code",
        /// False for naps.
        main_sleep: bool = "main_sleep",
        /// The levels, one after the other.
        levels: Vec<SleepLevel> = "levels",
        /// Short wakes laid over the levels; a log may have none.
        short_levels: Vec<SleepLevel> = "short_levels" or default,
        /// How it was recorded, as the source says; since version 2.
        log_type: Option<String> = "log_type",
        /// What else the source said.
        extra: Extra = "extra",
    }
}
