//! The uploads: one file per stream; reading, writing, hashing and storing derive from its declaration.

mod activity_minutes;
mod calories;
mod distances;
mod exercises;
mod heart_rate_zones;
mod heart_rates;
mod resting_heart_rates;
mod sleep_scores;
mod sleeps;
mod steps;
mod users;

use uuid::Uuid;

pub use activity_minutes::{ActivityMinute, ActivityMinutes};
pub use calories::{Calorie, Calories};
pub use distances::{Distance, Distances};
pub use exercises::{Exercise, ExerciseLevel, ExerciseZone};
pub use heart_rate_zones::{HeartRateZones, ZoneMinutes};
pub use heart_rates::{HeartRate, HeartRates};
pub use resting_heart_rates::{RestingHeartRate, RestingHeartRates};
pub use sleep_scores::SleepScore;
pub use sleeps::{Sleep, SleepLevel};
pub use steps::{Step, Steps};
pub use users::User;

use crate::codec::{Extra, record};
use crate::time::{LocalMillis, UtcMillis};

record! {
    /// The envelope of every device upload.
    "Upload" Upload {
        /// Identity of this upload; deterministic, so that the same upload has the same id.
        event_id: Uuid = "event_id" as "_id",
        /// The device that sent it.
        device_id: Uuid = "device_id",
        /// When the device sent it. The later upload wins.
        synced_at: UtcMillis = "synced_at",
        /// Minutes east of UTC of the wall clock; one upload never spans a change of it.
        utc_offset_minutes: i32 = "utc_offset_minutes",
        /// Start of the window, inclusive.
        window_start: LocalMillis = "window_start" as "created_at",
        /// End of the window, exclusive.
        window_end: LocalMillis = "window_end" as "ended_at",
    }
}
