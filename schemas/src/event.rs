//! What is uploaded: plain values, the same in every service.

use uuid::Uuid;

use crate::stream::Stream;
use crate::time::{LocalMillis, UtcMillis};

/// What every upload of a device carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Identity of this upload; deterministic, so that the same upload has the same id.
    pub event_id: Uuid,
    /// The device that sent it.
    pub device_id: Uuid,
    /// When the device sent it. The later upload wins.
    pub synced_at: UtcMillis,
    /// Minutes east of UTC of the wall clock; one upload never spans a change of it.
    pub utc_offset_minutes: i32,
    /// Start of the window, inclusive.
    pub window_start: LocalMillis,
    /// End of the window, exclusive.
    pub window_end: LocalMillis,
}

/// One heart-rate reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeartRate {
    /// When, on the wearer's clock.
    pub ts: LocalMillis,
    /// Beats per minute.
    pub bpm: i32,
    /// 0 (unreliable) to 3.
    pub confidence: i32,
}

/// A window of heart rates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeartRates {
    /// The envelope.
    pub upload: Upload,
    /// The readings.
    pub samples: Vec<HeartRate>,
}

/// Steps of one minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Start of the minute, on the wearer's clock.
    pub ts: LocalMillis,
    /// Steps in that minute; an explicit zero is a zero.
    pub steps: i32,
}

/// A window of steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps {
    /// The envelope.
    pub upload: Upload,
    /// The minutes that were counted; a missing minute is "no steps or not worn".
    pub samples: Vec<Step>,
}

/// One stretch of a sleep at one level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SleepLevel {
    /// Start, on the clock of the sleep's start (its offset, even across a clock change).
    pub ts: LocalMillis,
    /// `deep`, `light`, `rem`, `wake`; `asleep`, `restless`, `awake`; others are kept.
    pub level: String,
    /// Length in seconds.
    pub seconds: i32,
}

/// A sleep session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sleep {
    /// The envelope: its window is start to end of the sleep, its offset that of the start.
    pub upload: Upload,
    /// Minutes east of UTC at the end; differs from the start's on the night of a clock change.
    pub end_utc_offset_minutes: i32,
    /// Fitbit's number of the session.
    pub log_id: i64,
    /// Date on which the sleep ended, in days since 1970-01-01.
    pub date_of_sleep: i32,
    /// Length as Fitbit says it, in milliseconds.
    pub duration_ms: i64,
    /// Minutes until asleep.
    pub minutes_to_fall_asleep: i32,
    /// Minutes asleep.
    pub minutes_asleep: i32,
    /// Minutes awake in between.
    pub minutes_awake: i32,
    /// Minutes in bed after waking up.
    pub minutes_after_wakeup: i32,
    /// Minutes in bed.
    pub time_in_bed: i32,
    /// Fitbit's efficiency in percent; not minutes_asleep / time_in_bed.
    pub efficiency: i32,
    /// `stages` or `classic`; others are kept. The Avro field is `type`.
    pub kind: String,
    /// Why a sleep is `classic`: 0 enough data, 1 not enough heart rate, 2 under 3 hours, 3 server.
    pub info_code: Option<i32>,
    /// False for naps.
    pub main_sleep: bool,
    /// The levels, one after the other.
    pub levels: Vec<SleepLevel>,
    /// Short wakes laid over the levels.
    pub short_levels: Vec<SleepLevel>,
}

/// One version of a person's profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Identity of this version.
    pub event_id: Uuid,
    /// The person.
    pub user_id: Uuid,
    /// When this version was sent. The later version wins.
    pub synced_at: UtcMillis,
    /// When the account was made.
    pub created_at: UtcMillis,
    /// E-mail address.
    pub email: Option<String>,
    /// Date of birth, in days since 1970-01-01 (may be negative).
    pub date_of_birth: Option<i32>,
    /// Gender, as given.
    pub gender: Option<String>,
    /// Height in centimetres.
    pub height_cm: Option<i32>,
    /// Highest heart rate, beats per minute.
    pub max_heart_rate: Option<i32>,
    /// IANA name of the home time zone.
    pub zone: Option<String>,
    /// The devices that belong to this person.
    pub devices: Vec<Uuid>,
}

/// An event of any stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Of [`Stream::HeartRates`].
    HeartRates(HeartRates),
    /// Of [`Stream::Steps`].
    Steps(Steps),
    /// Of [`Stream::Sleeps`].
    Sleep(Sleep),
    /// Of [`Stream::Users`].
    User(User),
}

impl Event {
    /// The stream it belongs to.
    #[must_use]
    pub const fn stream(&self) -> Stream {
        match self {
            Self::HeartRates(_) => Stream::HeartRates,
            Self::Steps(_) => Stream::Steps,
            Self::Sleep(_) => Stream::Sleeps,
            Self::User(_) => Stream::Users,
        }
    }

    /// The device's envelope; a profile has none.
    #[must_use]
    pub const fn upload(&self) -> Option<&Upload> {
        match self {
            Self::HeartRates(event) => Some(&event.upload),
            Self::Steps(event) => Some(&event.upload),
            Self::Sleep(event) => Some(&event.upload),
            Self::User(_) => None,
        }
    }

    /// Identity of the event.
    #[must_use]
    pub fn event_id(&self) -> Uuid {
        match self {
            Self::User(user) => user.event_id,
            Self::HeartRates(HeartRates { upload, .. })
            | Self::Steps(Steps { upload, .. })
            | Self::Sleep(Sleep { upload, .. }) => upload.event_id,
        }
    }

    /// Gives the event another identity.
    pub fn set_event_id(&mut self, event_id: Uuid) {
        match self {
            Self::User(user) => user.event_id = event_id,
            Self::HeartRates(HeartRates { upload, .. })
            | Self::Steps(Steps { upload, .. })
            | Self::Sleep(Sleep { upload, .. }) => {
                upload.event_id = event_id;
            }
        }
    }

    /// What keeps events in order in Kafka: the device, or the user of a profile.
    #[must_use]
    pub fn key(&self) -> Uuid {
        match self {
            Self::User(user) => user.user_id,
            Self::HeartRates(HeartRates { upload, .. })
            | Self::Steps(Steps { upload, .. })
            | Self::Sleep(Sleep { upload, .. }) => upload.device_id,
        }
    }

    /// When it was sent.
    #[must_use]
    pub fn synced_at(&self) -> UtcMillis {
        match self {
            Self::User(user) => user.synced_at,
            Self::HeartRates(HeartRates { upload, .. })
            | Self::Steps(Steps { upload, .. })
            | Self::Sleep(Sleep { upload, .. }) => upload.synced_at,
        }
    }

    /// How many readings it carries: samples, or 1 for a session or a profile.
    #[must_use]
    pub fn readings(&self) -> usize {
        match self {
            Self::HeartRates(event) => event.samples.len(),
            Self::Steps(event) => event.samples.len(),
            Self::Sleep(_) | Self::User(_) => 1,
        }
    }
}
