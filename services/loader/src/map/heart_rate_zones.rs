//! Minutes of a day by heart-rate zone.

use super::column::{day, float8, text};
use super::entries::{Entries, RowGranularity};
use super::guard;

pub(super) static ENTRIES: Entries = Entries {
    table: "raw.heart_rate_zones",
    granularity: RowGranularity::Sample,
    keys: 2,
    columns: &[
        day("local_date"),
        text("zone"),
        float8("minutes").within(0.0, guard::DAY_MINUTES),
    ],
    ..Entries::NONE
};
