//! What goes in comes out; what is broken is refused, never a panic.

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use proptest::collection::vec;
use proptest::prelude::*;
use pulseline_schemas::{
    DecodeError, Stream, UtcMillis, WriterSchema, content_hash, decode, encode, frame, to_document, unframe,
};

use crate::documents::position;
use crate::events::arbitrary;

fn shipped(stream: Stream) -> WriterSchema {
    WriterSchema::parse(stream.schema_json()).unwrap()
}

proptest! {
    #[test]
    fn any_event_comes_back_as_it_went(event in arbitrary()) {
        let stream = event.stream();
        let framed = frame(7, &encode(&event).unwrap());
        let (id, datum) = unframe(&framed).unwrap();
        prop_assert_eq!(id, 7);
        let decoded = decode(stream, &shipped(stream), datum).unwrap();
        prop_assert_eq!(&decoded.event, &event);
        prop_assert!(decoded.extra.is_empty());
        prop_assert_eq!(decoded.content_hash, content_hash(&event, &decoded.extra));
    }

    #[test]
    fn the_generic_reader_agrees_that_the_bytes_follow_the_schema(event in arbitrary()) {
        let schema = Schema::parse_str(event.stream().schema_json()).unwrap();
        let bytes = encode(&event).unwrap();
        let mut rest = bytes.as_slice();
        GenericDatumReader::builder(&schema).build().unwrap().read_value(&mut rest).unwrap();
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
        for stream in Stream::ALL {
            if let Ok(decoded) = decode(stream, &shipped(stream), &bytes) {
                let _ = to_document(&decoded, &position(), 1, UtcMillis(0));
            }
        }
        let _ = unframe(&bytes);
    }

    #[test]
    fn damaged_bytes_never_panic(event in arbitrary(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = encode(&event).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decode(event.stream(), &shipped(event.stream()), &bytes);
    }

    #[test]
    fn a_truncated_datum_is_refused(event in arbitrary(), cut in any::<prop::sample::Index>()) {
        let bytes = encode(&event).unwrap();
        let cut = cut.index(bytes.len());
        let refused = decode(event.stream(), &shipped(event.stream()), &bytes[..cut]);
        prop_assert!(matches!(refused, Err(DecodeError::Malformed(_))), "{refused:?}");
    }

    #[test]
    fn trailing_bytes_are_refused(event in arbitrary(), tail in vec(any::<u8>(), 1..9)) {
        let mut bytes = encode(&event).unwrap();
        bytes.extend(&tail);
        let refused = decode(event.stream(), &shipped(event.stream()), &bytes);
        prop_assert_eq!(refused.unwrap_err(), DecodeError::Trailing(tail.len()));
    }

    #[test]
    fn another_value_is_another_content(event in arbitrary(), other in arbitrary()) {
        let none = serde_json::Map::new();
        prop_assert_eq!(event == other, content_hash(&event, &none) == content_hash(&other, &none));
    }
}

#[test]
fn a_length_that_asks_for_the_world_is_refused_and_not_allocated() {
    // The first string of an upload announces 2⁴⁰ bytes.
    let greedy = [0x80, 0x80, 0x80, 0x80, 0x80, 0x40];
    let refused = decode(Stream::HeartRates, &shipped(Stream::HeartRates), &greedy).unwrap_err();
    assert!(matches!(refused, DecodeError::Malformed(_)), "{refused}");
}
