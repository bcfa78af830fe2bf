//! A delivery of the plan as bytes.

use pulseline_schemas::{Stream, UtcMillis, encode, frame};

use crate::error::GeneratorError;
use crate::plan::{Kind, Payload, Planned};

/// What is handed to the producer.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) stream: Stream,
    pub(crate) kind: Kind,
    pub(crate) delivered_at: UtcMillis,
    /// Device or user as hyphenated text: one device, one partition, in order.
    pub(crate) key: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) readings: u64,
}

impl Message {
    /// Encodes a delivery; `schema_ids` stand in the order of [`Stream::ALL`].
    ///
    /// # Errors
    /// When an event does not fit its schema.
    pub(crate) fn new(planned: Planned, schema_ids: &[u32; 4]) -> Result<Self, GeneratorError> {
        let schema_id = schema_ids[planned.stream as usize];
        let (payload, readings) = match planned.payload {
            Payload::Event(event) => (frame(schema_id, &encode(&event)?), event.readings() as u64),
            Payload::Datum(datum) => (frame(schema_id, &datum), 0),
            Payload::Bytes(bytes) => (bytes, 0),
        };
        let key = planned.key.hyphenated().to_string();
        Ok(Self {
            stream: planned.stream,
            kind: planned.kind,
            delivered_at: planned.delivered_at,
            key,
            payload,
            readings,
        })
    }
}
