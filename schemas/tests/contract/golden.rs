//! Bytes that shipped stay decodable, and this version still writes them.

use apache_avro::Schema;
use apache_avro::schema_compatibility::SchemaCompatibility;
use pulseline_schemas::{Event, Stream, WriterSchema, content_hash, decode, encode};

use crate::events::{fixed, fixed_2};

/// A version of a stream's schema that shipped, and the bytes of an event that was written with it.
struct Shipped {
    stream: Stream,
    event: Event,
    schema: &'static str,
    hex: &'static str,
}

macro_rules! shipped {
    ($stream:ident, $name:literal, $version:literal, $event:expr) => {
        Shipped {
            stream: Stream::$stream,
            event: $event,
            schema: include_str!(concat!("../../golden/", $name, ".", $version, ".avsc")),
            hex: include_str!(concat!("../../golden/", $name, ".", $version, ".hex")),
        }
    };
}

/// Every version that ever shipped, the one that this program writes last. Nothing is ever taken out.
fn versions() -> [Shipped; 15] {
    let second = |stream| fixed_2(stream).unwrap();
    [
        shipped!(HeartRates, "heart_rates", "v1", fixed(Stream::HeartRates)),
        shipped!(HeartRates, "heart_rates", "v2", second(Stream::HeartRates)),
        shipped!(Steps, "steps", "v1", fixed(Stream::Steps)),
        shipped!(Steps, "steps", "v2", second(Stream::Steps)),
        shipped!(Distances, "distances", "v1", fixed(Stream::Distances)),
        shipped!(Calories, "calories", "v1", fixed(Stream::Calories)),
        shipped!(
            ActivityMinutes,
            "activity_minutes",
            "v1",
            fixed(Stream::ActivityMinutes)
        ),
        shipped!(
            HeartRateZones,
            "heart_rate_zones",
            "v1",
            fixed(Stream::HeartRateZones)
        ),
        shipped!(
            RestingHeartRates,
            "resting_heart_rates",
            "v1",
            fixed(Stream::RestingHeartRates)
        ),
        shipped!(Sleeps, "sleeps", "v1", fixed(Stream::Sleeps)),
        shipped!(Sleeps, "sleeps", "v2", second(Stream::Sleeps)),
        shipped!(SleepScores, "sleep_scores", "v1", fixed(Stream::SleepScores)),
        shipped!(Exercises, "exercises", "v1", fixed(Stream::Exercises)),
        shipped!(Users, "users", "v1", fixed(Stream::Users)),
        shipped!(Users, "users", "v2", second(Stream::Users)),
    ]
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().filter(|c| !c.is_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap())
        .collect()
}

fn hash_line(event: &Event) -> String {
    let hash = content_hash(event, &serde_json::Map::new());
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{} {hex}\n", event.stream())
}

#[test]
fn golden_bytes_decode_to_what_they_meant() {
    for Shipped {
        stream,
        event,
        schema,
        hex,
    } in versions()
    {
        let decoded = decode(stream, &WriterSchema::parse(schema).unwrap(), &bytes_of(hex)).unwrap();
        assert_eq!(decoded.event, event);
        assert!(decoded.extra.is_empty());
    }
}

#[test]
fn this_version_writes_the_last_golden_bytes_of_each_stream() {
    for stream in Stream::ALL {
        let last = versions()
            .into_iter()
            .rfind(|shipped| shipped.stream == stream)
            .unwrap();
        assert_eq!(encode(&last.event).unwrap(), bytes_of(last.hex), "{stream}");
        assert_eq!(
            last.schema,
            stream.schema_json(),
            "{stream}: a schema that shipped is never edited"
        );
    }
}

/// The registry refuses what is not backward compatible; here it shows before anything is registered.
#[test]
fn every_version_is_readable_with_every_later_one() {
    for stream in Stream::ALL {
        let schemas: Vec<_> = versions()
            .into_iter()
            .filter(|shipped| shipped.stream == stream)
            .map(|shipped| Schema::parse_str(shipped.schema).unwrap())
            .collect();
        for (index, writer) in schemas.iter().enumerate() {
            for reader in &schemas[index..] {
                SchemaCompatibility::can_read(writer, reader).unwrap();
            }
        }
    }
}

#[test]
fn a_stream_refuses_another_streams_bytes() {
    let steps = WriterSchema::parse(Stream::Steps.schema_json()).unwrap();
    let refused = decode(
        Stream::HeartRates,
        &steps,
        &encode(&fixed(Stream::Steps)).unwrap(),
    )
    .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the schema describes a Steps, not the HeartRates of this stream"
    );
}

#[test]
fn hashes_of_the_golden_events_are_frozen() {
    let lines: String = versions()
        .iter()
        .map(|shipped| hash_line(&shipped.event))
        .collect();
    assert_eq!(lines, include_str!("../../golden/content_hashes.txt"));
}
