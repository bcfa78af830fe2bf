//! Dead letters: data that could not be processed, in the one form in which every program stores it (D-3).

use std::fmt;

use bson::raw::{RawBinaryRef, RawBsonRef, RawDocumentBuf, cstr};
use bson::spec::BinarySubtype;

use crate::document::Position;
use crate::time::UtcMillis;

/// The item that means the whole upload.
pub const WHOLE: i32 = -1;

const MESSAGE: &str = "kafka:";
const DOCUMENT: &str = "mongo:";
const RECORD: &str = "file:";

/// What a dead letter is about. Its text stands in ids and keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin<'a> {
    /// A message of Kafka that the sink could not store, by its position: `kafka:topic/generation/partition/offset`.
    Message(&'a str),
    /// A document, or an item of one, that the loader could not load: `mongo:collection/_id`.
    Document {
        /// Its collection.
        collection: &'a str,
        /// Its `_id`, as text.
        id: &'a str,
    },
    /// A record of a file that could not become an event, by the file's hash and the byte: `file:hash/byte`.
    Record(&'a str),
    /// A text of no known form: another program wrote it.
    Unknown(&'a str),
}

impl<'a> Origin<'a> {
    /// The origin with this text.
    #[must_use]
    pub fn read(text: &'a str) -> Self {
        if let Some(position) = text.strip_prefix(MESSAGE) {
            return Self::Message(position);
        }
        if let Some(place) = text.strip_prefix(RECORD) {
            return Self::Record(place);
        }
        let document = text.strip_prefix(DOCUMENT).and_then(|rest| rest.split_once('/'));
        document.map_or(Self::Unknown(text), |(collection, id)| Self::Document {
            collection,
            id,
        })
    }

    /// True when a dead letter about this item alone accounts for its offset: one of the loader stands beside its
    /// document (P9).
    #[must_use]
    pub const fn holds_offset(self, item: i32) -> bool {
        match self {
            Self::Message(_) => item == WHOLE,
            Self::Record(_) => true,
            Self::Document { .. } | Self::Unknown(_) => false,
        }
    }
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(position) => write!(f, "{MESSAGE}{position}"),
            Self::Document { collection, id } => write!(f, "{DOCUMENT}{collection}/{id}"),
            Self::Record(place) => write!(f, "{RECORD}{place}"),
            Self::Unknown(text) => f.write_str(text),
        }
    }
}

/// A dead letter, as it is stored.
#[derive(Clone, Copy, Debug)]
pub struct DeadLetter<'a> {
    /// What it is about.
    pub origin: Origin<'a>,
    /// Index of the reading, [`WHOLE`] for the whole upload.
    pub item: i32,
    /// Its stream, where known.
    pub stream: Option<&'a str>,
    /// The position of its message, where known.
    pub position: Option<&'a Position>,
    /// The key of its message.
    pub message_key: Option<&'a [u8]>,
    /// Its bytes, where they are small enough to keep.
    pub payload: Option<&'a [u8]>,
    /// The reason, from a fixed list.
    pub reason: &'a str,
    /// The reason as a sentence.
    pub detail: &'a str,
    /// Version of the program that made it.
    pub program_version: &'a str,
    /// When it was made.
    pub created_at: UtcMillis,
}

impl DeadLetter<'_> {
    /// The id of its document.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}#{}", self.origin, self.item)
    }

    /// Its document.
    #[must_use]
    pub fn to_document(&self) -> RawDocumentBuf {
        let kafka = self.position.map(Position::to_document);
        let kafka = kafka
            .as_ref()
            .map_or(RawBsonRef::Null, |kafka| RawBsonRef::Document(kafka));
        let mut document = RawDocumentBuf::new();
        document.append(cstr!("_id"), self.id());
        document.append(cstr!("origin"), self.origin.to_string());
        document.append(cstr!("item"), self.item);
        document.append(
            cstr!("stream"),
            self.stream.map_or(RawBsonRef::Null, RawBsonRef::String),
        );
        document.append(cstr!("kafka"), kafka);
        document.append(cstr!("message_key"), binary(self.message_key));
        document.append(cstr!("payload"), binary(self.payload));
        document.append(cstr!("reason"), self.reason);
        document.append(cstr!("detail"), self.detail);
        document.append(cstr!("program_version"), self.program_version);
        document.append(
            cstr!("created_at"),
            bson::DateTime::from_millis(self.created_at.0),
        );
        document
    }
}

fn binary(bytes: Option<&[u8]>) -> RawBsonRef<'_> {
    bytes.map_or(RawBsonRef::Null, |bytes| {
        RawBsonRef::Binary(RawBinaryRef {
            subtype: BinarySubtype::Generic,
            bytes,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_9_an_origin_says_what_its_dead_letter_is_about() {
        let document = |collection, id| Origin::Document { collection, id };
        for (text, origin) in [
            ("kafka:fitbit.steps/0/1/7", Origin::Message("fitbit.steps/0/1/7")),
            ("file:abc/17", Origin::Record("abc/17")),
            ("mongo:steps/a/b", document("steps", "a/b")),
            ("mongo:steps", Origin::Unknown("mongo:steps")),
            ("smoke signals", Origin::Unknown("smoke signals")),
        ] {
            assert_eq!(Origin::read(text), origin);
            assert_eq!(origin.to_string(), text);
        }
    }

    #[test]
    fn p_9_only_a_whole_message_or_a_record_holds_its_offset() {
        let holds = |text, item| Origin::read(text).holds_offset(item);
        assert!(holds("kafka:t/0/1/5", WHOLE) && !holds("kafka:t/0/1/5", 3));
        assert!(holds("file:ab/7", WHOLE) && holds("file:ab/7", 3));
        assert!(!holds("mongo:steps/x", WHOLE) && !holds("smoke signals", WHOLE));
    }
}
