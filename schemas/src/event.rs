//! An event of any stream, and the fields common to all.

use uuid::Uuid;

use crate::streams::{
    ActivityMinutes, Calories, Distances, Exercise, HeartRateZones, HeartRates, RestingHeartRates, Sleep,
    SleepScore, Steps, Upload, User,
};
use crate::time::UtcMillis;

/// An event of any stream; the variants are named after the streams.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the types say it")]
pub enum Event {
    HeartRates(HeartRates),
    Steps(Steps),
    Distances(Distances),
    Calories(Calories),
    ActivityMinutes(ActivityMinutes),
    HeartRateZones(HeartRateZones),
    RestingHeartRates(RestingHeartRates),
    Sleeps(Sleep),
    SleepScores(SleepScore),
    Exercises(Exercise),
    Users(User),
}

/// `$body` with the upload of any event that has one bound to `$upload`, else `$user` with the profile.
macro_rules! by_owner {
    ($event:expr, $upload:ident => $body:expr, $profile:ident => $user:expr) => {
        match $event {
            Self::HeartRates(HeartRates { upload: $upload, .. })
            | Self::Steps(Steps { upload: $upload, .. })
            | Self::Distances(Distances { upload: $upload, .. })
            | Self::Calories(Calories { upload: $upload, .. })
            | Self::ActivityMinutes(ActivityMinutes { upload: $upload, .. })
            | Self::HeartRateZones(HeartRateZones { upload: $upload, .. })
            | Self::RestingHeartRates(RestingHeartRates { upload: $upload, .. })
            | Self::Sleeps(Sleep { upload: $upload, .. })
            | Self::SleepScores(SleepScore { upload: $upload, .. })
            | Self::Exercises(Exercise { upload: $upload, .. }) => $body,
            Self::Users($profile) => $user,
        }
    };
}

impl Event {
    /// The device's envelope; a profile has none.
    #[must_use]
    pub const fn upload(&self) -> Option<&Upload> {
        by_owner!(self, upload => Some(upload), _profile => None)
    }

    /// Identity of the event.
    #[must_use]
    pub const fn event_id(&self) -> Uuid {
        by_owner!(self, upload => upload.event_id, profile => profile.event_id)
    }

    /// Gives the event another identity.
    pub const fn set_event_id(&mut self, event_id: Uuid) {
        by_owner!(self, upload => upload.event_id = event_id, profile => profile.event_id = event_id);
    }

    /// The Kafka key: the device, or the user of a profile.
    #[must_use]
    pub const fn key(&self) -> Uuid {
        by_owner!(self, upload => upload.device_id, profile => profile.user_id)
    }

    /// When it was sent.
    #[must_use]
    pub const fn synced_at(&self) -> UtcMillis {
        by_owner!(self, upload => upload.synced_at, profile => profile.synced_at)
    }

    /// How many readings it carries: samples, or 1 for a session or a profile.
    #[must_use]
    pub const fn readings(&self) -> usize {
        match self {
            Self::HeartRates(event) => event.samples.len(),
            Self::Steps(event) => event.samples.len(),
            Self::Distances(event) => event.samples.len(),
            Self::Calories(event) => event.samples.len(),
            Self::ActivityMinutes(event) => event.samples.len(),
            Self::HeartRateZones(event) => event.samples.len(),
            Self::RestingHeartRates(event) => event.samples.len(),
            Self::Sleeps(_) | Self::SleepScores(_) | Self::Exercises(_) | Self::Users(_) => 1,
        }
    }
}
