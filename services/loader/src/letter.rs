//! Dead letters: what could not be loaded, with its bytes, its origin, a reason and this program's version (D-3).

use bson::raw::{RawArrayBuf, RawDocumentBuf, cstr};
use bson::{Binary, DateTime, RawBson, spec::BinarySubtype};
use pulseline_schemas::Position;

use crate::map::{Origin, Reading, ReadingsUpload, Refusal, Source};

/// Largest payload a letter carries: with its envelope it has to fit MongoDB's 16 MB. A larger one stays in its
/// own document, which is never deleted and which the origin names.
const PAYLOAD_BYTES: usize = 15 << 20;

/// A dead letter. Key: (origin, item).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Letter {
    pub(crate) origin: String,
    /// Index of the reading, −1 for the whole upload.
    pub(crate) item: i32,
    pub(crate) stream: Option<String>,
    pub(crate) position: Option<Position>,
    pub(crate) message_key: Option<Vec<u8>>,
    pub(crate) payload: Option<Vec<u8>>,
    pub(crate) reason: String,
    pub(crate) detail: String,
    pub(crate) program_version: String,
    pub(crate) created_at: i64,
    /// True when it came from the collection, false when the loader wrote it and has to store it there first.
    pub(crate) is_stored: bool,
}

impl Letter {
    /// A letter of the loader.
    pub(crate) fn about(
        origin: &Origin,
        item: i32,
        refusal: &Refusal,
        payload: Option<Vec<u8>>,
        now: i64,
    ) -> Self {
        let payload = payload.filter(|bytes| bytes.len() <= PAYLOAD_BYTES);
        let stream = match origin.source {
            Source::Stream(stream) => Some(stream.name().to_owned()),
            Source::Receipts | Source::DeadLetters => None,
        };
        Self {
            origin: format!("mongo:{}/{}", origin.source.name(), origin.id).replace('\0', "\u{fffd}"),
            item,
            stream,
            position: origin.position.clone(),
            message_key: origin.key.clone(),
            payload,
            reason: refusal.reason.to_owned(),
            detail: refusal.detail.replace('\0', "\u{fffd}"),
            program_version: pulseline_runtime::VERSION.to_owned(),
            created_at: now,
            is_stored: false,
        }
    }

    /// The id of its document.
    pub(crate) fn id(&self) -> String {
        format!("{}#{}", self.origin, self.item)
    }

    /// The document of this letter.
    pub(crate) fn to_document(&self) -> RawDocumentBuf {
        let mut document = RawDocumentBuf::new();
        document.append(cstr!("_id"), self.id());
        document.append(cstr!("origin"), self.origin.as_str());
        document.append(cstr!("item"), self.item);
        document.append(
            cstr!("stream"),
            self.stream.as_deref().map_or(RawBson::Null, RawBson::from),
        );
        let kafka = self.position.as_ref().map_or(RawBson::Null, |position| {
            let mut kafka = RawDocumentBuf::new();
            kafka.append(cstr!("topic"), position.topic.as_str());
            kafka.append(cstr!("generation"), position.generation);
            kafka.append(cstr!("partition"), position.partition);
            kafka.append(cstr!("offset"), position.offset);
            RawBson::Document(kafka)
        });
        document.append(cstr!("kafka"), kafka);
        document.append(cstr!("message_key"), binary(self.message_key.as_ref()));
        document.append(cstr!("payload"), binary(self.payload.as_ref()));
        document.append(cstr!("reason"), self.reason.as_str());
        document.append(cstr!("detail"), self.detail.as_str());
        document.append(cstr!("program_version"), self.program_version.as_str());
        document.append(cstr!("created_at"), DateTime::from_millis(self.created_at));
        document
    }
}

/// Readings that were mapped already, as a document with what their upload says of all of them.
pub(crate) fn payload(upload: &ReadingsUpload, readings: &[Reading]) -> Vec<u8> {
    let mut metrics = RawArrayBuf::new();
    for reading in readings {
        let mut metric = RawDocumentBuf::new();
        metric.append(cstr!("ts"), DateTime::from_millis(reading.local_ts));
        metric.append(cstr!("value"), reading.value);
        if let Some(confidence) = reading.confidence {
            metric.append(cstr!("confidence"), i32::from(confidence));
        }
        metrics.push(metric);
    }
    let mut document = RawDocumentBuf::new();
    document.append(cstr!("device_id"), upload.device_id.hyphenated().to_string());
    document.append(cstr!("synced_at"), DateTime::from_millis(upload.synced_at));
    document.append(cstr!("utc_offset_minutes"), i32::from(upload.utc_offset_minutes));
    document.append(cstr!("metrics"), metrics);
    document.into_bytes()
}

fn binary(bytes: Option<&Vec<u8>>) -> RawBson {
    bytes.map_or(RawBson::Null, |bytes| {
        RawBson::Binary(Binary {
            subtype: BinarySubtype::Generic,
            bytes: bytes.clone(),
        })
    })
}
