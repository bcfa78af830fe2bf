//! A hash of what an event says, whichever version of the schema carried it.
//!
//! Canonical JSON: keys sorted, nulls dropped, no white space, unknown fields in their places. A field that this
//! version does not know hashes as it will once a later version knows it.

use std::io::Write;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::event::{Event, HeartRate, HeartRates, Sleep, SleepLevel, Step, Steps, Upload, User};

/// SHA-256 over the canonical JSON of an event and the fields that are unknown here.
#[must_use]
pub fn content_hash(event: &Event, extra: &Map<String, Value>) -> [u8; 32] {
    Sha256::digest(canonical(event, extra)).into()
}

fn canonical(event: &Event, extra: &Map<String, Value>) -> Vec<u8> {
    let mut json = Vec::with_capacity(512 + 56 * event.readings());
    let mut fields = match event {
        Event::HeartRates(HeartRates { upload, samples }) => {
            with_envelope(upload, vec![("samples", Field::HeartRates(samples))])
        }
        Event::Steps(Steps { upload, samples }) => {
            with_envelope(upload, vec![("samples", Field::Steps(samples))])
        }
        Event::Sleep(sleep) => sleep_fields(sleep),
        Event::User(user) => user_fields(user),
    };
    fields.sort_unstable_by_key(|(name, _)| *name);
    write_object(&mut json, &fields, Some(extra));
    json
}

/// A known field. Lists of records find their items' unknown fields in `extra` under their own name.
enum Field<'a> {
    Int(i64),
    Bool(bool),
    Text(&'a str),
    Id(Uuid),
    Ids(&'a [Uuid]),
    HeartRates(&'a [HeartRate]),
    Steps(&'a [Step]),
    Levels(&'a [SleepLevel]),
    Absent,
}

type Fields<'a> = Vec<(&'static str, Field<'a>)>;

fn optional<T, F>(value: Option<T>, field: F) -> Field<'static>
where
    F: FnOnce(T) -> Field<'static>,
{
    value.map_or(Field::Absent, field)
}

fn text(value: Option<&str>) -> Field<'_> {
    value.map_or(Field::Absent, Field::Text)
}

fn with_envelope<'a>(upload: &Upload, mut own: Fields<'a>) -> Fields<'a> {
    own.extend([
        ("event_id", Field::Id(upload.event_id)),
        ("device_id", Field::Id(upload.device_id)),
        ("synced_at", Field::Int(upload.synced_at.0)),
        ("utc_offset_minutes", Field::Int(upload.utc_offset_minutes.into())),
        ("window_start", Field::Int(upload.window_start.0)),
        ("window_end", Field::Int(upload.window_end.0)),
    ]);
    own
}

fn sleep_fields(sleep: &Sleep) -> Fields<'_> {
    let own = vec![
        (
            "end_utc_offset_minutes",
            Field::Int(sleep.end_utc_offset_minutes.into()),
        ),
        ("log_id", Field::Int(sleep.log_id)),
        ("date_of_sleep", Field::Int(sleep.date_of_sleep.into())),
        ("duration_ms", Field::Int(sleep.duration_ms)),
        (
            "minutes_to_fall_asleep",
            Field::Int(sleep.minutes_to_fall_asleep.into()),
        ),
        ("minutes_asleep", Field::Int(sleep.minutes_asleep.into())),
        ("minutes_awake", Field::Int(sleep.minutes_awake.into())),
        (
            "minutes_after_wakeup",
            Field::Int(sleep.minutes_after_wakeup.into()),
        ),
        ("time_in_bed", Field::Int(sleep.time_in_bed.into())),
        ("efficiency", Field::Int(sleep.efficiency.into())),
        ("type", Field::Text(&sleep.kind)),
        (
            "info_code",
            optional(sleep.info_code, |code| Field::Int(code.into())),
        ),
        ("main_sleep", Field::Bool(sleep.main_sleep)),
        ("levels", Field::Levels(&sleep.levels)),
        ("short_levels", Field::Levels(&sleep.short_levels)),
    ];
    with_envelope(&sleep.upload, own)
}

fn user_fields(user: &User) -> Fields<'_> {
    let int = |value: Option<i32>| optional(value, |number| Field::Int(number.into()));
    vec![
        ("event_id", Field::Id(user.event_id)),
        ("user_id", Field::Id(user.user_id)),
        ("synced_at", Field::Int(user.synced_at.0)),
        ("created_at", Field::Int(user.created_at.0)),
        ("email", text(user.email.as_deref())),
        ("date_of_birth", int(user.date_of_birth)),
        ("gender", text(user.gender.as_deref())),
        ("height_cm", int(user.height_cm)),
        ("max_heart_rate", int(user.max_heart_rate)),
        ("zone", text(user.zone.as_deref())),
        ("devices", Field::Ids(&user.devices)),
    ]
}

/// Writes an object whose known fields are sorted, with the unknown ones between them.
fn write_object(json: &mut Vec<u8>, known: &[(&str, Field<'_>)], extra: Option<&Map<String, Value>>) {
    let is_unknown = |name: &str| known.iter().all(|(field, _)| *field != name);
    let mut unknown: Vec<_> = extra
        .into_iter()
        .flatten()
        .filter(|(name, value)| is_unknown(name) && !value.is_null())
        .collect();
    unknown.sort_unstable_by_key(|(name, _)| *name);
    let mut unknown = unknown.into_iter().peekable();
    let mut first = true;
    json.push(b'{');
    for (name, field) in known.iter().filter(|(_, field)| !matches!(field, Field::Absent)) {
        while let Some((other, value)) = unknown.next_if(|(other, _)| other.as_str() < *name) {
            write_key(json, &mut first, other);
            write_value(json, value);
        }
        write_key(json, &mut first, name);
        write_field(json, field, extra.and_then(|extra| extra.get(*name)?.as_object()));
    }
    for (other, value) in unknown {
        write_key(json, &mut first, other);
        write_value(json, value);
    }
    json.push(b'}');
}

fn write_field(json: &mut Vec<u8>, field: &Field<'_>, extra: Option<&Map<String, Value>>) {
    match field {
        Field::Int(value) => write_int(json, *value),
        Field::Bool(value) => json.extend_from_slice(if *value { b"true" } else { b"false" }),
        Field::Text(value) => write_text(json, value),
        Field::Id(id) => write_id(json, *id),
        Field::Ids(ids) => write_list(json, ids.iter(), |json, _, id| write_id(json, *id)),
        Field::HeartRates(samples) => write_list(json, samples.iter(), |json, index, sample| {
            let known = [
                ("bpm", Field::Int(sample.bpm.into())),
                ("confidence", Field::Int(sample.confidence.into())),
                ("ts", Field::Int(sample.ts.0)),
            ];
            write_object(json, &known, of_item(extra, index));
        }),
        Field::Steps(samples) => write_list(json, samples.iter(), |json, index, sample| {
            let known = [
                ("steps", Field::Int(sample.steps.into())),
                ("ts", Field::Int(sample.ts.0)),
            ];
            write_object(json, &known, of_item(extra, index));
        }),
        Field::Levels(levels) => write_list(json, levels.iter(), |json, index, level| {
            let known = [
                ("level", Field::Text(&level.level)),
                ("seconds", Field::Int(level.seconds.into())),
                ("ts", Field::Int(level.ts.0)),
            ];
            write_object(json, &known, of_item(extra, index));
        }),
        Field::Absent => json.extend_from_slice(b"null"),
    }
}

fn of_item(extra: Option<&Map<String, Value>>, index: usize) -> Option<&Map<String, Value>> {
    extra?.get(&index.to_string())?.as_object()
}

fn write_list<T>(json: &mut Vec<u8>, items: impl Iterator<Item = T>, write: impl Fn(&mut Vec<u8>, usize, T)) {
    json.push(b'[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            json.push(b',');
        }
        write(json, index, item);
    }
    json.push(b']');
}

fn write_key(json: &mut Vec<u8>, first: &mut bool, name: &str) {
    if !std::mem::take(first) {
        json.push(b',');
    }
    write_text(json, name);
    json.push(b':');
}

fn write_value(json: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Object(fields) => write_object(json, &[], Some(fields)),
        Value::Array(items) => write_list(json, items.iter(), |json, _, item| write_value(json, item)),
        Value::String(value) => write_text(json, value),
        Value::Null | Value::Bool(_) | Value::Number(_) => append(json, format_args!("{value}")),
    }
}

fn write_int(json: &mut Vec<u8>, value: i64) {
    append(json, format_args!("{value}"));
}

fn write_id(json: &mut Vec<u8>, id: Uuid) {
    json.push(b'"');
    json.extend_from_slice(
        id.hyphenated()
            .encode_lower(&mut Uuid::encode_buffer())
            .as_bytes(),
    );
    json.push(b'"');
}

fn write_text(json: &mut Vec<u8>, text: &str) {
    if text
        .bytes()
        .all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\')
    {
        json.push(b'"');
        json.extend_from_slice(text.as_bytes());
        json.push(b'"');
    } else {
        append(json, format_args!("{}", Value::from(text)));
    }
}

/// Writing into memory cannot fail.
fn append(json: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let _ = json.write_fmt(text);
}
