//! Heart rates: every few seconds while the device is worn.

use super::{Extra, Upload};
use crate::codec::record;
use crate::time::LocalMillis;

record! {
    /// One heart-rate reading.
    "HeartRate" HeartRate {
        /// When, on the wearer's clock.
        ts: LocalMillis = "ts",
        /// Beats per minute.
        bpm: i32 = "bpm",
        /// 0 (unreliable) to 3; none where the source has no such thing.
        confidence: Option<i32> = "confidence",
    }
}

record! {
    /// A window of heart rates.
    "HeartRates" HeartRates in upload: Upload {
        /// The readings.
        samples: Vec<HeartRate> = "samples" as "metrics",
        /// What else the source said.
        extra: Extra = "extra",
    }
}
