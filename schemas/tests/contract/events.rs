//! Events to test with: one fixed event per stream, and arbitrary ones.

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::Union;
use pulseline_schemas::*;
use uuid::Uuid;

/// The event whose bytes are frozen. Never changed: a new version of a schema gets new golden bytes beside the old.
pub(crate) fn fixed(stream: Stream) -> Event {
    // 2019-11-01 23:30 in Oslo.
    let window_start = LocalMillis(1_572_651_000_000);
    let upload = Upload {
        event_id: Uuid::from_u128(0x0123_4567_89ab_5def_8123_4567_89ab_cdef),
        device_id: Uuid::from_u128(0xfedc_ba98_7654_4210_bedc_ba98_7654_3210),
        synced_at: UtcMillis(1_572_691_200_123),
        utc_offset_minutes: 60,
        window_start,
        window_end: LocalMillis(window_start.0 + 900_000),
    };
    let at = |seconds: i64| LocalMillis(window_start.0 + seconds * 1_000);
    match stream {
        Stream::HeartRates => Event::HeartRates(HeartRates {
            upload,
            samples: vec![
                HeartRate {
                    ts: at(5),
                    bpm: 54,
                    confidence: Some(3),
                },
                HeartRate {
                    ts: at(10),
                    bpm: 70,
                    confidence: Some(0),
                },
                HeartRate {
                    ts: at(895),
                    bpm: 201,
                    confidence: Some(1),
                },
            ],
            extra: none(),
        }),
        Stream::Steps => Event::Steps(Steps {
            upload,
            samples: vec![
                Step { ts: at(0), steps: 0 },
                Step {
                    ts: at(60),
                    steps: 117,
                },
            ],
            extra: none(),
        }),
        Stream::Sleeps => fixed_sleep(upload),
        Stream::Users => fixed_user(&upload),
        Stream::Distances => Event::Distances(Distances {
            upload,
            samples: vec![Distance {
                ts: at(0),
                distance_mm: 8_200,
            }],
            extra: other(),
        }),
        Stream::Calories => Event::Calories(Calories {
            upload,
            samples: vec![Calorie {
                ts: at(0),
                millikcal: 1_210,
            }],
            extra: other(),
        }),
        Stream::ActivityMinutes | Stream::HeartRateZones | Stream::RestingHeartRates => {
            fixed_day(stream, upload)
        }
        Stream::SleepScores => fixed_score(upload),
        Stream::Exercises => fixed_exercise(upload),
    }
}

fn fixed_sleep(upload: Upload) -> Event {
    let at = |seconds: i64| LocalMillis(upload.window_start.0 + seconds * 1_000);
    let level = |seconds: i64, name: &str, length| SleepLevel {
        ts: at(seconds),
        level: name.into(),
        seconds: length,
    };
    Event::Sleeps(Sleep {
        upload: Upload {
            window_end: at(27_000),
            ..upload
        },
        end_utc_offset_minutes: 60,
        log_id: 24_500_000_001,
        date_of_sleep: LocalDay(18_202),
        duration_ms: 27_000_000,
        minutes_to_fall_asleep: 0,
        minutes_asleep: 401,
        minutes_awake: 49,
        minutes_after_wakeup: 0,
        time_in_bed: 450,
        efficiency: 94,
        kind: "stages".into(),
        info_code: Some(0),
        main_sleep: true,
        levels: vec![
            level(0, "wake", 600),
            level(600, "light", 12_000),
            level(12_600, "deep", 14_400),
        ],
        short_levels: vec![level(9_000, "wake", 60)],
        log_type: None,
        extra: none(),
    })
}

fn fixed_user(upload: &Upload) -> Event {
    Event::Users(User {
        event_id: upload.event_id,
        user_id: Uuid::from_u128(7),
        synced_at: upload.synced_at,
        created_at: UtcMillis(1_572_566_400_000),
        email: Some("p01@example.org".into()),
        date_of_birth: Some(LocalDay(-365)),
        gender: Some("female".into()),
        height_cm: Some(171),
        max_heart_rate: None,
        zone: Some("Europe/Oslo".into()),
        devices: vec![upload.device_id, Uuid::from_u128(8)],
        extra: none(),
    })
}

fn fixed_day(stream: Stream, upload: Upload) -> Event {
    let (local_date, extra) = (LocalDay(18_201), other());
    match stream {
        Stream::ActivityMinutes => Event::ActivityMinutes(ActivityMinutes {
            upload,
            samples: vec![ActivityMinute {
                local_date,
                level: "sedentary".into(),
                minutes: 1_440,
            }],
            extra,
        }),
        Stream::HeartRateZones => Event::HeartRateZones(HeartRateZones {
            upload,
            samples: vec![ZoneMinutes {
                local_date,
                zone: "IN_DEFAULT_ZONE_1".into(),
                minutes: 30.5,
            }],
            extra,
        }),
        _ => Event::RestingHeartRates(RestingHeartRates {
            upload,
            samples: vec![RestingHeartRate {
                local_date,
                bpm: 65.406_968_116_760_25,
                error: Some(13.0),
            }],
            extra,
        }),
    }
}

fn fixed_score(upload: Upload) -> Event {
    Event::SleepScores(SleepScore {
        upload,
        log_id: 24_500_000_001,
        overall_score: Some(84),
        composition_score: None,
        revitalization_score: Some(22),
        duration_score: Some(44),
        deep_sleep_minutes: Some(117),
        resting_heart_rate: Some(63.0),
        restlessness: Some(0.083_536_090_835_360_91),
        extra: other(),
    })
}

fn fixed_exercise(upload: Upload) -> Event {
    Event::Exercises(Exercise {
        upload,
        end_utc_offset_minutes: 60,
        log_id: 29_595_174_370,
        activity_name: "Walk".into(),
        activity_type_id: Some(90_013),
        log_type: Some("auto_detected".into()),
        duration_ms: 1_639_000,
        active_duration_ms: Some(1_639_000),
        average_heart_rate: Some(100),
        calories: Some(170.0),
        steps: Some(1_710),
        distance: Some(1.25),
        distance_unit: Some("Kilometer".into()),
        speed: Some(2.74),
        pace: None,
        elevation_gain: Some(12.192),
        has_gps: Some(false),
        levels: vec![ExerciseLevel {
            name: "very".into(),
            minutes: 7,
        }],
        heart_rate_zones: vec![ExerciseZone {
            name: "Fat Burn".into(),
            min_bpm: Some(90),
            max_bpm: None,
            minutes: 21,
        }],
        extra: other(),
    })
}

const fn none() -> Extra {
    Extra(None)
}

fn other() -> Extra {
    Extra(Some(r#"{"source":{"name":"Charge 3"}}"#.into()))
}

/// [`fixed`] with the fields that came with version 2.
pub(crate) fn fixed_2(stream: Stream) -> Option<Event> {
    let mut event = fixed(stream);
    match &mut event {
        Event::HeartRates(event) => {
            event.samples[1].confidence = None;
            event.extra = other();
        }
        Event::Steps(event) => event.extra = other(),
        Event::Sleeps(event) => {
            event.log_type = Some("auto_detected".into());
            event.extra = other();
        }
        Event::Users(event) => event.extra = other(),
        _ => return None,
    }
    Some(event)
}

/// Any value of a schema, plausible or not; a text that has to be JSON is.
fn values(schema: &Schema, names: &HashMap<String, Schema>, field: &str) -> BoxedStrategy<Avro> {
    match schema {
        Schema::Null => Just(Avro::Null).boxed(),
        Schema::Boolean => any::<bool>().prop_map(Avro::Boolean).boxed(),
        Schema::Int => any::<i32>().prop_map(Avro::Int).boxed(),
        Schema::Date => any::<i32>().prop_map(Avro::Date).boxed(),
        Schema::Long => any::<i64>().prop_map(Avro::Long).boxed(),
        Schema::TimestampMillis => any::<i64>().prop_map(Avro::TimestampMillis).boxed(),
        Schema::LocalTimestampMillis => any::<i64>().prop_map(Avro::LocalTimestampMillis).boxed(),
        Schema::Double => (-1e9..1e9).prop_map(Avro::Double).boxed(),
        Schema::String if field == "extra" => any::<String>()
            .prop_map(|text| Avro::String(serde_json::json!({ "said": text }).to_string()))
            .boxed(),
        Schema::String => any::<String>().prop_map(Avro::String).boxed(),
        Schema::Uuid(_) => any::<u128>()
            .prop_map(|id| Avro::Uuid(Uuid::from_u128(id)))
            .boxed(),
        Schema::Union(union) => {
            let variants = union.variants().iter().zip(0..).map(|(schema, index)| {
                values(schema, names, field)
                    .prop_map(move |value| Avro::Union(index, Box::new(value)))
                    .boxed()
            });
            Union::new(variants).boxed()
        }
        Schema::Array(array) => vec(values(&array.items, names, field), 0..12)
            .prop_map(Avro::Array)
            .boxed(),
        Schema::Ref { name } => values(&names[name.name()], names, field),
        Schema::Record(record) => {
            let mut known = names.clone();
            let mut fields = Vec::new();
            for field in &record.fields {
                if let Schema::Array(array) = &field.schema
                    && let Schema::Record(item) = &*array.items
                {
                    known.insert(item.name.name().to_owned(), (*array.items).clone());
                }
                let name = field.name.clone();
                fields.push(
                    values(&field.schema, &known, &field.name)
                        .prop_map(move |value| (name.clone(), value))
                        .boxed(),
                );
            }
            fields.prop_map(Avro::Record).boxed()
        }
        other => panic!("no shipped schema has {other:?}"),
    }
}

/// Any event of a stream: whatever its schema can hold.
pub(crate) fn arbitrary_of(stream: Stream) -> BoxedStrategy<Event> {
    let schema = Schema::parse_str(stream.schema_json()).unwrap();
    let writer = WriterSchema::parse(stream.schema_json()).unwrap();
    let events = values(&schema, &HashMap::new(), "").prop_map(move |value| {
        let datum = GenericDatumWriter::builder(&schema)
            .build()
            .unwrap()
            .write_value_to_vec(value)
            .unwrap();
        decode(stream, &writer, &datum).unwrap().event
    });
    events.boxed()
}

/// Any event at all.
pub(crate) fn arbitrary() -> impl Strategy<Value = Event> {
    Union::new(Stream::ALL.map(arbitrary_of))
}
