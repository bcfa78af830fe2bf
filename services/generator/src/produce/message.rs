//! Encoded messages and their topics.

use pulseline_archive::Refused;
use pulseline_schemas::{DEAD_LETTER_TOPIC, Event, Origin, Stream, UtcMillis, encode, frame};

use crate::error::GeneratorError;
use crate::plan::{DeliveryKind, Payload, Planned};

/// A target topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Events.
    Stream(Stream),
    /// Dead letters: refused records.
    DeadLetters,
}

impl Route {
    /// Number of routes.
    pub(crate) const COUNT: usize = Stream::COUNT + 1;

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let streams = Stream::ALL.into_iter().map(Self::Stream);
        streams.chain([Self::DeadLetters])
    }

    pub(crate) const fn topic(self) -> &'static str {
        match self {
            Self::Stream(stream) => stream.topic(),
            Self::DeadLetters => DEAD_LETTER_TOPIC,
        }
    }

    /// Short name, as a label of metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Stream(stream) => stream.name(),
            Self::DeadLetters => "dead_letters",
        }
    }

    /// Position in the order of [`Route::all`].
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Stream(stream) => stream as usize,
            Self::DeadLetters => Stream::COUNT,
        }
    }
}

/// A message for the producer.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) route: Route,
    /// Kind of a simulated delivery.
    pub(crate) kind: Option<DeliveryKind>,
    pub(crate) delivered_at: UtcMillis,
    /// Device or user as hyphenated text: one device, one partition, in order.
    pub(crate) key: String,
    /// For dead letters: the reason and the origin of the bytes.
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) payload: Vec<u8>,
    pub(crate) readings: u64,
}

impl Message {
    /// Encodes a delivery; `schema_ids` are in the order of [`Stream::ALL`].
    ///
    /// # Errors
    /// When an event does not fit its schema.
    pub(crate) fn new(planned: Planned, schema_ids: &[u32; Stream::COUNT]) -> Result<Self, GeneratorError> {
        let schema_id = schema_ids[planned.stream as usize];
        let (payload, readings) = match planned.payload {
            Payload::Event(event) => (frame(schema_id, &encode(&event)?), event.readings() as u64),
            Payload::Datum(datum) => (frame(schema_id, &datum), 0),
            Payload::Bytes(bytes) => (bytes, 0),
        };
        let key = planned.key.hyphenated().to_string();
        Ok(Self {
            route: Route::Stream(planned.stream),
            kind: Some(planned.kind),
            delivered_at: planned.delivered_at,
            key,
            headers: Vec::new(),
            payload,
            readings,
        })
    }

    /// Encodes an event of a replay, due at `delivered_at` on the time line of the readings.
    ///
    /// # Errors
    /// When the event does not fit its schema.
    pub(crate) fn replayed(
        event: &Event,
        schema_ids: &[u32; Stream::COUNT],
        delivered_at: UtcMillis,
    ) -> Result<Self, GeneratorError> {
        let stream = event.stream();
        Ok(Self {
            route: Route::Stream(stream),
            kind: None,
            delivered_at,
            key: event.key().hyphenated().to_string(),
            headers: Vec::new(),
            payload: frame(schema_ids[stream as usize], &encode(event)?),
            readings: event.readings() as u64,
        })
    }

    /// Encodes a refused record. Its origin is the same in every replay, so it stays one dead letter (P9).
    pub(crate) fn refused(refused: Refused, delivered_at: UtcMillis) -> Self {
        let Refused {
            file,
            origin,
            offset,
            item,
            reason,
            detail,
            ..
        } = refused;
        let mut headers = vec![
            ("reason", reason.to_owned()),
            ("detail", format!("{file}, byte {offset}: {detail}")),
            (
                "origin",
                Origin::Record(&format!("{origin}/{offset}")).to_string(),
            ),
            ("item", item.to_string()),
        ];
        headers.push(("stream", refused.stream.name().to_owned()));
        Self {
            route: Route::DeadLetters,
            kind: None,
            delivered_at,
            key: refused
                .key
                .map_or_else(String::new, |key| key.hyphenated().to_string()),
            headers,
            payload: refused.bytes,
            readings: 0,
        }
    }
}
