//! Mapping: strict, total, and every offset accounted exactly once (D-3, D-4).

use bson::{DateTime, RawDocumentBuf, rawdoc};
use proptest::prelude::*;
use pulseline_schemas::{
    Decoded, Event, Extra, HeartRate, HeartRates, LocalMillis, Position, Upload, UtcMillis, to_document,
};
use uuid::Uuid;

use super::*;
use crate::dead_letter::Stage;
use crate::document::{Cell, MappedEntry};

pub(super) const DEVICE: &str = "0f6d5c1e-7b0a-4f3e-9d55-0a1b2c3d4e5f";
pub(super) const EVENT: &str = "1f6d5c1e-7b0a-4f3e-9d55-0a1b2c3d4e5f";
/// 2019-11-03T01:00, as a wall clock and as an instant.
pub(super) const NIGHT: i64 = 1_572_742_800_000;
pub(super) const NOW: i64 = NIGHT + 1;

fn heart_rates(metrics: bson::raw::RawArrayBuf) -> RawDocumentBuf {
    rawdoc! {
        "_id": EVENT, "device_id": DEVICE,
        "created_at": DateTime::from_millis(NIGHT), "ended_at": DateTime::from_millis(NIGHT + 900_000),
        "synced_at": DateTime::from_millis(NIGHT), "utc_offset_minutes": 60,
        "metrics": metrics,
        "kafka": { "topic": "fitbit.heart_rates", "generation": 0, "partition": 2, "offset": 41_i64 },
    }
}

fn metric(ts: i64, bpm: i32, confidence: i32) -> RawDocumentBuf {
    rawdoc! { "ts": DateTime::from_millis(ts), "bpm": bpm, "confidence": confidence }
}

pub(super) fn of(source: Stream) -> SourceCollection {
    SourceCollection::Stream(source)
}

fn kind(mapped: &Mapped) -> Option<(AccountKind, i64, i64)> {
    mapped
        .account
        .as_ref()
        .map(|account| (account.kind, account.from, account.to))
}

#[test]
fn d_4_readings_outside_the_guards_are_dead_letters_and_the_upload_is_loaded() {
    let metrics = [
        metric(NIGHT, 60, 3),
        metric(NIGHT + 5_000, 19, 3),
        metric(NIGHT + 10_000, 60, 4),
        metric(NIGHT + 15_000, 60, 70_000),
        metric(1_167_609_599_999, 60, 1),
        // More than a day after it was synced, although the wall clock runs an hour ahead of UTC.
        metric(NIGHT + 86_400_000 + 3_600_001, 60, 1),
        metric(NIGHT + 86_400_000 + 3_600_000, 250, 0),
    ];
    let document = heart_rates(metrics.into_iter().collect());
    let mapped = map(of(Stream::HeartRates), &document, NOW);
    assert_eq!(kind(&mapped), Some((AccountKind::Loaded, 41, 42)));
    let items: Vec<_> = mapped
        .dead_letters
        .iter()
        .map(|dead_letter| (dead_letter.item, dead_letter.reason.as_str()))
        .collect();
    assert_eq!(items, [1, 2, 3, 4, 5].map(|item| (item, "out_of_range")));
    assert_eq!(
        mapped.dead_letters[0].origin,
        format!("mongo:heart_rates/{EVENT}")
    );
    assert_eq!(
        mapped.dead_letters[0].payload.as_deref(),
        Some(metric(NIGHT + 5_000, 19, 3).as_bytes())
    );
    assert_eq!(
        mapped.dead_letters[0].message_key.as_deref(),
        Some(DEVICE.as_bytes())
    );
    let Rows::Readings(upload) = &mapped.rows else {
        panic!("no readings")
    };
    let kept: Vec<_> = upload
        .readings
        .iter()
        .map(|reading| (reading.item, reading.value))
        .collect();
    assert_eq!(kept, [(0, 60), (6, 250)]);
}

#[test]
fn d_4_a_document_that_cannot_be_mapped_is_one_dead_letter_and_a_dead_offset() {
    let good = heart_rates([metric(NIGHT, 60, 3)].into_iter().collect());
    for field in ["device_id", "synced_at", "utc_offset_minutes", "metrics"] {
        let mut bad = RawDocumentBuf::new();
        for element in &good {
            let (key, value) = element.unwrap();
            if key.as_str() == field {
                bad.append(key, "nonsense");
            } else {
                bad.append(key, value);
            }
        }
        let mapped = map(of(Stream::HeartRates), &bad, NOW);
        assert_eq!(kind(&mapped), Some((AccountKind::Dead, 41, 42)), "{field}");
        assert_eq!(mapped.rows, Rows::Nothing);
        let [dead_letter] = &mapped.dead_letters[..] else {
            panic!("{field}: not one dead letter")
        };
        assert_eq!(
            (dead_letter.item, dead_letter.reason.as_str()),
            (-1, "unmappable")
        );
        assert!(dead_letter.detail.contains(field), "{}", dead_letter.detail);
        assert_eq!(dead_letter.payload.as_deref(), Some(bad.as_bytes()));
    }
}

#[test]
fn a_metric_of_the_wrong_type_refuses_the_whole_upload() {
    let bad = rawdoc! { "ts": "yesterday", "bpm": 60, "confidence": 1 };
    let mapped = map(
        of(Stream::HeartRates),
        &heart_rates([metric(NIGHT, 60, 3), bad].into_iter().collect()),
        NOW,
    );
    assert_eq!(kind(&mapped), Some((AccountKind::Dead, 41, 42)));
    assert!(
        mapped.dead_letters[0].detail.starts_with("metrics[1]: ts"),
        "{}",
        mapped.dead_letters[0].detail
    );
}

#[test]
fn d_4_receipts_account_their_range_and_dead_letters_of_kafka_a_dead_offset() {
    let receipt = rawdoc! {
        "_id": "t/0/1/5-7", "kind": "void",
        "kafka": { "topic": "t", "generation": 0, "partition": 1, "offset": 5_i64, "last_offset": 7_i64 },
    };
    assert_eq!(
        kind(&map(SourceCollection::Receipts, &receipt, NOW)),
        Some((AccountKind::Void, 5, 8))
    );
    let dead_letter = |origin: &str, item: i32| {
        rawdoc! {
            "_id": format!("{origin}#{item}"), "origin": origin, "item": item, "stream": "steps",
            "kafka": { "topic": "t", "generation": 0, "partition": 1, "offset": 5_i64 },
            "message_key": bson::RawBson::Null, "payload": bson::RawBson::Null, "reason": "undecodable",
            "detail": "d", "program_version": "1", "created_at": DateTime::from_millis(NIGHT),
        }
    };
    let of_dead_letter =
        |origin: &str, item: i32| map(SourceCollection::DeadLetters, &dead_letter(origin, item), NOW);
    let of_kafka = of_dead_letter("kafka:t/0/1/5", -1);
    assert_eq!(kind(&of_kafka), Some((AccountKind::Dead, 5, 6)));
    assert_eq!(of_kafka.dead_letters[0].stage, Stage::Given);
    assert_eq!(kind(&of_dead_letter("kafka:t/0/1/5", 3)), None);
    assert_eq!(
        kind(&of_dead_letter("file:ab/7", 3)),
        Some((AccountKind::Dead, 5, 6))
    );
    assert_eq!(kind(&of_dead_letter("mongo:steps/x", -1)), None);
}

#[test]
fn d_3_an_impossible_position_is_a_dead_letter_without_an_offset() {
    let long = "t".repeat(250);
    let at = |topic: &str, incarnation: i32, partition: i32, offset: i64| {
        rawdoc! { "topic": topic, "generation": incarnation, "partition": partition, "offset": offset }
    };
    let impossible = [
        at("t", 0, 0, -1),
        at("t", 0, 0, i64::MAX),
        at("t", 0, -1, 0),
        at("t", -1, 0, 0),
        at(&long, 0, 0, 0),
        at("", 0, 0, 0),
        at("t/0", 0, 0, 0),
    ];
    for kafka in impossible {
        for source in [
            of(Stream::Steps),
            of(Stream::Users),
            of(Stream::Sleeps),
            SourceCollection::Receipts,
        ] {
            let mapped = map(
                source,
                &rawdoc! { "_id": EVENT, "kind": "void", "kafka": kafka.clone() },
                NOW,
            );
            assert_eq!((kind(&mapped), &mapped.rows), (None, &Rows::Nothing), "{kafka:?}");
            let [dead_letter] = &mapped.dead_letters[..] else {
                panic!("{kafka:?}: not one dead letter")
            };
            assert!(dead_letter.detail.starts_with("kafka"), "{}", dead_letter.detail);
            assert_eq!(dead_letter.position, None);
        }
    }
}

#[test]
fn d_3_a_dead_letter_is_never_refused_for_its_texts() {
    let dead_letter = rawdoc! {
        "_id": "x", "origin": "kafka:t/0/1/5", "item": -1, "stream": "\0", "reason": "a\0b", "detail": "\0",
        "kafka": { "topic": "t", "generation": 0, "partition": 1, "offset": 5_i64 }, "program_version": "\0",
        "created_at": DateTime::from_millis(i64::MAX),
    };
    let mapped = map(SourceCollection::DeadLetters, &dead_letter, NOW);
    assert_eq!(kind(&mapped), Some((AccountKind::Dead, 5, 6)));
    let dead_letter = &mapped.dead_letters[0];
    assert_eq!(
        (dead_letter.reason.as_str(), dead_letter.created_at),
        ("a\u{fffd}b", NOW)
    );
    assert_eq!(dead_letter.stream.as_deref(), Some("\u{fffd}"));
}

#[test]
fn a_dead_letter_of_the_loader_comes_back_as_it_went_out() {
    let mapped = map(of(Stream::Sleeps), &rawdoc! { "_id": "x" }, NOW);
    let [dead_letter] = &mapped.dead_letters[..] else {
        panic!("not one dead letter")
    };
    let again = map(SourceCollection::DeadLetters, &dead_letter.to_document(), NOW + 5);
    assert_eq!(again.account, None);
    assert_eq!(
        again.dead_letters,
        [DeadLetter {
            stage: Stage::Given,
            ..dead_letter.clone()
        }]
    );
}

#[test]
fn users_and_sleeps_are_read_whole() {
    let kafka = rawdoc! { "topic": "t", "generation": 0, "partition": 0, "offset": 0_i64 };
    let user = rawdoc! {
        "_id": EVENT, "user_id": DEVICE, "synced_at": DateTime::from_millis(NIGHT),
        "created_at": DateTime::from_millis(NIGHT), "dob": "1980-02-29", "height": 180, "devices": [DEVICE],
        "kafka": kafka.clone(), "extra": { "shoe": 44_i64, "path": "a\\u0000b" },
    };
    let Rows::User(user) = map(of(Stream::Users), &user, NOW).rows else {
        panic!("no user")
    };
    assert_eq!(
        (user.date_of_birth, user.height_cm, user.email.as_deref()),
        (Some(3_711), Some(180), None)
    );
    assert_eq!(user.extra.as_deref(), Some(r#"{"shoe":44,"path":"a\\u0000b"}"#));
    let Rows::Entries(rows) = map(of(Stream::Sleeps), &sleep(NIGHT), NOW).rows else {
        panic!("no sleep")
    };
    let [row] = &rows[..] else { panic!("not one row") };
    let places: Vec<_> = row.children.iter().map(|(list, seq, _)| (*list, *seq)).collect();
    assert_eq!((row.item, places), (-1, vec![("data", 0), ("short", 0)]));
    assert_eq!(row.cells[0], Cell::Int8(9));
    assert_eq!(row.days(), Some((18_202, 18_203)));
    let late = map(of(Stream::Sleeps), &sleep(NIGHT + 200_000_000), NOW);
    assert_eq!(
        (kind(&late), late.dead_letters[0].reason.as_str()),
        (Some((AccountKind::Dead, 0, 1)), "out_of_range")
    );
}

pub(super) fn sleep(end: i64) -> RawDocumentBuf {
    let level = rawdoc! { "ts": DateTime::from_millis(NIGHT), "level": "deep", "seconds": 60 };
    rawdoc! {
        "_id": EVENT, "device_id": DEVICE, "synced_at": DateTime::from_millis(NIGHT),
        "created_at": DateTime::from_millis(NIGHT - 7_200_000), "ended_at": DateTime::from_millis(end),
        "utc_offset_minutes": 120, "end_utc_offset_minutes": 60, "log_id": 9_i64,
        "date_of_sleep": "2019-11-03", "duration_ms": 7_200_000_i64, "minutes_to_fall_asleep": 0,
        "minutes_asleep": 100, "minutes_awake": 20, "minutes_after_wakeup": 0, "time_in_bed": 120,
        "efficiency": 91, "type": "stages", "main_sleep": true,
        "levels": [level.clone()], "short_levels": [level],
        "kafka": { "topic": "t", "generation": 0, "partition": 0, "offset": 0_i64 },
    }
}

/// The cell of a column, by the column's name.
pub(super) fn cell<'a>(entry: &'a MappedEntry, stream: Stream, name: &str) -> &'a Cell {
    let TableMapping::Entries(entries) = table_mapping(stream) else {
        panic!("{stream} has no such columns")
    };
    let at = entries.columns.iter().position(|column| column.name == name);
    &entry.cells[at.unwrap()]
}

#[test]
fn d_4_a_day_outside_the_guards_is_a_dead_letter_and_the_others_are_loaded() {
    let day = |date: &str, level: &str, minutes: i32| rawdoc! { "local_date": date, "level": level, "minutes": minutes };
    let days = [
        day("2019-11-01", "sedentary", 1_440),
        day("2019-11-01", "very_active", -1),
        day("2019-11-01", "lightly_active", 1_501),
        day("2019-11-05", "sedentary", 1_440),
        day("2019-11-02", "a level of tomorrow", 0),
    ];
    let mut document = heart_rates(days.into_iter().collect());
    let mapped = map(of(Stream::ActivityMinutes), &document, NOW);
    assert_eq!(kind(&mapped), Some((AccountKind::Loaded, 41, 42)));
    let items: Vec<_> = mapped
        .dead_letters
        .iter()
        .map(|dead_letter| dead_letter.item)
        .collect();
    assert_eq!(items, [1, 2, 3]);
    let Rows::Entries(rows) = &mapped.rows else {
        panic!("no rows")
    };
    let items: Vec<_> = rows.iter().map(|row| row.item).collect();
    assert_eq!(items, [0, 4]);
    document = heart_rates([rawdoc! { "local_date": "2019-11-01" }].into_iter().collect());
    let mapped = map(of(Stream::ActivityMinutes), &document, NOW);
    assert_eq!(kind(&mapped), Some((AccountKind::Dead, 41, 42)));
    assert_eq!(mapped.dead_letters[0].detail, "metrics[0]: level is missing");
}

#[test]
fn a_heart_rate_without_a_confidence_has_none() {
    let metrics = [rawdoc! { "ts": DateTime::from_millis(NIGHT), "bpm": 60 }];
    let mapped = map(
        of(Stream::HeartRates),
        &heart_rates(metrics.into_iter().collect()),
        NOW,
    );
    let Rows::Readings(upload) = mapped.rows else {
        panic!("no readings")
    };
    assert_eq!(upload.readings[0].confidence, None);
}

proptest! {
    /// The loader reads everything the sink writes: whatever the values, each offset gets exactly one fate.
    #[test]
    fn d_4_every_document_of_the_contract_is_accounted_once(
        offset in 0..i64::MAX - 1,
        samples in prop::collection::vec((any::<i32>(), any::<i32>(), any::<i32>()), 0..20),
        utc_offset_minutes in prop_oneof![Just(60), any::<i32>()],
    ) {
        let samples: Vec<HeartRate> = samples
            .into_iter()
            .map(|(ts, bpm, confidence)| HeartRate { ts: LocalMillis(NIGHT + i64::from(ts)), bpm, confidence: Some(confidence) })
            .collect();
        let total = samples.len();
        let upload = Upload {
            event_id: Uuid::from_u128(1),
            device_id: Uuid::from_u128(2),
            synced_at: UtcMillis(NIGHT),
            utc_offset_minutes,
            window_start: LocalMillis(NIGHT),
            window_end: LocalMillis(NIGHT),
        };
        let decoded = Decoded {
            event: Event::HeartRates(HeartRates { upload, samples, extra: Extra::default() }),
            extra: serde_json::Map::new(),
            content_hash: [0; 32],
        };
        let position = Position { topic: "t".into(), incarnation: 0, partition: 0, offset };
        let document = to_document(&decoded, &position, 1, UtcMillis(NIGHT));
        let mapped = map(of(Stream::HeartRates), &document, NOW);
        prop_assert!(matches!(kind(&mapped), Some((AccountKind::Loaded | AccountKind::Dead, from, to)) if from == offset && to == offset + 1));
        match &mapped.rows {
            Rows::Readings(upload) => prop_assert_eq!(upload.readings.len() + mapped.dead_letters.len(), total),
            _ => prop_assert!(mapped.dead_letters.len() == 1 && mapped.dead_letters[0].item == -1),
        }
    }
}
