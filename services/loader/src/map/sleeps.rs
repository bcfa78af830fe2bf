//! Sleep sessions with their levels.

use std::sync::Arc;

use bson::RawBsonRef;
use uuid::Uuid;

use super::fields::{Fields, wrong};
use super::{Mapped, Origin, Refusal, Rows, guard};

/// One session, as wide as its columns.
#[derive(Debug, PartialEq)]
pub(crate) struct SleepRow {
    pub(crate) device_id: Uuid,
    pub(crate) log_id: i64,
    pub(crate) event_id: Uuid,
    pub(crate) synced_at: i64,
    pub(crate) start_local: i64,
    pub(crate) end_local: i64,
    pub(crate) start_utc_offset_minutes: i16,
    pub(crate) end_utc_offset_minutes: i16,
    pub(crate) date_of_sleep: i32,
    pub(crate) duration_ms: i64,
    pub(crate) minutes_to_fall_asleep: i32,
    pub(crate) minutes_asleep: i32,
    pub(crate) minutes_awake: i32,
    pub(crate) minutes_after_wakeup: i32,
    pub(crate) time_in_bed_minutes: i32,
    pub(crate) efficiency: i16,
    pub(crate) kind: String,
    pub(crate) info_code: Option<i16>,
    pub(crate) main_sleep: bool,
    pub(crate) extra: Option<String>,
    pub(crate) levels: Vec<LevelRow>,
    pub(crate) origin: Arc<Origin>,
}

/// One stretch of a session.
#[derive(Debug, PartialEq)]
pub(crate) struct LevelRow {
    /// `data` or `short`.
    pub(crate) source: &'static str,
    pub(crate) seq: i32,
    pub(crate) local_ts: i64,
    pub(crate) level: String,
    pub(crate) seconds: i32,
}

pub(super) fn map(fields: &Fields<'_>, origin: &Arc<Origin>) -> Result<Mapped, Refusal> {
    fields.position()?;
    let levels = fields.document("levels")?;
    let mut rows = Vec::new();
    read_levels(&levels, "data", "data", &mut rows)?;
    if levels.optional("short_data")?.is_some() {
        read_levels(&levels, "short_data", "short", &mut rows)?;
    }
    let row = SleepRow {
        device_id: fields.uuid("device_id")?,
        log_id: fields.integer("log_id")?,
        event_id: fields.uuid("_id")?,
        synced_at: guard::synced_at(fields.millis("synced_at")?)?,
        start_local: fields.millis("created_at")?,
        end_local: fields.millis("ended_at")?,
        start_utc_offset_minutes: guard::offset("utc_offset_minutes", fields.integer("utc_offset_minutes")?)?,
        end_utc_offset_minutes: guard::offset(
            "end_utc_offset_minutes",
            fields.integer("end_utc_offset_minutes")?,
        )?,
        date_of_sleep: fields.day("date_of_sleep")?,
        duration_ms: fields.integer("duration_ms")?,
        minutes_to_fall_asleep: fields.integer("minutes_to_fall_asleep")?,
        minutes_asleep: fields.integer("minutes_asleep")?,
        minutes_awake: fields.integer("minutes_awake")?,
        minutes_after_wakeup: fields.integer("minutes_after_wakeup")?,
        time_in_bed_minutes: fields.integer("time_in_bed")?,
        efficiency: fields.integer("efficiency")?,
        kind: fields.text("type")?.to_owned(),
        info_code: fields.optional_integer("info_code")?,
        main_sleep: fields.boolean("main_sleep")?,
        extra: fields.optional_json("extra")?,
        levels: rows,
        origin: Arc::clone(origin),
    };
    check(&row)?;
    Ok(Mapped::loaded(Rows::Sleep(Box::new(row)), origin))
}

/// A session is replaced whole, so one time outside the guards refuses it whole.
fn check(row: &SleepRow) -> Result<(), Refusal> {
    guard::local_time(
        "created_at",
        row.start_local,
        row.start_utc_offset_minutes,
        row.synced_at,
    )?;
    guard::local_time(
        "ended_at",
        row.end_local,
        row.end_utc_offset_minutes,
        row.synced_at,
    )?;
    guard::local_time(
        "date_of_sleep",
        i64::from(row.date_of_sleep) * guard::DAY_MILLIS,
        row.end_utc_offset_minutes,
        row.synced_at,
    )?;
    let start = row.start_local - i64::from(row.start_utc_offset_minutes) * guard::MINUTE_MILLIS;
    let end = row.end_local - i64::from(row.end_utc_offset_minutes) * guard::MINUTE_MILLIS;
    if end < start {
        return Err(Refusal::unmappable("ended_at is before created_at"));
    }
    for level in &row.levels {
        guard::local_time(
            "levels.ts",
            level.local_ts,
            row.start_utc_offset_minutes,
            row.synced_at,
        )?;
        if level.seconds < 0 {
            return Err(Refusal::out_of_range(format!(
                "levels.seconds = {} is negative",
                level.seconds
            )));
        }
    }
    Ok(())
}

fn read_levels(
    levels: &Fields<'_>,
    key: &str,
    source: &'static str,
    rows: &mut Vec<LevelRow>,
) -> Result<(), Refusal> {
    for (seq, element) in (0_i32..).zip(levels.array(key)?) {
        let element =
            element.map_err(|error| Refusal::unmappable(format!("levels.{key}[{seq}]: {error}")))?;
        let RawBsonRef::Document(document) = element else {
            return Err(wrong(&format!("levels.{key}[{seq}]"), "a document"));
        };
        let level = Fields(document);
        rows.push(LevelRow {
            source,
            seq,
            local_ts: level.millis("ts")?,
            level: level.text("level")?.to_owned(),
            seconds: level.integer("seconds")?,
        });
    }
    Ok(())
}
