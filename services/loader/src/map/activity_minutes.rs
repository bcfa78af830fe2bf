//! Minutes of a day by activity level.

use super::column::{day, int4, text};
use super::entries::{Entries, RowGranularity};
use super::guard;

pub(super) static ENTRIES: Entries = Entries {
    table: "raw.activity_minutes",
    granularity: RowGranularity::Sample,
    keys: 2,
    columns: &[
        day("local_date"),
        text("level"),
        int4("minutes").within(0.0, guard::DAY_MINUTES),
    ],
    ..Entries::NONE
};
