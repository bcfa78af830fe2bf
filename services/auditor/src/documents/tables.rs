//! The tables of days, sessions and people, and their content by the documents. Written independently of the
//! loader: one mistake must not hide in both.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

use bson::RawDocument;
use pulseline_schemas::Stream;

use crate::error::AuditError;

/// How a column is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As text: numbers, texts, flags.
    Text,
    /// Bit by bit.
    Float,
    Time,
    Day,
    /// As a value: order and space do not count.
    Json,
}

/// A column and the field that fills it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) field: &'static str,
    pub(super) form: Form,
    /// True for what samples take from their upload.
    pub(super) is_of_envelope: bool,
}

/// Rows that belong to a row: as text by SQL, and out of its document.
#[derive(Clone, Copy)]
pub(super) struct Children {
    pub(super) sql: &'static str,
    pub(super) read: fn(&RawDocument) -> Result<String, AuditError>,
}

/// A table that is compared row by row.
pub(crate) struct Table {
    pub(crate) stream: Stream,
    pub(super) is_of_samples: bool,
    /// How many of the columns are the key.
    pub(super) keys: usize,
    pub(super) columns: Vec<Column>,
    /// What a sample may be: its field, and the range outside of which it is a dead letter.
    pub(super) range: Option<(&'static str, RangeInclusive<f64>)>,
    pub(super) children: Option<Children>,
}

const fn column(name: &'static str, field: &'static str, form: Form) -> Column {
    Column {
        name,
        field,
        form,
        is_of_envelope: false,
    }
}

fn texts(names: &[&'static str]) -> impl Iterator<Item = Column> {
    names.iter().map(|name| text(name))
}

const DEVICE: Column = Column {
    is_of_envelope: true,
    ..column("device_id", "device_id", Form::Text)
};
const LOG: Column = column("log_id", "log_id", Form::Text);
const DATE: Column = column("local_date", "local_date", Form::Day);
const START: Column = column("start_local", "created_at", Form::Time);
const END: Column = column("end_local", "ended_at", Form::Time);
const START_OFFSET: Column = column("start_utc_offset_minutes", "utc_offset_minutes", Form::Text);
/// Minutes of the longest day.
const DAY_MINUTES: f64 = 1_500.0;

fn text(name: &'static str) -> Column {
    column(name, name, Form::Text)
}

fn float(name: &'static str) -> Column {
    column(name, name, Form::Float)
}

fn json(name: &'static str) -> Column {
    column(name, name, Form::Json)
}

fn days(stream: Stream, keys: usize, own: &[Column], range: (&'static str, RangeInclusive<f64>)) -> Table {
    Table {
        stream,
        is_of_samples: true,
        keys,
        columns: [DEVICE, DATE].into_iter().chain(own.iter().copied()).collect(),
        range: Some(range),
        children: None,
    }
}

fn whole(stream: Stream, keys: usize, columns: Vec<Column>) -> Table {
    Table {
        stream,
        is_of_samples: false,
        keys,
        columns,
        range: None,
        children: None,
    }
}

pub(super) fn activity_minutes() -> Table {
    let range = ("minutes", 0.0..=DAY_MINUTES);
    days(
        Stream::ActivityMinutes,
        3,
        &[text("level"), text("minutes")],
        range,
    )
}

pub(super) fn heart_rate_zones() -> Table {
    let range = ("minutes", 0.0..=DAY_MINUTES);
    days(
        Stream::HeartRateZones,
        3,
        &[text("zone"), float("minutes")],
        range,
    )
}

pub(super) fn resting_heart_rates() -> Table {
    let range = ("bpm", 20.0..=250.0);
    days(
        Stream::RestingHeartRates,
        2,
        &[float("bpm"), float("error")],
        range,
    )
}

pub(super) fn sleeps() -> Table {
    let mut columns = vec![DEVICE, LOG, START, END, START_OFFSET];
    columns.push(column("date_of_sleep", "date_of_sleep", Form::Day));
    columns.push(column("time_in_bed_minutes", "time_in_bed", Form::Text));
    columns.extend(texts(&[
        "end_utc_offset_minutes",
        "duration_ms",
        "minutes_to_fall_asleep",
        "minutes_asleep",
        "minutes_awake",
        "minutes_after_wakeup",
        "efficiency",
        "type",
        "info_code",
        "main_sleep",
        "log_type",
    ]));
    columns.push(json("extra"));
    Table {
        children: Some(Children {
            sql: "(select string_agg(l.source || ' ' || l.seq || ' ' || (extract(epoch from l.local_ts) * 1000)::bigint \
                || ' ' || l.level || ' ' || l.seconds, ';' order by l.source, l.seq) from raw.sleep_levels l \
                where l.device_id = t.device_id and l.log_id = t.log_id)",
            read: levels,
        }),
        ..whole(Stream::Sleeps, 2, columns)
    }
}

pub(super) fn sleep_scores() -> Table {
    let mut columns = vec![DEVICE, LOG, END];
    columns.extend(texts(&[
        "utc_offset_minutes",
        "overall_score",
        "composition_score",
        "revitalization_score",
        "duration_score",
        "deep_sleep_minutes",
    ]));
    columns.extend([float("resting_heart_rate"), float("restlessness"), json("extra")]);
    whole(Stream::SleepScores, 2, columns)
}

pub(super) fn exercises() -> Table {
    let mut columns = vec![DEVICE, LOG, START, END, START_OFFSET];
    columns.extend(texts(&[
        "end_utc_offset_minutes",
        "activity_name",
        "activity_type_id",
        "log_type",
        "duration_ms",
        "active_duration_ms",
        "average_heart_rate",
        "steps",
        "distance_unit",
        "has_gps",
    ]));
    columns.extend(["calories", "distance", "speed", "pace", "elevation_gain"].map(float));
    columns.extend([json("levels"), json("heart_rate_zones"), json("extra")]);
    whole(Stream::Exercises, 2, columns)
}

pub(super) fn users() -> Table {
    let mut columns: Vec<Column> = texts(&["user_id", "email", "gender", "max_heart_rate", "zone"]).collect();
    columns.push(column("date_of_birth", "dob", Form::Day));
    columns.push(column("height_cm", "height", Form::Text));
    columns.push(column("created_at", "created_at", Form::Time));
    columns.push(json("extra"));
    whole(Stream::Users, 1, columns)
}

/// `source seq ms level seconds`, in the order of source and seq.
fn levels(document: &RawDocument) -> Result<String, AuditError> {
    let mut text = String::new();
    for (source, list) in [("data", "levels"), ("short", "short_levels")] {
        for (seq, level) in document.get_array(list)?.into_iter().enumerate() {
            let level = level?;
            let level = level
                .as_document()
                .ok_or_else(|| AuditError::Unexpected("a level is not a document".into()))?;
            let separator = if text.is_empty() { "" } else { ";" };
            let _infallible = write!(
                text,
                "{separator}{source} {seq} {} {} {}",
                level.get_datetime("ts")?.timestamp_millis(),
                level.get_str("level")?,
                level.get_i32("seconds")?
            );
        }
    }
    Ok(text)
}
