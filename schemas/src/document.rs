//! The shape of events in MongoDB. Documents are written once and never changed.

use bson::raw::{CStr, RawArrayBuf, RawDocumentBuf, cstr};
use bson::{DateTime, RawBson};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::codec::{Decoded, hexadecimal};
use crate::event::{Event, HeartRate, Sleep, SleepLevel, Step, Upload, User};
use crate::time::{LocalMillis, UtcMillis, date_text};

/// Names of the collections that are no stream's.
pub mod collections {
    /// Offsets that hold no new event: duplicates, and ranges without messages.
    pub const RECEIPTS: &str = "receipts";
    /// What could not be processed, with its bytes.
    pub const DEAD_LETTERS: &str = "dead_letters";
    /// Which of Kafka's topic ids is which generation of a topic.
    pub const GENERATIONS: &str = "generations";
}

/// Where in Kafka a message stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// Topic.
    pub topic: String,
    /// Rises when a topic of this name is made anew and its offsets restart.
    pub generation: i32,
    /// Partition.
    pub partition: i32,
    /// Offset in the partition.
    pub offset: i64,
}

impl std::fmt::Display for Position {
    /// `topic/generation/partition/offset`, as in the ids of receipts and dead letters.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}/{}/{}/{}",
            self.topic, self.generation, self.partition, self.offset
        )
    }
}

/// The document that stores an event: its `_id` is the event's.
///
/// Wall clocks are dates as if they stood in UTC, UUIDs are lower-case text with hyphens.
#[must_use]
pub fn to_document(
    decoded: &Decoded,
    position: &Position,
    schema_id: u32,
    stored_at: UtcMillis,
) -> RawDocumentBuf {
    let mut document = RawDocumentBuf::new();
    match &decoded.event {
        Event::HeartRates(event) => {
            append_envelope(&mut document, &event.upload);
            document.append(
                cstr!("metrics"),
                event.samples.iter().map(heart_rate).collect::<RawArrayBuf>(),
            );
        }
        Event::Steps(event) => {
            append_envelope(&mut document, &event.upload);
            document.append(
                cstr!("metrics"),
                event.samples.iter().map(step).collect::<RawArrayBuf>(),
            );
        }
        Event::Sleep(sleep) => append_sleep(&mut document, sleep),
        Event::User(user) => append_user(&mut document, user),
    }
    append_origin(&mut document, decoded, position, schema_id);
    document.append(cstr!("stored_at"), instant(stored_at));
    if !decoded.extra.is_empty() {
        document.append(cstr!("extra"), fields(&decoded.extra));
    }
    document
}

fn append_envelope(document: &mut RawDocumentBuf, upload: &Upload) {
    append_id(document, cstr!("_id"), upload.event_id);
    append_id(document, cstr!("device_id"), upload.device_id);
    document.append(cstr!("created_at"), wall_clock(upload.window_start));
    document.append(cstr!("ended_at"), wall_clock(upload.window_end));
    document.append(cstr!("synced_at"), instant(upload.synced_at));
    document.append(cstr!("utc_offset_minutes"), upload.utc_offset_minutes);
}

fn heart_rate(sample: &HeartRate) -> RawDocumentBuf {
    let mut metric = RawDocumentBuf::new();
    metric.append(cstr!("ts"), wall_clock(sample.ts));
    metric.append(cstr!("bpm"), sample.bpm);
    metric.append(cstr!("confidence"), sample.confidence);
    metric
}

fn step(sample: &Step) -> RawDocumentBuf {
    let mut metric = RawDocumentBuf::new();
    metric.append(cstr!("ts"), wall_clock(sample.ts));
    metric.append(cstr!("steps"), sample.steps);
    metric
}

fn append_sleep(document: &mut RawDocumentBuf, sleep: &Sleep) {
    append_envelope(document, &sleep.upload);
    document.append(cstr!("end_utc_offset_minutes"), sleep.end_utc_offset_minutes);
    document.append(cstr!("log_id"), sleep.log_id);
    document.append(cstr!("date_of_sleep"), date_text(sleep.date_of_sleep).as_str());
    document.append(cstr!("duration_ms"), sleep.duration_ms);
    document.append(cstr!("minutes_to_fall_asleep"), sleep.minutes_to_fall_asleep);
    document.append(cstr!("minutes_asleep"), sleep.minutes_asleep);
    document.append(cstr!("minutes_awake"), sleep.minutes_awake);
    document.append(cstr!("minutes_after_wakeup"), sleep.minutes_after_wakeup);
    document.append(cstr!("time_in_bed"), sleep.time_in_bed);
    document.append(cstr!("efficiency"), sleep.efficiency);
    document.append(cstr!("type"), sleep.kind.as_str());
    if let Some(code) = sleep.info_code {
        document.append(cstr!("info_code"), code);
    }
    document.append(cstr!("main_sleep"), sleep.main_sleep);
    let mut levels = RawDocumentBuf::new();
    levels.append(
        cstr!("data"),
        sleep.levels.iter().map(level).collect::<RawArrayBuf>(),
    );
    levels.append(
        cstr!("short_data"),
        sleep.short_levels.iter().map(level).collect::<RawArrayBuf>(),
    );
    document.append(cstr!("levels"), levels);
}

fn level(level: &SleepLevel) -> RawDocumentBuf {
    let mut item = RawDocumentBuf::new();
    item.append(cstr!("ts"), wall_clock(level.ts));
    item.append(cstr!("level"), level.level.as_str());
    item.append(cstr!("seconds"), level.seconds);
    item
}

fn append_user(document: &mut RawDocumentBuf, user: &User) {
    append_id(document, cstr!("_id"), user.event_id);
    append_id(document, cstr!("user_id"), user.user_id);
    document.append(cstr!("synced_at"), instant(user.synced_at));
    document.append(cstr!("created_at"), instant(user.created_at));
    let date_of_birth = user.date_of_birth.map(date_text);
    let texts = [
        (cstr!("email"), &user.email),
        (cstr!("dob"), &date_of_birth),
        (cstr!("gender"), &user.gender),
        (cstr!("zone"), &user.zone),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            document.append(name, text.as_str());
        }
    }
    for (name, number) in [
        (cstr!("height"), user.height_cm),
        (cstr!("max_heart_rate"), user.max_heart_rate),
    ] {
        if let Some(number) = number {
            document.append(name, number);
        }
    }
    document.append(
        cstr!("devices"),
        user.devices
            .iter()
            .map(|device| device.hyphenated().to_string())
            .collect::<RawArrayBuf>(),
    );
}

fn append_origin(document: &mut RawDocumentBuf, decoded: &Decoded, position: &Position, schema_id: u32) {
    let mut kafka = RawDocumentBuf::new();
    kafka.append(cstr!("topic"), position.topic.as_str());
    kafka.append(cstr!("generation"), position.generation);
    kafka.append(cstr!("partition"), position.partition);
    kafka.append(cstr!("offset"), position.offset);
    document.append(cstr!("kafka"), kafka);
    document.append(cstr!("content_hash"), hexadecimal(&decoded.content_hash).as_str());
    // Registries count up from 1; an id past 2³¹ is kept bit for bit.
    document.append(cstr!("schema_id"), schema_id.cast_signed());
}

fn append_id(document: &mut RawDocumentBuf, name: &CStr, id: Uuid) {
    document.append(name, &*id.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
}

fn instant(at: UtcMillis) -> DateTime {
    DateTime::from_millis(at.0)
}

fn wall_clock(at: LocalMillis) -> DateTime {
    DateTime::from_millis(at.0)
}

fn fields(values: &Map<String, Value>) -> RawDocumentBuf {
    let mut document = RawDocumentBuf::new();
    for (name, value) in values {
        // BSON names end at a zero byte; Avro's record fields have none, its map keys may.
        let name = name.replace('\0', "\u{fffd}");
        if let Ok(name) = <&CStr>::try_from(name.as_str()) {
            document.append(name, raw(value));
        }
    }
    document
}

fn raw(value: &Value) -> RawBson {
    match value {
        Value::Null => RawBson::Null,
        Value::Bool(value) => RawBson::Boolean(*value),
        Value::Number(number) => number.as_i64().map_or_else(
            || RawBson::Double(number.as_f64().unwrap_or(f64::NAN)),
            RawBson::Int64,
        ),
        Value::String(text) => RawBson::String(text.clone()),
        Value::Array(items) => RawBson::Array(items.iter().map(raw).collect()),
        Value::Object(values) => RawBson::Document(fields(values)),
    }
}
