//! Events as MongoDB documents, which are written once and never changed.

use bson::raw::{CStr, RawDocumentBuf, cstr};
use bson::{DateTime, RawBson, RawDocument};
use serde_json::{Map, Value};

use crate::codec::hexadecimal;
use crate::datum::Decoded;
use crate::time::UtcMillis;

/// Collections besides the streams'.
pub mod collections {
    /// Offsets that hold no new event: duplicates, and ranges without messages.
    pub const RECEIPTS: &str = "receipts";
    /// Dead letters with their bytes.
    pub const DEAD_LETTERS: &str = "dead_letters";
    /// Kafka's topic ids by incarnation of a topic.
    pub const INCARNATIONS: &str = "generations";
    /// Tombstones of erased people: keyed hashes without names.
    pub const FORGOTTEN: &str = "forgotten";
}

/// The position of a message in Kafka.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// Topic.
    pub topic: String,
    /// Incarnation: rises when the topic is recreated and its offsets restart.
    pub incarnation: i32,
    /// Partition.
    pub partition: i32,
    /// Offset in the partition.
    pub offset: i64,
}

impl Position {
    /// The position of a document's message.
    ///
    /// # Errors
    /// A document that the sink did not write.
    pub fn of_document(document: &RawDocument) -> Result<Self, bson::error::Error> {
        let kafka = document.get_document("kafka")?;
        Ok(Self {
            topic: kafka.get_str("topic")?.to_owned(),
            incarnation: kafka.get_i32("generation")?,
            partition: kafka.get_i32("partition")?,
            offset: kafka.get_i64("offset")?,
        })
    }

    /// The field `kafka` of a document.
    #[must_use]
    pub fn to_document(&self) -> RawDocumentBuf {
        let mut kafka = RawDocumentBuf::new();
        kafka.append(cstr!("topic"), self.topic.as_str());
        kafka.append(cstr!("generation"), self.incarnation);
        kafka.append(cstr!("partition"), self.partition);
        kafka.append(cstr!("offset"), self.offset);
        kafka
    }
}

impl std::fmt::Display for Position {
    /// `topic/generation/partition/offset`, as in the ids of receipts and dead letters.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}/{}/{}/{}",
            self.topic, self.incarnation, self.partition, self.offset
        )
    }
}

/// A receipt: accounts for offsets without a new event.
#[derive(Clone, Copy, Debug)]
pub struct ReceiptDocument<'a> {
    /// Its `_id`: the position, or the range.
    pub id: &'a str,
    /// duplicate, void or erased.
    pub kind: &'a str,
    /// The event that stands at another offset, for a duplicate.
    pub event_id: Option<&'a str>,
    /// The first offset.
    pub position: &'a Position,
    /// The last offset.
    pub last: i64,
}

impl ReceiptDocument<'_> {
    /// The document, as it is stored.
    #[must_use]
    pub fn stored(&self, stored_at: UtcMillis) -> RawDocumentBuf {
        let mut document = RawDocumentBuf::new();
        document.append(cstr!("_id"), self.id);
        document.append(cstr!("kind"), self.kind);
        if let Some(event_id) = self.event_id {
            document.append(cstr!("event_id"), event_id);
        }
        let mut kafka = self.position.to_document();
        kafka.append(cstr!("last_offset"), self.last);
        document.append(cstr!("kafka"), kafka);
        document.append(cstr!("stored_at"), DateTime::from_millis(stored_at.0));
        document
    }
}

/// The document that stores an event: its `_id` is the event's.
///
/// Local times are dates as if in UTC, UUIDs are lower-case text with hyphens.
#[must_use]
pub fn to_document(
    decoded: &Decoded,
    position: &Position,
    schema_id: u32,
    stored_at: UtcMillis,
) -> RawDocumentBuf {
    let mut document = RawDocumentBuf::new();
    decoded.event.store(&mut document);
    append_origin(&mut document, decoded, position, schema_id);
    document.append(cstr!("stored_at"), DateTime::from_millis(stored_at.0));
    let extra = extra_of(decoded);
    if !extra.is_empty() {
        document.append(cstr!("extra"), fields(&extra));
    }
    document
}

/// Extra fields of the source, and the writer's fields that this version does not know.
fn extra_of(decoded: &Decoded) -> Map<String, Value> {
    let said = decoded.event.extra().0.as_deref();
    let mut extra: Map<String, Value> = said
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    extra.extend(decoded.extra.clone());
    extra
}

fn append_origin(document: &mut RawDocumentBuf, decoded: &Decoded, position: &Position, schema_id: u32) {
    document.append(cstr!("kafka"), position.to_document());
    document.append(cstr!("content_hash"), hexadecimal(&decoded.content_hash).as_str());
    // Registries count up from 1; an id past 2³¹ is kept bit for bit.
    document.append(cstr!("schema_id"), schema_id.cast_signed());
}

fn fields(values: &Map<String, Value>) -> RawDocumentBuf {
    let mut document = RawDocumentBuf::new();
    for (name, value) in values {
        // BSON names end at a zero byte; Avro's record fields have none, its map keys may.
        let name = name.replace('\0', "\u{fffd}");
        if let Ok(name) = <&CStr>::try_from(name.as_str()) {
            document.append(name, raw(value));
        }
    }
    document
}

fn raw(value: &Value) -> RawBson {
    match value {
        Value::Null => RawBson::Null,
        Value::Bool(value) => RawBson::Boolean(*value),
        Value::Number(number) => number.as_i64().map_or_else(
            || RawBson::Double(number.as_f64().unwrap_or(f64::NAN)),
            RawBson::Int64,
        ),
        Value::String(text) => RawBson::String(text.clone()),
        Value::Array(items) => RawBson::Array(items.iter().map(raw).collect()),
        Value::Object(values) => RawBson::Document(fields(values)),
    }
}
