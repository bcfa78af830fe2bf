//! Sleep scores.

use super::column::{float8, int2, int4, int8, json, offset, wall};
use super::entries::{Entries, RowGranularity};

pub(super) static ENTRIES: Entries = Entries {
    table: "raw.sleep_scores",
    granularity: RowGranularity::Upload,
    keys: 1,
    columns: &[
        int8("log_id"),
        wall("end_local").from("ended_at"),
        offset("utc_offset_minutes"),
        int2("overall_score").optional().within(0.0, 100.0),
        int2("composition_score").optional(),
        int2("revitalization_score").optional(),
        int2("duration_score").optional(),
        int4("deep_sleep_minutes").optional(),
        float8("resting_heart_rate").optional(),
        float8("restlessness").optional(),
        json("extra"),
    ],
    ..Entries::NONE
};
