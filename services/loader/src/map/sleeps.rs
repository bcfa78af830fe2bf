//! Sleep sessions with their levels.

use super::column::{day, flag, int2, int4, int8, json, offset, text, wall};
use super::entries::{Children, Entries, RowGranularity, session};
use super::guard;

pub(super) static ENTRIES: Entries = Entries {
    table: "raw.sleeps",
    granularity: RowGranularity::Upload,
    keys: 1,
    columns: &[
        int8("log_id"),
        wall("start_local").from("created_at"),
        wall("end_local").from("ended_at").at("end_utc_offset_minutes"),
        offset("start_utc_offset_minutes").from("utc_offset_minutes"),
        offset("end_utc_offset_minutes"),
        day("date_of_sleep"),
        int8("duration_ms"),
        int4("minutes_to_fall_asleep"),
        int4("minutes_asleep"),
        int4("minutes_awake"),
        int4("minutes_after_wakeup"),
        int4("time_in_bed_minutes").from("time_in_bed"),
        int2("efficiency"),
        text("type"),
        int2("info_code").optional(),
        flag("main_sleep"),
        text("log_type").optional(),
        json("extra"),
    ],
    check: session,
    children: Some(Children {
        table: "raw.sleep_levels",
        lists: &[("data", "levels"), ("short", "short_levels")],
        columns: &[
            wall("local_ts").from("ts"),
            text("level"),
            int4("seconds").within(0.0, guard::SESSION_MS),
        ],
    }),
};
