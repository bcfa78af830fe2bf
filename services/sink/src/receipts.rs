//! Receipts account for offsets that hold no new event.

use bson::RawDocumentBuf;
use pulseline_schemas::{Position, ReceiptDocument, UtcMillis};

use crate::gaps::Gap;

/// Why an offset holds no new event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReceiptKind {
    /// The event is stored at another offset already.
    Duplicate,
    /// There is no message.
    Void,
    /// The message belongs to an erased person.
    Erased,
}

/// A receipt for one offset, or for a range without messages.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Receipt {
    pub(crate) kind: ReceiptKind,
    /// The first offset.
    pub(crate) position: Position,
    /// The last offset.
    pub(crate) last: i64,
    pub(crate) event_id: Option<String>,
}

impl Receipt {
    pub(crate) fn duplicate(position: Position, event_id: String) -> Self {
        let last = position.offset;
        Self {
            kind: ReceiptKind::Duplicate,
            position,
            last,
            event_id: Some(event_id),
        }
    }

    pub(crate) fn erased(position: Position) -> Self {
        Self {
            kind: ReceiptKind::Erased,
            last: position.offset,
            position,
            event_id: None,
        }
    }

    pub(crate) fn void(position: Position, gap: Gap) -> Self {
        Self {
            kind: ReceiptKind::Void,
            position: Position {
                offset: gap.from,
                ..position
            },
            last: gap.to,
            event_id: None,
        }
    }

    pub(crate) fn id(&self) -> String {
        match self.kind {
            ReceiptKind::Duplicate | ReceiptKind::Erased => self.position.to_string(),
            ReceiptKind::Void => format!("{}-{}", self.position, self.last),
        }
    }

    /// The document of this receipt.
    pub(crate) fn to_document(&self, now: i64) -> RawDocumentBuf {
        let kind = match self.kind {
            ReceiptKind::Duplicate => "duplicate",
            ReceiptKind::Void => "void",
            ReceiptKind::Erased => "erased",
        };
        let document = ReceiptDocument {
            id: &self.id(),
            kind,
            event_id: self.event_id.as_deref(),
            position: &self.position,
            last: self.last,
        };
        document.stored(UtcMillis(now))
    }

    /// What remains to be written when a receipt from the same offset to `covered` exists:
    /// before a crash the sink saw the same gap, perhaps shorter.
    pub(crate) fn beyond(&self, covered: i64) -> Option<Self> {
        let rest = Gap::between(covered + 1, self.last + 1)?;
        Some(Self {
            position: Position {
                offset: rest.from,
                ..self.position.clone()
            },
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(offset: i64) -> Position {
        Position {
            topic: "fitbit.steps".into(),
            incarnation: 1,
            partition: 2,
            offset,
        }
    }

    #[test]
    fn ids_follow_the_contract() {
        assert_eq!(
            Receipt::duplicate(position(7), "e".into()).id(),
            "fitbit.steps/1/2/7"
        );
        assert_eq!(
            Receipt::void(position(0), Gap { from: 7, to: 9 }).id(),
            "fitbit.steps/1/2/7-9"
        );
        assert_eq!(
            Receipt::void(position(0), Gap { from: 7, to: 7 }).id(),
            "fitbit.steps/1/2/7-7"
        );
    }

    #[test]
    fn a_document_says_where_it_begins_and_ends() {
        let document = Receipt::void(position(0), Gap { from: 7, to: 9 }).to_document(5);
        let document = bson::Document::try_from(document).unwrap();
        let kafka = document.get_document("kafka").unwrap();
        assert_eq!(
            (
                kafka.get_i64("offset").unwrap(),
                kafka.get_i64("last_offset").unwrap()
            ),
            (7, 9)
        );
        assert_eq!(document.get_str("kind").unwrap(), "void");
        assert!(!document.contains_key("event_id"));
    }

    #[test]
    fn only_what_is_not_covered_yet_is_left() {
        let receipt = Receipt::void(position(0), Gap { from: 7, to: 9 });
        assert_eq!(receipt.beyond(9), None);
        assert_eq!(receipt.beyond(12), None);
        assert_eq!(receipt.beyond(7).unwrap().id(), "fitbit.steps/1/2/8-9");
    }
}
