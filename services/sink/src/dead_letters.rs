//! Dead letters: messages that could not be stored as events, with their bytes, origin, reason and this program's
//! version (D-3).

use bson::RawDocumentBuf;
use pulseline_schemas::dead_letter::{self, Origin, WHOLE};
use pulseline_schemas::{Position, Stream, UtcMillis};

use crate::source::Raw;

/// Largest document written: with the envelope of a change event it has to stay below MongoDB's 16 MB.
pub(crate) const DOCUMENT_BYTES_MAX: usize = 15 << 20;
/// Largest payload that a dead letter carries in full.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 14 << 20;
/// Longest message key that a dead letter carries in full.
const KEY_BYTES_MAX: usize = 64 << 10;
/// Longest detail and reported reason, in characters.
const DETAIL_CHARS_MAX: usize = 500;

/// Why a message became a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The bytes are not a valid event.
    Undecodable,
    /// The registry has no schema with this id.
    UnknownSchema,
    /// The message is larger than the sink decodes or stores.
    Oversized,
    /// The same id is stored with other content.
    ConflictingContent,
    /// MongoDB refuses this document.
    Refused,
    /// The device's clock is far ahead: the event would win against every later correction (P7). A replay after that time
    /// stores it.
    ClockInFuture,
    /// The producer had already declared it dead, for this reason.
    Reported(String),
}

impl Reason {
    /// Labels of metrics, one per kind of reason.
    pub(crate) const LABELS: [&'static str; 7] = [
        "undecodable",
        "unknown_schema",
        "oversized",
        "conflicting_content",
        "refused",
        "clock_in_future",
        "reported",
    ];

    /// The reason as written into the dead letter.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Reported(reason) => reason,
            other => other.label(),
        }
    }

    /// The reason as a metric label: never a text from outside.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::UnknownSchema => "unknown_schema",
            Self::Oversized => "oversized",
            Self::ConflictingContent => "conflicting_content",
            Self::Refused => "refused",
            Self::ClockInFuture => "clock_in_future",
            Self::Reported(_) => "reported",
        }
    }
}

/// A dead letter.
#[derive(Debug, PartialEq)]
pub(crate) struct DeadLetter {
    pub(crate) position: Position,
    pub(crate) stream: Option<Stream>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) payload: Option<Vec<u8>>,
    pub(crate) reason: Reason,
    pub(crate) detail: String,
    /// The record of a file, and the reading in it; none for a message that could not be stored.
    pub(crate) record: Option<(String, i32)>,
}

impl DeadLetter {
    /// Makes a dead letter of a message of the dead-letter topic, unchanged. Its producer gives the reason in headers.
    pub(crate) fn reported(raw: Raw, position: Position) -> Self {
        let header = |name: &str| {
            let value = raw
                .headers
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value);
            value.map(|value| text(&String::from_utf8_lossy(value)))
        };
        let reason = header("reason")
            .filter(|reason| !reason.is_empty())
            .unwrap_or_else(|| "reported".into());
        let origin = header("origin");
        let is_record = |origin: &String| matches!(Origin::read(origin), Origin::Record(_));
        let record = origin.clone().filter(is_record);
        let item = header("item").and_then(|item| item.parse().ok()).unwrap_or(WHOLE);
        let detail = [
            header("detail"),
            origin
                .map(|origin| format!("origin {origin}"))
                .filter(|_| record.is_none()),
        ];
        Self {
            record: record.map(|origin| (origin, item)),
            stream: header("stream").and_then(|name| Stream::from_name(&name)),
            reason: Reason::Reported(reason),
            detail: detail.into_iter().flatten().collect::<Vec<_>>().join("; "),
            position,
            key: raw.key,
            payload: raw.payload,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.payload.as_ref().map_or(0, Vec::len) + self.key.as_ref().map_or(0, Vec::len) + self.detail.len()
    }

    /// The id of the dead letter about a whole message.
    pub(crate) fn id_at(position: &Position) -> String {
        format!("{}#{WHOLE}", Origin::Message(&position.to_string()))
    }

    /// The origin: a Kafka message, or a record of a file, which stays the same however often it is sent (P9).
    fn origin(&self) -> (String, i32) {
        let whole = || (Origin::Message(&self.position.to_string()).to_string(), WHOLE);
        self.record.clone().unwrap_or_else(whole)
    }

    /// The id of the dead letter's document.
    pub(crate) fn id(&self) -> String {
        let (origin, item) = self.origin();
        format!("{origin}#{item}")
    }

    /// The document of this dead letter.
    pub(crate) fn to_document(&self, now: i64) -> RawDocumentBuf {
        let (origin, item) = self.origin();
        let stored = dead_letter::DeadLetter {
            origin: Origin::read(&origin),
            item,
            stream: self.stream.map(Stream::name),
            position: Some(&self.position),
            message_key: first(self.key.as_deref(), KEY_BYTES_MAX),
            payload: first(self.payload.as_deref(), PAYLOAD_BYTES_MAX),
            reason: self.reason.name(),
            detail: &self.full_detail(),
            program_version: pulseline_runtime::VERSION,
            created_at: UtcMillis(now),
        };
        stored.to_document()
    }

    fn full_detail(&self) -> String {
        let detail = text(&self.detail);
        match self.payload.as_ref().map(Vec::len) {
            Some(bytes) if bytes > PAYLOAD_BYTES_MAX => {
                format!("{detail}; only the first {PAYLOAD_BYTES_MAX} of {bytes} bytes fit into a document")
            }
            _ => detail,
        }
    }
}

fn first(bytes: Option<&[u8]>, bytes_max: usize) -> Option<&[u8]> {
    bytes.map(|bytes| &bytes[..bytes.len().min(bytes_max)])
}

/// Makes a text printable and storable in both stores: without NUL, which PostgreSQL cannot hold.
fn text(text: &str) -> String {
    shortened(text).replace('\0', "\u{fffd}")
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(DETAIL_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Partition, SourceTopic};

    const PARTITION: Partition = Partition {
        source: SourceTopic::DeadLetters,
        number: 3,
    };

    fn reported(headers: &[(&str, &str)]) -> DeadLetter {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
            .collect();
        let raw = Raw {
            partition: PARTITION,
            offset: 9,
            key: Some(vec![1]),
            payload: Some(vec![2, 0, 3]),
            headers,
        };
        DeadLetter::reported(raw, PARTITION.position(0, 9))
    }

    #[test]
    fn d_3_a_dead_letter_keeps_bytes_key_origin_reason_and_version() {
        let dead_letter = reported(&[
            ("reason", "unmappable"),
            ("stream", "steps"),
            ("detail", "no clock"),
        ]);
        let document = bson::Document::try_from(dead_letter.to_document(7)).unwrap();
        assert_eq!(
            document.get_str("_id").unwrap(),
            "kafka:fitbit.dead_letters/0/3/9#-1"
        );
        assert_eq!(
            document.get_str("origin").unwrap(),
            "kafka:fitbit.dead_letters/0/3/9"
        );
        assert_eq!(dead_letter.id(), DeadLetter::id_at(&dead_letter.position));
        assert_eq!(document.get_i32("item").unwrap(), -1);
        assert_eq!(document.get_str("stream").unwrap(), "steps");
        assert_eq!(document.get_binary_generic("message_key").unwrap(), &vec![1]);
        assert_eq!(document.get_binary_generic("payload").unwrap(), &vec![2, 0, 3]);
        assert_eq!(document.get_str("reason").unwrap(), "unmappable");
        assert_eq!(
            document.get_str("program_version").unwrap(),
            pulseline_runtime::VERSION
        );
    }

    #[test]
    fn p_9_a_dead_letter_about_a_file_has_the_same_id_each_time_it_is_sent() {
        let dead_letter = reported(&[("origin", "file:ab12/77"), ("item", "3"), ("reason", "json")]);
        let document = bson::Document::try_from(dead_letter.to_document(7)).unwrap();
        assert_eq!(document.get_str("_id").unwrap(), "file:ab12/77#3");
        assert_eq!(document.get_i32("item").unwrap(), 3);
        let foreign = reported(&[("origin", "kafka:elsewhere")]);
        assert_eq!(foreign.id(), "kafka:fitbit.dead_letters/0/3/9#-1");
        assert_eq!(foreign.detail, "origin kafka:elsewhere");
    }

    #[test]
    fn a_reported_reason_never_becomes_a_label() {
        let dead_letter = reported(&[("reason", "anything at all")]);
        assert_eq!(
            (dead_letter.reason.name(), dead_letter.reason.label()),
            ("anything at all", "reported")
        );
        assert_eq!(reported(&[]).reason.name(), "reported");
        assert!(Reason::LABELS.contains(&dead_letter.reason.label()));
    }

    #[test]
    fn d_3_no_text_of_a_dead_letter_contains_a_zero_byte() {
        let poison = "a\0b";
        let dead_letter = reported(&[("reason", poison), ("detail", poison), ("origin", "file:\0/1")]);
        assert_eq!(dead_letter.reason.name(), "a\u{fffd}b");
        let document = bson::Document::try_from(dead_letter.to_document(7)).unwrap();
        for (name, value) in &document {
            assert!(value.as_str().is_none_or(|text| !text.contains('\0')), "{name}");
        }
    }

    #[test]
    fn a_payload_that_does_not_fit_says_so() {
        let dead_letter = DeadLetter {
            payload: Some(vec![0; PAYLOAD_BYTES_MAX + 5]),
            ..reported(&[])
        };
        let document = dead_letter.to_document(0);
        assert!(document.as_bytes().len() <= DOCUMENT_BYTES_MAX);
        let document = bson::Document::try_from(document).unwrap();
        assert_eq!(
            document.get_binary_generic("payload").unwrap().len(),
            PAYLOAD_BYTES_MAX
        );
        assert!(document.get_str("detail").unwrap().contains("only the first"));
    }
}
