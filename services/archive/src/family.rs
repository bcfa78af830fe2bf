//! The families of files: their layout, content and clock.

use pulseline_schemas::Stream;

use crate::Clock;

/// Layout of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layout {
    /// PMData: one file per person and kind, without a date in its name.
    Pmdata,
    /// A Fitbit account export: files by day or by block of days.
    Account,
    /// Fitabase: tables of many people.
    Fitabase,
    /// Documents of the reference store.
    Store,
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pmdata => "PMData",
            Self::Account => "account export",
            Self::Fitabase => "Fitabase tables",
            Self::Store => "reference store",
        })
    }
}

/// Content of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    HeartRate,
    Steps,
    Distance,
    Calories,
    /// Minutes of a day at this level.
    Activity(&'static str),
    RestingHeartRate,
    HeartRateZones,
    Sleep,
    SleepScore,
    Exercise,
    TableHeartRate,
    TableSteps,
    TableActivity,
    StoreHeartRates,
    StoreSteps,
    StoreSleeps,
    StoreUsers,
}

/// Kinds that a person of PMData or of an account export normally has.
pub(crate) const OF_A_PERSON: [Family; 13] = [
    Family::HeartRate,
    Family::Steps,
    Family::Distance,
    Family::Calories,
    Family::Activity("sedentary"),
    Family::Activity("lightly_active"),
    Family::Activity("moderately_active"),
    Family::Activity("very_active"),
    Family::RestingHeartRate,
    Family::HeartRateZones,
    Family::Sleep,
    Family::SleepScore,
    Family::Exercise,
];

impl Family {
    /// The name of the file, without a date and without its ending.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::HeartRate => "heart_rate",
            Self::Steps | Self::StoreSteps => "steps",
            Self::Distance => "distance",
            Self::Calories => "calories",
            Self::Activity("sedentary") => "sedentary_minutes",
            Self::Activity("lightly_active") => "lightly_active_minutes",
            Self::Activity("moderately_active") => "moderately_active_minutes",
            Self::Activity(_) => "very_active_minutes",
            Self::RestingHeartRate => "resting_heart_rate",
            Self::HeartRateZones => "time_in_heart_rate_zones",
            Self::Sleep => "sleep",
            Self::SleepScore => "sleep_score",
            Self::Exercise => "exercise",
            Self::TableHeartRate => "heartrate_seconds",
            Self::TableSteps => "minuteStepsWide",
            Self::TableActivity => "dailyActivity",
            Self::StoreHeartRates => "heart_rates",
            Self::StoreSleeps => "sleeps",
            Self::StoreUsers => "users",
        }
    }

    pub(crate) const fn stream(self) -> Stream {
        match self {
            Self::HeartRate | Self::TableHeartRate | Self::StoreHeartRates => Stream::HeartRates,
            Self::Steps | Self::TableSteps | Self::StoreSteps => Stream::Steps,
            Self::Distance => Stream::Distances,
            Self::Calories => Stream::Calories,
            Self::Activity(_) | Self::TableActivity => Stream::ActivityMinutes,
            Self::RestingHeartRate => Stream::RestingHeartRates,
            Self::HeartRateZones => Stream::HeartRateZones,
            Self::Sleep | Self::StoreSleeps => Stream::Sleeps,
            Self::SleepScore => Stream::SleepScores,
            Self::Exercise => Stream::Exercises,
            Self::StoreUsers => Stream::Users,
        }
    }

    /// True for files with one row per day, which extend past the day of the export.
    pub(crate) const fn is_daily(self) -> bool {
        matches!(
            self,
            Self::Activity(_) | Self::TableActivity | Self::RestingHeartRate | Self::HeartRateZones
        )
    }

    pub(crate) const fn is_csv(self) -> bool {
        matches!(
            self,
            Self::SleepScore | Self::TableHeartRate | Self::TableSteps | Self::TableActivity
        )
    }

    /// The clock of a kind: some files of an account export use UTC, all others use local time.
    ///
    /// The reference store's epoch seconds are local time written as if it were UTC.
    pub(crate) const fn clock(self, layout: Layout) -> Clock {
        match (layout, self) {
            (Layout::Account, Self::HeartRate | Self::Steps | Self::Distance | Self::Exercise) => Clock::Utc,
            _ => Clock::Local,
        }
    }
}
