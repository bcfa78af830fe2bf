//! Encodes events to Avro with the schemas of this version.

use std::sync::LazyLock;

use apache_avro::Schema;
use apache_avro::writer::datum::GenericDatumWriter;

use super::field::Whole;
use super::record::Record;
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
type Writer = Result<GenericDatumWriter<'static>, String>;

static SCHEMAS: LazyLock<[Shipped; Stream::COUNT]> = LazyLock::new(|| {
    Stream::ALL.map(|stream| Schema::parse_str(stream.schema_json()).map_err(|error| error.to_string()))
});

/// Resolving names costs more than writing an upload, so it is done once.
static WRITERS: LazyLock<[Writer; Stream::COUNT]> = LazyLock::new(|| {
    SCHEMAS.each_ref().map(|schema| {
        let schema = schema.as_ref().map_err(Clone::clone)?;
        GenericDatumWriter::builder(schema)
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
    event.write(&mut datum)?;
    Ok(datum)
}

pub(crate) fn write_event<R: Record>(
    stream: Stream,
    event: &R,
    datum: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let failed = |reason: String| EncodeError { stream, reason };
    let writer = WRITERS[stream as usize]
        .as_ref()
        .map_err(|reason| failed(reason.clone()))?;
    let written = writer.write_ser(datum, &Whole(event));
    written.map(drop).map_err(|error| failed(error.to_string()))
}
