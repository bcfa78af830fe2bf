//! Bytes that shipped stay decodable, and this version still writes them.

use pulseline_schemas::{Stream, WriterSchema, decode, encode};

use crate::events::fixed;

fn golden(stream: Stream) -> Vec<u8> {
    let text = match stream {
        Stream::HeartRates => include_str!("../../golden/heart_rates.v1.hex"),
        Stream::Steps => include_str!("../../golden/steps.v1.hex"),
        Stream::Sleeps => include_str!("../../golden/sleeps.v1.hex"),
        Stream::Users => include_str!("../../golden/users.v1.hex"),
    };
    let digits: Vec<_> = text.chars().filter(|c| !c.is_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap())
        .collect()
}

#[test]
fn golden_bytes_decode_to_what_they_meant_and_encode_to_themselves() {
    for stream in Stream::ALL {
        let bytes = golden(stream);
        let writer = WriterSchema::parse(stream.schema_json()).unwrap();
        let decoded = decode(stream, &writer, &bytes).unwrap();
        assert_eq!(decoded.event, fixed(stream));
        assert!(decoded.extra.is_empty());
        assert_eq!(encode(&decoded.event).unwrap(), bytes, "{stream}");
    }
}

#[test]
fn a_stream_refuses_another_streams_bytes() {
    let steps = WriterSchema::parse(Stream::Steps.schema_json()).unwrap();
    let refused = decode(Stream::HeartRates, &steps, &golden(Stream::Steps)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the schema describes a Steps, not the HeartRates of this stream"
    );
}

#[test]
fn hashes_of_the_golden_events_are_frozen() {
    let expected = include_str!("../../golden/content_hashes.v1.txt");
    let lines = Stream::ALL.map(|stream| {
        let hash = pulseline_schemas::content_hash(&fixed(stream), &serde_json::Map::new());
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{stream} {hex}\n")
    });
    assert_eq!(lines.concat(), expected);
}
