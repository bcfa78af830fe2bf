//! Exercises.

use super::column::{flag, float8, int2, int4, int8, json, offset, text, wall};
use super::entries::{Entries, RowGranularity, session};
use super::guard;

pub(super) static ENTRIES: Entries = Entries {
    table: "raw.exercises",
    granularity: RowGranularity::Upload,
    keys: 1,
    columns: &[
        int8("log_id"),
        wall("start_local").from("created_at"),
        wall("end_local").from("ended_at").at("end_utc_offset_minutes"),
        offset("start_utc_offset_minutes").from("utc_offset_minutes"),
        offset("end_utc_offset_minutes"),
        text("activity_name"),
        int8("activity_type_id").optional(),
        text("log_type").optional(),
        int8("duration_ms").within(0.0, guard::SESSION_MS),
        int8("active_duration_ms").optional(),
        int2("average_heart_rate").optional().within(20.0, 250.0),
        float8("calories").optional(),
        int4("steps").optional(),
        float8("distance").optional(),
        text("distance_unit").optional(),
        float8("speed").optional(),
        float8("pace").optional(),
        float8("elevation_gain").optional(),
        flag("has_gps").optional(),
        json("levels"),
        json("heart_rate_zones"),
        json("extra"),
    ],
    check: session,
    ..Entries::NONE
};
