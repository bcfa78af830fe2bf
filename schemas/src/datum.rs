//! Events as Avro: encoded with the schemas of this version, decoded with the writer's, hashed by their content.

use std::sync::LazyLock;

use apache_avro::Schema;
use serde_json::{Map, Value};

use crate::codec::{DatumWriter, DecodeError, Fields, Unknown, WriterSchema, digest};
use crate::event::Event;
use crate::stream::Stream;

/// An event that does not fit its schema.
#[derive(Debug, thiserror::Error)]
#[error("{stream} cannot be written as Avro: {reason}")]
pub struct EncodeError {
    /// The stream.
    pub stream: Stream,
    /// The encoder's error.
    pub reason: String,
}

type Shipped = Result<Schema, String>;
type Writer = Result<DatumWriter, String>;

static SCHEMAS: LazyLock<[Shipped; Stream::COUNT]> = LazyLock::new(|| {
    Stream::ALL.map(|stream| Schema::parse_str(stream.schema_json()).map_err(|error| error.to_string()))
});

/// Resolving names costs more than writing an upload, so it is done once.
static WRITERS: LazyLock<[Writer; Stream::COUNT]> = LazyLock::new(|| {
    SCHEMAS.each_ref().map(|schema| {
        let schema = schema.as_ref().map_err(Clone::clone)?;
        DatumWriter::builder(schema)
            .human_readable(false)
            .build()
            .map_err(|error| error.to_string())
    })
});

/// The bare datum of an event, written with the current schema of its stream.
///
/// # Errors
/// When the schema does not fit the event: a bug of this program.
pub fn encode(event: &Event) -> Result<Vec<u8>, EncodeError> {
    // 14 bytes hold a heart rate, 200 an envelope: one allocation for nearly every upload.
    let mut datum = Vec::with_capacity(200 + 14 * event.readings());
    let stream = event.stream();
    let writer = WRITERS[stream as usize].as_ref().map_err(Clone::clone);
    writer
        .and_then(|writer| event.write(writer, &mut datum))
        .map_err(|reason| EncodeError { stream, reason })?;
    Ok(datum)
}

/// A decoded event.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The known fields.
    pub event: Event,
    /// The writer's fields that this version does not know. Those inside a reading or a level stand under the
    /// array's name and the item's index.
    pub extra: Map<String, Value>,
    /// See [`content_hash`].
    pub content_hash: [u8; 32],
}

/// Decodes a bare datum that was written with `writer`.
///
/// # Errors
/// When the bytes are not exactly one event of this stream.
pub fn decode(stream: Stream, writer: &WriterSchema, datum: &[u8]) -> Result<Decoded, DecodeError> {
    let (event, extra) = Event::read(stream, writer, datum)?;
    let content_hash = content_hash(&event, &extra);
    Ok(Decoded {
        event,
        extra,
        content_hash,
    })
}

/// SHA-256 over the canonical form of an event and the fields that are unknown here.
#[must_use]
pub fn content_hash(event: &Event, unknown: &Unknown) -> [u8; 32] {
    let mut fields = Fields::with_capacity(32);
    event.list(&mut fields);
    digest(&mut fields, unknown, 512 + 56 * event.readings())
}
