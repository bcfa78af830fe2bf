//! The content of a dead letter, as MongoDB and the warehouse have it. Bytes are compared by length and hash.

use bson::error::Error;
use bson::{Bson, RawBsonRef, RawDocument};
use pulseline_schemas::Position;
use pulseline_schemas::dead_letter::Origin;
use sha2::{Digest, Sha256};
use tokio_postgres::Row;

use super::super::origins::is_stored_as_written;

/// Longest text that the loader stores in full.
const TEXT_BYTES: usize = 2_000;

/// The rows with these keys, in the order of the keys; nulls where there is none.
pub(super) const ROWS_OF_KEYS: &str = "select d.reason, d.stream, d.program_version, d.topic, d.generation, d.partition, d.\"offset\", \
    octet_length(d.payload), sha256(d.payload), octet_length(d.message_key), sha256(d.message_key) \
    from unnest($1::text[], $2::int[]) with ordinality as w(origin, item, place) \
    left join ops.dead_letters d on d.origin = w.origin and d.item = w.item order by w.place";

/// Length and SHA-256 of bytes.
#[derive(Debug, PartialEq, Eq)]
struct Hash(i32, Vec<u8>);

impl Hash {
    fn of(bytes: &[u8]) -> Self {
        let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
        Self(length, Sha256::digest(bytes).to_vec())
    }
}

#[derive(Debug)]
pub(super) struct Content {
    reason: String,
    stream: Option<String>,
    program_version: String,
    position: Option<Position>,
    payload: Option<Hash>,
    message_key: Option<Hash>,
}

impl Content {
    fn of_document(document: &RawDocument) -> Result<Self, Error> {
        let text = |name: &str| -> Result<Option<String>, Error> {
            match document.get(name)? {
                None | Some(RawBsonRef::Null) => Ok(None),
                Some(_) => document.get_str(name).map(|text| Some(text.to_owned())),
            }
        };
        let hash = |name: &str| -> Result<Option<Hash>, Error> {
            match document.get(name)? {
                None | Some(RawBsonRef::Null) => Ok(None),
                Some(_) => Ok(Some(Hash::of(document.get_binary(name)?.bytes))),
            }
        };
        let has_position = !matches!(document.get("kafka")?, None | Some(RawBsonRef::Null));
        let position = has_position.then(|| Position::of_document(document));
        Ok(Self {
            reason: document.get_str("reason")?.to_owned(),
            stream: text("stream")?,
            program_version: text("program_version")?.unwrap_or_default(),
            position: position.transpose()?,
            payload: hash("payload")?,
            message_key: hash("message_key")?,
        })
    }

    /// A row of [`ROWS_OF_KEYS`]; none where the warehouse has no such dead letter.
    pub(super) fn of_row(row: &Row) -> Option<Self> {
        let reason: Option<String> = row.get(0);
        let hash = |length: usize| {
            let length_and_hash: (Option<i32>, Option<Vec<u8>>) = (row.get(length), row.get(length + 1));
            let (length, hash) = (length_and_hash.0?, length_and_hash.1?);
            Some(Hash(length, hash))
        };
        let position = || {
            let topic: Option<String> = row.get(3);
            let rest: (Option<i32>, Option<i32>, Option<i64>) = (row.get(4), row.get(5), row.get(6));
            Some(Position {
                topic: topic?,
                incarnation: rest.0?,
                partition: rest.1?,
                offset: rest.2?,
            })
        };
        Some(Self {
            reason: reason?,
            stream: row.get(1),
            program_version: row.get::<_, Option<String>>(2).unwrap_or_default(),
            position: position(),
            payload: hash(7),
            message_key: hash(9),
        })
    }
}

/// A dead letter in MongoDB.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) id: Bson,
    pub(super) origin: String,
    pub(super) item: i32,
    content: Content,
}

impl Stored {
    /// None for a document that is no dead letter, which the loader makes a dead letter of, and for one whose origin the loader
    /// has to change: its row has another key. Only programs other than these write either.
    pub(super) fn read(document: &RawDocument) -> Option<Self> {
        let origin = document.get_str("origin").ok()?.to_owned();
        let item = match document.get("item").ok()?? {
            RawBsonRef::Int32(item) => item,
            RawBsonRef::Int64(item) => i32::try_from(item).ok()?,
            _ => return None,
        };
        is_stored_as_written(&origin).then_some(())?;
        Some(Self {
            id: Bson::try_from(document.get("_id").ok()??).ok()?,
            content: Content::of_document(document).ok()?,
            origin,
            item,
        })
    }

    pub(super) fn position(&self) -> Option<&Position> {
        self.content.position.as_ref()
    }

    /// True when its row and the accounting of its offset come in one transaction (P9).
    pub(super) fn holds_offset(&self) -> bool {
        self.position().is_some() && Origin::read(&self.origin).holds_offset(self.item)
    }

    /// What the warehouse has differently. The loader makes its own dead letters anew where it reads their documents again: one
    /// of another version may then say something else, and MongoDB keeps the first.
    pub(super) fn differences(&self, found: &Content) -> Vec<&'static str> {
        let expected = &self.content;
        let is_same_version = is_stored_text(&expected.program_version, &found.program_version);
        let is_of_loader = matches!(Origin::read(&self.origin), Origin::Document { .. });
        if is_of_loader && !is_same_version {
            return Vec::new();
        }
        let is_same_stream = match (&expected.stream, &found.stream) {
            (Some(expected), Some(found)) => is_stored_text(expected, found),
            (expected, found) => expected == found,
        };
        let same = [
            ("reason", is_stored_text(&expected.reason, &found.reason)),
            ("stream", is_same_stream),
            ("program_version", is_same_version),
            ("position", expected.position == found.position),
            ("payload", expected.payload == found.payload),
            ("message_key", expected.message_key == found.message_key),
        ];
        let differing = same.into_iter().filter(|(_, is_same)| !is_same);
        differing.map(|(name, _)| name).collect()
    }
}

/// True when `stored` is what the warehouse holds of a text: without NUL, which PostgreSQL refuses, and cut where it is long.
fn is_stored_text(text: &str, stored: &str) -> bool {
    let text = text.replace('\0', "\u{fffd}");
    text == stored || (text.len() > TEXT_BYTES && text.starts_with(stored.trim_end_matches('…')))
}

#[cfg(test)]
mod tests {
    use bson::spec::BinarySubtype;
    use bson::{Binary, Document, doc};

    use super::*;

    fn document(changed: Document) -> bson::RawDocumentBuf {
        let mut document = doc! {
            "_id": "kafka:fitbit.steps/0/1/7#-1", "origin": "kafka:fitbit.steps/0/1/7", "item": -1, "stream": "steps",
            "kafka": { "topic": "fitbit.steps", "generation": 0, "partition": 1, "offset": 7_i64 },
            "payload": Binary { subtype: BinarySubtype::Generic, bytes: vec![1, 2, 3] },
            "reason": "undecodable", "program_version": "1.0.0",
        };
        document.extend(changed);
        bson::RawDocumentBuf::try_from(&document).unwrap()
    }

    fn stored(changed: Document) -> Stored {
        Stored::read(&document(changed)).unwrap()
    }

    fn bytes(bytes: &[u8]) -> Binary {
        Binary {
            subtype: BinarySubtype::Generic,
            bytes: bytes.to_vec(),
        }
    }

    #[test]
    fn d_3_each_part_of_a_dead_letter_that_changed_is_named() {
        let expected = stored(doc! {});
        let differing = |changed| expected.differences(&stored(changed).content);
        assert_eq!(differing(doc! {}), Vec::<&str>::new());
        assert_eq!(differing(doc! { "reason": "oversized" }), ["reason"]);
        assert_eq!(differing(doc! { "stream": null }), ["stream"]);
        assert_eq!(differing(doc! { "program_version": "2" }), ["program_version"]);
        assert_eq!(differing(doc! { "kafka": null }), ["position"]);
        assert_eq!(differing(doc! { "payload": bytes(&[1, 2, 4]) }), ["payload"]);
        assert_eq!(differing(doc! { "payload": null }), ["payload"]);
        assert_eq!(differing(doc! { "message_key": bytes(b"k") }), ["message_key"]);
    }

    #[test]
    fn d_3_a_dead_letter_that_another_version_of_the_loader_made_may_say_something_else() {
        let own = |changed: Document| {
            let mut all = doc! { "origin": "mongo:steps/a" };
            all.extend(changed);
            stored(all)
        };
        let differing = |changed| own(doc! {}).differences(&own(changed).content);
        assert_eq!(differing(doc! { "reason": "x" }), ["reason"]);
        assert!(differing(doc! { "reason": "x", "program_version": "2.0.0" }).is_empty());
    }

    #[test]
    fn p_9_only_a_message_or_a_record_with_a_position_holds_its_offset() {
        assert!(stored(doc! {}).holds_offset());
        assert!(!stored(doc! { "kafka": null }).holds_offset());
        assert!(!stored(doc! { "item": 3 }).holds_offset());
        assert!(!stored(doc! { "origin": "mongo:steps/a" }).holds_offset());
        assert_eq!(stored(doc! { "item": 5_i64 }).item, 5);
    }

    #[test]
    fn what_is_stored_under_another_key_or_is_no_dead_letter_is_not_compared() {
        for changed in [
            doc! { "origin": "a\0b" },
            doc! { "origin": "x".repeat(1_001) },
            doc! { "origin": 5 },
            doc! { "item": "one" },
            doc! { "reason": null },
            doc! { "payload": "text" },
            doc! { "kafka": { "topic": "t" } },
        ] {
            assert!(Stored::read(&document(changed.clone())).is_none(), "{changed}");
        }
    }

    #[test]
    fn texts_are_those_that_the_warehouse_can_hold() {
        assert!(is_stored_text("a\0b", "a\u{fffd}b") && !is_stored_text("ab", "a"));
        let long = "é".repeat(1_500);
        let cut = format!("{}…", &long[..2_000]);
        assert!(is_stored_text(&long, &cut) && !is_stored_text(&long, "e…"));
    }
}
