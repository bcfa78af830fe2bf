//! What is sent, as bytes, and where to.

use pulseline_archive::Refused;
use pulseline_schemas::{DEAD_LETTER_TOPIC, Event, Stream, UtcMillis, encode, frame};

use crate::error::GeneratorError;
use crate::plan::{DeliveryKind, Payload, Planned};

/// A topic that is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Events.
    Stream(Stream),
    /// Records that no event could be made of.
    DeadLetters,
}

impl Route {
    /// How many there are.
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

/// What is handed to the producer.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) route: Route,
    /// Why, of a simulated one.
    pub(crate) kind: Option<DeliveryKind>,
    pub(crate) delivered_at: UtcMillis,
    /// Device or user as hyphenated text: one device, one partition, in order.
    pub(crate) key: String,
    /// Only of dead letters: the reason, and where the bytes are from.
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) payload: Vec<u8>,
    pub(crate) readings: u64,
}

impl Message {
    /// Encodes a delivery; `schema_ids` stand in the order of [`Stream::ALL`].
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

    /// An event of a replay, sent at `delivered_at` of the time that its readings span.
    ///
    /// # Errors
    /// When it does not fit its schema.
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

    /// A record of a file that is no event; its origin is the same in every replay, so that it is one dead letter (P9).
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
            ("origin", format!("file:{origin}/{offset}")),
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
