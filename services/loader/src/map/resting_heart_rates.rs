//! The resting heart rate of a day.

use super::column::{day, float8};
use super::entries::{Entries, RowGranularity};

pub(super) static ENTRIES: Entries = Entries {
    table: "raw.resting_heart_rates",
    granularity: RowGranularity::Sample,
    keys: 1,
    columns: &[
        day("local_date"),
        float8("bpm").within(20.0, 250.0),
        float8("error").optional(),
    ],
    ..Entries::NONE
};
