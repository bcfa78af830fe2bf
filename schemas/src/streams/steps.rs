//! Steps per minute; sparse.

use super::{Extra, Upload};
use crate::codec::record;
use crate::time::LocalMillis;

record! {
    /// Steps of one minute.
    "Step" Step {
        /// Start of the minute, on the wearer's clock.
        ts: LocalMillis = "ts",
        /// Steps in that minute; an explicit zero is a zero.
        steps: i32 = "steps",
    }
}

record! {
    /// A window of steps.
    "Steps" Steps in upload: Upload {
        /// The minutes that were counted; a missing minute is "no steps or not worn".
        samples: Vec<Step> = "samples" as "metrics",
        /// What else the source said.
        extra: Extra = "extra",
    }
}
