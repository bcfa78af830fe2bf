//! Decodes messages with the schema their writer used. A message becomes an entry or a dead letter, never an outage.

use std::collections::HashMap;
use std::sync::Arc;

use pulseline_runtime::retry::{Class, Classify};
use pulseline_runtime::waits::Hop;
use pulseline_schemas::{Position, Stream, UtcMillis, WriterSchema, decode, to_document, unframe};

use crate::context::Context;
use crate::dead_letters::{DOCUMENT_BYTES_MAX, DeadLetter, Reason};
use crate::entry::{BatchEntry, Pending};
use crate::error::SinkError;
use crate::source::{Raw, SourceTopic};

/// How far a device's clock may be ahead of this one, in milliseconds: a day covers wall clocks mistaken for
/// UTC. A later `synced_at` would win forever (P7), and open days that have not come.
const CLOCK_AHEAD_MAX_MS: i64 = 24 * 3_600_000;

/// The registry's answer about an id.
#[derive(Debug)]
pub(crate) enum Answer {
    Schema(Arc<WriterSchema>),
    /// The schema does not exist, or is not one of Pulseline's.
    Unusable(String),
}

/// The schemas looked up so far.
#[derive(Debug)]
pub(crate) struct Decoder {
    bytes_max: usize,
    schemas: HashMap<u32, Arc<WriterSchema>>,
    /// Holds only for the message that caused the lookup; the next one with this id causes another.
    unusable: Option<(u32, String)>,
}

impl Decoder {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            schemas: HashMap::new(),
            unusable: None,
        }
    }

    /// The schema to look up before this message can be decoded.
    pub(crate) fn needs(&self, raw: &Raw) -> Option<u32> {
        let SourceTopic::Stream(_) = raw.partition.source else {
            return None;
        };
        let payload = raw
            .payload
            .as_ref()
            .filter(|payload| payload.len() <= self.bytes_max)?;
        let (id, _) = unframe(payload).ok()?;
        let is_answered =
            self.schemas.contains_key(&id) || self.unusable.as_ref().is_some_and(|(of, _)| *of == id);
        (!is_answered).then_some(id)
    }

    pub(crate) fn learn(&mut self, id: u32, answer: Answer) {
        match answer {
            Answer::Schema(schema) => {
                self.schemas.insert(id, schema);
            }
            Answer::Unusable(reason) => self.unusable = Some((id, reason)),
        }
    }

    /// Makes an entry of a message whose schema is known.
    pub(crate) fn entry(&mut self, raw: Raw, position: Position, now: i64) -> BatchEntry {
        let SourceTopic::Stream(stream) = raw.partition.source else {
            return BatchEntry::DeadLetter(Box::new(DeadLetter::reported(raw, position)));
        };
        let Raw { key, payload, .. } = raw;
        match self.event(stream, payload.as_deref(), &position, now) {
            Ok((document, event_id)) => BatchEntry::Event(Box::new(Pending {
                stream,
                position,
                event_id,
                document,
                key,
                payload: payload.unwrap_or_default(),
            })),
            Err((reason, detail)) => BatchEntry::DeadLetter(Box::new(DeadLetter {
                position,
                stream: Some(stream),
                key,
                payload,
                reason,
                detail,
                record: None,
            })),
        }
    }

    fn event(
        &mut self,
        stream: Stream,
        payload: Option<&[u8]>,
        position: &Position,
        now: i64,
    ) -> Result<(bson::RawDocumentBuf, uuid::Uuid), (Reason, String)> {
        let undecodable = |detail: String| (Reason::Undecodable, detail);
        let payload = payload.ok_or_else(|| undecodable("the message has no value".into()))?;
        if payload.len() > self.bytes_max {
            let detail = format!(
                "{} bytes, more than the {} that are decoded",
                payload.len(),
                self.bytes_max
            );
            return Err((Reason::Oversized, detail));
        }
        let (id, datum) = unframe(payload).map_err(|error| undecodable(error.to_string()))?;
        let Some(schema) = self.schemas.get(&id) else {
            let reason = self
                .unusable
                .take()
                .map_or_else(|| format!("no schema has the id {id}"), |(_, said)| said);
            return Err((Reason::UnknownSchema, reason));
        };
        let decoded = decode(stream, schema, datum).map_err(|error| undecodable(error.to_string()))?;
        let synced_at = decoded.event.synced_at();
        if synced_at.0 > now.saturating_add(CLOCK_AHEAD_MAX_MS) {
            let ahead_hours = synced_at.0.saturating_sub(now) / 3_600_000;
            let detail = format!("synced_at is {ahead_hours} hours after this sink's clock");
            return Err((Reason::ClockInFuture, detail));
        }
        let document = to_document(&decoded, position, id, UtcMillis(now));
        if document.as_bytes().len() > DOCUMENT_BYTES_MAX {
            let detail = format!("its document has {} bytes", document.as_bytes().len());
            return Err((Reason::Oversized, detail));
        }
        Ok((document, decoded.event.event_id()))
    }
}

/// Asks the registry for a schema. It waits out outages.
pub(crate) async fn fetch(context: Context, id: u32) -> Result<(u32, Answer), SinkError> {
    let ask = || async {
        match context.registry.schema(id).await {
            Ok(schema) => Ok(Answer::Schema(schema)),
            Err(error) if error.class() == Class::Definite => Ok(Answer::Unusable(error.to_string())),
            Err(error) => Err(error.into()),
        }
    };
    Ok((id, context.outages.outlast(Hop::Registry, "schema", ask).await?))
}

#[cfg(test)]
mod tests {
    use pulseline_schemas::{Event, Extra, Step, Steps, Upload, encode, frame};

    use super::*;
    use crate::source::Partition;

    const PARTITION: Partition = Partition {
        source: SourceTopic::Stream(Stream::Steps),
        number: 0,
    };

    fn raw(payload: Option<Vec<u8>>) -> Raw {
        Raw {
            partition: PARTITION,
            offset: 7,
            key: Some(vec![9]),
            payload,
            headers: Vec::new(),
        }
    }

    fn steps() -> Vec<u8> {
        steps_at(1_000)
    }

    fn steps_at(synced_at: i64) -> Vec<u8> {
        let upload = Upload {
            event_id: uuid::Uuid::from_u128(1),
            device_id: uuid::Uuid::from_u128(2),
            synced_at: UtcMillis(synced_at),
            utc_offset_minutes: 60,
            window_start: pulseline_schemas::LocalMillis(0),
            window_end: pulseline_schemas::LocalMillis(900_000),
        };
        let samples = vec![Step {
            ts: pulseline_schemas::LocalMillis(0),
            steps: 5,
        }];
        frame(
            3,
            &encode(&Event::Steps(Steps {
                upload,
                samples,
                extra: Extra::default(),
            }))
            .unwrap(),
        )
    }

    fn decoder() -> Decoder {
        let mut decoder = Decoder::new(1 << 20);
        let schema = WriterSchema::parse(Stream::Steps.schema_json()).unwrap();
        decoder.learn(3, Answer::Schema(Arc::new(schema)));
        decoder
    }

    fn dead_letter(decoder: &mut Decoder, payload: Option<Vec<u8>>) -> DeadLetter {
        match decoder.entry(raw(payload), PARTITION.position(0, 7), 5) {
            BatchEntry::DeadLetter(dead_letter) => *dead_letter,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_event_carries_its_id_and_its_bytes() {
        let mut decoder = decoder();
        assert_eq!(decoder.needs(&raw(Some(steps()))), None);
        let BatchEntry::Event(pending) = decoder.entry(raw(Some(steps())), PARTITION.position(0, 7), 5)
        else {
            panic!("not an event")
        };
        assert_eq!(pending.event_id, uuid::Uuid::from_u128(1));
        assert_eq!(pending.payload, steps());
        assert_eq!(
            pending.document.get_str("_id").unwrap(),
            "00000000-0000-0000-0000-000000000001"
        );
    }

    #[test]
    fn d_3_a_message_that_is_not_an_event_is_a_dead_letter_with_its_bytes() {
        let mut decoder = decoder();
        let mut cut = steps();
        cut.pop();
        for payload in [None, Some(vec![]), Some(b"{\"steps\": 1}".to_vec()), Some(cut)] {
            let dead_letter = dead_letter(&mut decoder, payload.clone());
            assert_eq!(dead_letter.reason, Reason::Undecodable);
            assert_eq!((dead_letter.payload, dead_letter.key), (payload, Some(vec![9])));
        }
        let large = vec![0; (1 << 20) + 1];
        assert_eq!(decoder.needs(&raw(Some(large.clone()))), None);
        assert_eq!(dead_letter(&mut decoder, Some(large)).reason, Reason::Oversized);
    }

    #[test]
    fn p_7_a_clock_more_than_a_day_ahead_is_a_dead_letter_and_one_up_to_a_day_is_not() {
        let (mut decoder, now) = (decoder(), 5);
        let day = CLOCK_AHEAD_MAX_MS;
        for synced_at in [0, now, now + day] {
            let entry = decoder.entry(raw(Some(steps_at(synced_at))), PARTITION.position(0, 7), now);
            assert!(matches!(entry, BatchEntry::Event(_)), "{synced_at}");
        }
        for synced_at in [now + day + 1, 253_402_300_799_999, i64::MAX] {
            let payload = steps_at(synced_at);
            let dead_letter = dead_letter(&mut decoder, Some(payload.clone()));
            assert_eq!(dead_letter.reason, Reason::ClockInFuture, "{synced_at}");
            assert_eq!(dead_letter.payload, Some(payload));
        }
    }

    #[test]
    fn an_unknown_schema_is_asked_for_each_time() {
        let mut decoder = decoder();
        let payload = frame(8, &[1, 2]);
        assert_eq!(decoder.needs(&raw(Some(payload.clone()))), Some(8));
        decoder.learn(8, Answer::Unusable("gone".into()));
        assert_eq!(decoder.needs(&raw(Some(payload.clone()))), None);
        let dead_letter = dead_letter(&mut decoder, Some(payload.clone()));
        assert_eq!(
            (dead_letter.reason, dead_letter.detail.as_str()),
            (Reason::UnknownSchema, "gone")
        );
        assert_eq!(decoder.needs(&raw(Some(payload))), Some(8));
    }
}
