//! Minutes of a day by heart-rate zone.

use super::{Extra, Upload};
use crate::codec::record;
use crate::time::LocalDay;

record! {
    /// Minutes of one day in one zone.
    "ZoneMinutes" ZoneMinutes {
        /// The wearer's day.
        local_date: LocalDay = "local_date",
        /// `BELOW_DEFAULT_ZONE_1`, `IN_DEFAULT_ZONE_1` to `3`; others are kept.
        zone: String = "zone",
        /// Minutes, as the source says.
        minutes: f64 = "minutes",
    }
}

record! {
    /// Some days of zones.
    "HeartRateZones" HeartRateZones in upload: Upload {
        /// A day and a zone each.
        samples: Vec<ZoneMinutes> = "samples" as "metrics",
        /// What else the source said.
        extra: Extra = "extra",
    }
}
