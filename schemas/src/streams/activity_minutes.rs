//! Minutes of a day by how active they were.

use super::{Extra, Upload};
use crate::codec::record;
use crate::time::LocalDay;

record! {
    /// Minutes of one day at one level.
    "ActivityMinute" ActivityMinute {
        /// The wearer's day.
        local_date: LocalDay = "local_date",
        /// `sedentary`, `lightly_active`, `moderately_active`, `very_active`; others are kept.
        level: String = "level",
        /// Whole minutes.
        minutes: i32 = "minutes",
    }
}

record! {
    /// Some days of activity.
    "ActivityMinutes" ActivityMinutes in upload: Upload {
        /// A day and a level each.
        samples: Vec<ActivityMinute> = "samples" as "metrics",
        /// What else the source said.
        extra: Extra = "extra",
    }
}
