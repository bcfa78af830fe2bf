//! Dead letters: data that could not be loaded, with its bytes, origin, reason and this program's version (D-3).
//!
//! A dead letter can always be stored: only this module converts its texts to what both stores
//! accept.

use bson::DateTime;
use bson::raw::{RawArrayBuf, RawDocumentBuf, cstr};
use pulseline_schemas::dead_letter as stored;
pub(crate) use pulseline_schemas::dead_letter::WHOLE;
use pulseline_schemas::{Position, UtcMillis};
use uuid::Uuid;

use crate::document::{Origin, Reading, ReadingsUpload, Refusal, SourceCollection};

/// Largest payload a dead letter carries: with its envelope it has to fit MongoDB's 16 MB. A larger one stays in its
/// own document, which is never deleted and which the origin names.
const PAYLOAD_BYTES: usize = 15 << 20;
/// Longest origin: it is part of the table's key, which PostgreSQL limits to 2,704 bytes.
const ORIGIN_BYTES: usize = 1_000;
/// Longest other text.
const TEXT_BYTES: usize = 2_000;
/// Longest message key.
const KEY_BYTES: usize = 64 << 10;

/// Whether a dead letter is stored in its collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It was read from the collection.
    Given,
    /// The loader made it, and has to store it there first.
    New,
    /// The loader made it, and has stored it there.
    Stored,
}

/// A dead letter. Key: (origin, item).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DeadLetter {
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
    pub(crate) stage: Stage,
}

impl DeadLetter {
    /// Makes a dead letter of the loader.
    pub(crate) fn about(
        origin: &Origin,
        item: i32,
        refusal: &Refusal,
        payload: Option<Vec<u8>>,
        now: i64,
    ) -> Self {
        let payload = payload.filter(|bytes| bytes.len() <= PAYLOAD_BYTES);
        let stream = match origin.source {
            SourceCollection::Stream(stream) => Some(stream.name().to_owned()),
            SourceCollection::Receipts | SourceCollection::DeadLetters => None,
        };
        let of_document = stored::Origin::Document {
            collection: origin.source.name(),
            id: &origin.id,
        };
        Self {
            origin: of_document.to_string(),
            item,
            stream,
            position: origin.position.clone(),
            message_key: origin.key.clone(),
            payload,
            reason: refusal.reason.to_owned(),
            detail: refusal.detail.clone(),
            program_version: pulseline_runtime::VERSION.to_owned(),
            created_at: now,
            stage: Stage::New,
        }
        .storable()
    }

    /// Converts its texts to what both stores accept.
    pub(crate) fn storable(mut self) -> Self {
        self.origin = origin(self.origin);
        self.stream = self.stream.map(text);
        self.reason = text(self.reason);
        self.detail = text(self.detail);
        self.program_version = text(self.program_version);
        if let Some(key) = &mut self.message_key {
            key.truncate(KEY_BYTES);
        }
        self
    }

    /// True when it alone accounts for its offset: a dead letter of the loader stands beside its document (P9).
    pub(crate) fn holds_offset(&self) -> bool {
        stored::Origin::read(&self.origin).holds_offset(self.item)
    }

    /// Its approximate size in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let of = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        self.origin.len() + self.reason.len() + self.detail.len() + of(&self.message_key) + of(&self.payload)
    }

    fn stored(&self) -> stored::DeadLetter<'_> {
        stored::DeadLetter {
            origin: stored::Origin::read(&self.origin),
            item: self.item,
            stream: self.stream.as_deref(),
            position: self.position.as_ref(),
            message_key: self.message_key.as_deref(),
            payload: self.payload.as_deref(),
            reason: &self.reason,
            detail: &self.detail,
            program_version: &self.program_version,
            created_at: UtcMillis(self.created_at),
        }
    }

    /// The id of its document.
    pub(crate) fn id(&self) -> String {
        self.stored().id()
    }

    /// The document of this dead letter.
    pub(crate) fn to_document(&self) -> RawDocumentBuf {
        self.stored().to_document()
    }
}

/// Splits dead letters into parts of at most `most` items and about `most_bytes` bytes, one statement each.
pub(crate) fn parts<'a>(
    mut dead_letters: &'a [&'a DeadLetter],
    most: usize,
    most_bytes: usize,
) -> impl Iterator<Item = &'a [&'a DeadLetter]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = dead_letters.iter().take(most).take_while(|dead_letter| {
            bytes += dead_letter.bytes();
            bytes <= most_bytes
        });
        // One that exceeds a part goes alone.
        let count = fits.count().max(1).min(dead_letters.len());
        let (part, rest) = dead_letters.split_at(count);
        dead_letters = rest;
        (!part.is_empty()).then_some(part)
    })
}

/// Removes NUL, which PostgreSQL's text cannot hold, and cuts the text to a readable length.
fn text(text: String) -> String {
    let text = if text.contains('\0') {
        text.replace('\0', "\u{fffd}")
    } else {
        text
    };
    if text.len() <= TEXT_BYTES {
        return text;
    }
    format!("{}…", &text[..text.floor_char_boundary(TEXT_BYTES)])
}

/// Shortens a text that identifies a dead letter: one that is too long ends in a hash of itself.
fn origin(origin: String) -> String {
    if origin.len() <= ORIGIN_BYTES {
        return text(origin);
    }
    let hash = Uuid::new_v5(&Uuid::NAMESPACE_OID, origin.as_bytes());
    let beginning = &origin[..origin.floor_char_boundary(ORIGIN_BYTES / 2)];
    text(format!("{beginning}…{hash}"))
}

/// Mapped readings as a document, with the fields that their upload gives all of them.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn dead_letter(id: &str, detail: &str) -> DeadLetter {
        let origin = Origin {
            source: SourceCollection::DeadLetters,
            id: id.to_owned(),
            position: None,
            key: Some(vec![b'k'; KEY_BYTES + 1]),
            document: None,
        };
        DeadLetter::about(&origin, -1, &Refusal::unmappable(detail), Some(vec![0; 10]), 0)
    }

    #[test]
    fn d_3_a_dead_letter_holds_no_text_that_a_store_refuses_and_two_never_become_one() {
        let long = "é\0".repeat(1_500);
        let one = dead_letter(&format!("{long}a"), &long);
        let other = dead_letter(&format!("{long}b"), "");
        assert_ne!(one.origin, other.origin);
        assert!(one.origin.len() <= ORIGIN_BYTES && one.origin.starts_with("mongo:dead_letters/é"));
        for text in [&one.origin, &one.detail] {
            assert!(!text.contains('\0'), "{text}");
        }
        assert!(one.detail.len() <= TEXT_BYTES + 3 && one.detail.ends_with('…'));
        assert_eq!(one.message_key.as_ref().map(Vec::len), Some(KEY_BYTES));
        assert_eq!(dead_letter("x", "why").detail, "why");
        assert_eq!(one.clone().storable(), one);
    }

    #[test]
    fn parts_are_bounded_by_count_and_bytes_and_hold_every_dead_letter_once() {
        let small = dead_letter("small", "");
        let large = DeadLetter {
            payload: Some(vec![0; 1_000]),
            message_key: None,
            ..dead_letter("large", "")
        };
        let small = DeadLetter {
            message_key: None,
            ..small
        };
        let all = [&small, &small, &small, &large, &small, &large];
        let counts = |most, bytes| parts(&all, most, bytes).map(<[_]>::len).collect::<Vec<_>>();
        assert_eq!(counts(2, 1 << 20), [2, 2, 2]);
        assert_eq!(counts(9, 500), [3, 1, 1, 1]);
        assert_eq!(counts(9, 1), [1; 6]);
        assert_eq!(parts(&[], 9, 9).count(), 0);
        // 90,000 dead letters of one upload are nine statements.
        let many: Vec<&DeadLetter> = std::iter::repeat_n(&small, 90_000).collect();
        assert_eq!(parts(&many, 10_000, 64 << 20).count(), 9);
    }
}
