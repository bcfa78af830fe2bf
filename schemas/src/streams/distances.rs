//! Distance per minute; sparse as steps are.

use super::{Extra, Upload};
use crate::codec::record;
use crate::time::LocalMillis;

record! {
    /// Distance of one minute.
    "Distance" Distance {
        /// Start of the minute, on the wearer's clock.
        ts: LocalMillis = "ts",
        /// Millimetres in that minute: tenths of the file's centimetres, whole so that sums are exact.
        distance_mm: i32 = "distance_mm",
    }
}

record! {
    /// A window of distances.
    "Distances" Distances in upload: Upload {
        /// The minutes that were measured.
        samples: Vec<Distance> = "samples" as "metrics",
        /// What else the source said.
        extra: Extra = "extra",
    }
}
