//! Fitbit's estimate of the resting heart rate, one a day.

use super::{Extra, Upload};
use crate::codec::record;
use crate::time::LocalDay;

record! {
    /// The estimate of one day.
    "RestingHeartRate" RestingHeartRate {
        /// The wearer's day.
        local_date: LocalDay = "local_date",
        /// Beats per minute.
        bpm: f64 = "bpm",
        /// Fitbit's own error of it, beats per minute.
        error: Option<f64> = "error",
    }
}

record! {
    /// Some days of resting heart rates.
    "RestingHeartRates" RestingHeartRates in upload: Upload {
        /// A day each; a day without an estimate is not there.
        samples: Vec<RestingHeartRate> = "samples" as "metrics",
        /// What else the source said.
        extra: Extra = "extra",
    }
}
