//! Energy per minute; the basal rate is in it, so that it is no sign of wear.

use super::{Extra, Upload};
use crate::codec::record;
use crate::time::LocalMillis;

record! {
    /// Energy of one minute.
    "Calorie" Calorie {
        /// Start of the minute, on the wearer's clock.
        ts: LocalMillis = "ts",
        /// Thousandths of a kilocalorie in that minute, whole so that sums are exact.
        millikcal: i32 = "millikcal",
    }
}

record! {
    /// A window of energy.
    "Calories" Calories in upload: Upload {
        /// The minutes.
        samples: Vec<Calorie> = "samples" as "metrics",
        /// What else the source said.
        extra: Extra = "extra",
    }
}
