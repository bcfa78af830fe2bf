//! Expected rows of the warehouse, and their keys.

use pulseline_schemas::{Exercise, LocalDay, LocalMillis, Sleep, SleepScore, Stream, User, UtcMillis};
use uuid::Uuid;

/// Key of a reading: device, wall clock, offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReadingKey {
    /// The device.
    pub device_id: Uuid,
    /// Local time.
    pub local_ts: LocalMillis,
    /// Minutes east of UTC.
    pub utc_offset_minutes: i32,
}

impl ReadingKey {
    /// The instant of the reading.
    #[must_use]
    pub const fn at(&self) -> UtcMillis {
        self.local_ts.at_offset(self.utc_offset_minutes)
    }
}

/// Key of a daily figure.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DayKey {
    /// [`Stream::ActivityMinutes`], [`Stream::HeartRateZones`] or [`Stream::RestingHeartRates`].
    pub stream: Stream,
    /// The device.
    pub device_id: Uuid,
    /// The local day.
    pub local_date: LocalDay,
    /// Level of activity, or zone; empty for a resting heart rate.
    pub label: String,
}

/// The upload that a value comes from; the greater version wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// When the device sent it.
    pub synced_at: UtcMillis,
    /// Its id.
    pub event_id: Uuid,
}

/// A row of `raw.heart_rates` behind its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeartRateRow {
    /// Beats per minute.
    pub bpm: i32,
    /// 0 to 3; none if the device reports none.
    pub confidence: Option<i32>,
    /// The upload.
    pub version: Version,
}

/// A row of `raw.steps` behind its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepsRow {
    /// Steps in the minute.
    pub steps: i32,
    /// The upload.
    pub version: Version,
}

/// A row of `raw.distances` behind its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DistanceRow {
    /// Millimetres in the minute.
    pub distance_mm: i32,
    /// The upload.
    pub version: Version,
}

/// A row of `raw.calories` behind its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaloriesRow {
    /// Thousandths of a kilocalorie in the minute.
    pub millikcal: i32,
    /// The upload.
    pub version: Version,
}

/// A row of one of the three daily tables behind its key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DayRow {
    /// Minutes, or beats per minute.
    pub value: f64,
    /// Fitbit's error estimate of a resting heart rate.
    pub error: Option<f64>,
    /// The upload.
    pub version: Version,
}

/// A value with a version.
pub(super) trait Versioned {
    fn version(&self) -> Version;
}

macro_rules! versions {
    ($($row:ident => $at:ident;)*) => {
        $(impl Versioned for $row {
            fn version(&self) -> Version {
                versions!(@of self $at)
            }
        })*
    };
    (@of $self:ident version) => { $self.version };
    (@of $self:ident own) => {
        Version { synced_at: $self.synced_at, event_id: $self.event_id }
    };
    (@of $self:ident upload) => {
        Version { synced_at: $self.upload.synced_at, event_id: $self.upload.event_id }
    };
}

versions! {
    HeartRateRow => version;
    StepsRow => version;
    DistanceRow => version;
    CaloriesRow => version;
    DayRow => version;
    Sleep => upload;
    SleepScore => upload;
    Exercise => upload;
    User => own;
}
