//! Documents have the shape that the loader, and whoever queries MongoDB, relies on.

use bson::{Document, doc};
use pulseline_schemas::{Decoded, Position, Stream, UtcMillis, content_hash, to_document};
use serde_json::json;

use crate::events::fixed;

const EVENT_ID: &str = "01234567-89ab-5def-8123-456789abcdef";
const DEVICE_ID: &str = "fedcba98-7654-4210-bedc-ba9876543210";

pub(crate) fn position() -> Position {
    Position {
        topic: "fitbit.x".into(),
        incarnation: 1,
        partition: 2,
        offset: 345,
    }
}

fn date(text: &str) -> bson::DateTime {
    bson::DateTime::parse_rfc3339_str(text).unwrap()
}

fn document(stream: Stream) -> Document {
    let event = fixed(stream);
    let extra = serde_json::Map::new();
    let content_hash = content_hash(&event, &extra);
    let raw = to_document(
        &Decoded {
            event,
            extra,
            content_hash,
        },
        &position(),
        9,
        UtcMillis(1_572_691_201_000),
    );
    Document::try_from(raw).unwrap()
}

/// Takes out what every document has, after checking it.
fn own_fields(stream: Stream) -> Document {
    let mut document = document(stream);
    let kafka = doc! { "topic": "fitbit.x", "generation": 1, "partition": 2, "offset": 345_i64 };
    assert_eq!(document.remove("kafka"), Some(kafka.into()));
    assert_eq!(document.remove("schema_id"), Some(9.into()));
    assert_eq!(
        document.remove("stored_at"),
        Some(date("2019-11-02T10:40:01Z").into())
    );
    assert_eq!(
        document.remove("content_hash").unwrap().as_str().unwrap().len(),
        64
    );
    assert_eq!(document.remove("_id"), Some(EVENT_ID.into()));
    assert_eq!(
        document.remove("synced_at"),
        Some(date("2019-11-02T10:40:00.123Z").into())
    );
    document
}

fn own_fields_of_upload(stream: Stream, ended_at: &str) -> Document {
    let mut document = own_fields(stream);
    assert_eq!(document.remove("device_id"), Some(DEVICE_ID.into()));
    assert_eq!(
        document.remove("created_at"),
        Some(date("2019-11-01T23:30:00Z").into())
    );
    assert_eq!(document.remove("ended_at"), Some(date(ended_at).into()));
    assert_eq!(document.remove("utc_offset_minutes"), Some(60.into()));
    document
}

#[test]
fn heart_rates() {
    let expected = doc! { "metrics": [
        { "ts": date("2019-11-01T23:30:05Z"), "bpm": 54, "confidence": 3 },
        { "ts": date("2019-11-01T23:30:10Z"), "bpm": 70, "confidence": 0 },
        { "ts": date("2019-11-01T23:44:55Z"), "bpm": 201, "confidence": 1 },
    ] };
    assert_eq!(
        own_fields_of_upload(Stream::HeartRates, "2019-11-01T23:45:00Z"),
        expected
    );
}

#[test]
fn steps() {
    let expected = doc! { "metrics": [
        { "ts": date("2019-11-01T23:30:00Z"), "steps": 0 },
        { "ts": date("2019-11-01T23:31:00Z"), "steps": 117 },
    ] };
    assert_eq!(
        own_fields_of_upload(Stream::Steps, "2019-11-01T23:45:00Z"),
        expected
    );
}

#[test]
fn sleeps() {
    let expected = doc! {
        "end_utc_offset_minutes": 60,
        "log_id": 24_500_000_001_i64,
        "date_of_sleep": "2019-11-02",
        "duration_ms": 27_000_000_i64,
        "minutes_to_fall_asleep": 0,
        "minutes_asleep": 401,
        "minutes_awake": 49,
        "minutes_after_wakeup": 0,
        "time_in_bed": 450,
        "efficiency": 94,
        "type": "stages",
        "info_code": 0,
        "main_sleep": true,
        "levels": [
            { "ts": date("2019-11-01T23:30:00Z"), "level": "wake", "seconds": 600 },
            { "ts": date("2019-11-01T23:40:00Z"), "level": "light", "seconds": 12_000 },
            { "ts": date("2019-11-02T03:00:00Z"), "level": "deep", "seconds": 14_400 },
        ],
        "short_levels": [{ "ts": date("2019-11-02T02:00:00Z"), "level": "wake", "seconds": 60 }],
    };
    assert_eq!(
        own_fields_of_upload(Stream::Sleeps, "2019-11-02T07:00:00Z"),
        expected
    );
}

#[test]
fn users() {
    let expected = doc! {
        "user_id": "00000000-0000-0000-0000-000000000007",
        "created_at": date("2019-11-01T00:00:00Z"),
        "email": "p01@example.org",
        "dob": "1969-01-01",
        "gender": "female",
        "height": 171,
        "zone": "Europe/Oslo",
        "devices": [DEVICE_ID, "00000000-0000-0000-0000-000000000008"],
    };
    assert_eq!(own_fields(Stream::Users), expected);
}

#[test]
fn days_are_dates_and_what_else_was_said_stands_under_extra() {
    let expected = doc! {
        "metrics": [{ "local_date": "2019-11-01", "zone": "IN_DEFAULT_ZONE_1", "minutes": 30.5 }],
        "extra": { "source": { "name": "Charge 3" } },
    };
    assert_eq!(
        own_fields_of_upload(Stream::HeartRateZones, "2019-11-01T23:45:00Z"),
        expected
    );
}

#[test]
fn unknown_fields_stand_under_extra() {
    let extra = json!({ "firmware": "35", "deep": { "a\0b": [1, null, 2.5, true] } })
        .as_object()
        .unwrap()
        .clone();
    let decoded = Decoded {
        event: fixed(Stream::Steps),
        extra,
        content_hash: [0; 32],
    };
    let document = Document::try_from(to_document(&decoded, &position(), 9, UtcMillis(0))).unwrap();
    let expected = doc! { "firmware": "35", "deep": { "a\u{fffd}b": [1_i64, null, 2.5, true] } };
    assert_eq!(document.get_document("extra").unwrap(), &expected);
}

#[test]
fn a_position_reads_like_an_id() {
    assert_eq!(position().to_string(), "fitbit.x/1/2/345");
}
