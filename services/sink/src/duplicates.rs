//! Judges what a duplicate `_id` or position in MongoDB means. A pure decision.

use pulseline_schemas::Position;

/// What is known about a stored document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) position: Position,
    pub(crate) content_hash: String,
}

/// What becomes of an event that a duplicate key rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The stored document is this message: an earlier attempt of this sink stored it.
    OwnRetry,
    /// The same event is stored at another offset: a receipt is due.
    Duplicate,
    /// Other content is stored under the same id: a dead letter is due.
    Conflicting {
        /// The position of the stored event.
        stored_at: Position,
    },
    /// The id is free, so another event holds the position: offsets would lie (P4).
    PositionTaken {
        /// The id of the event that holds it.
        by: String,
    },
    /// Neither exists any more: the collection changed meanwhile, so try again.
    Unsettled,
}

/// Judges an event at `position` with `content_hash`.
///
/// `stored` is the document with the event's id; `holder` is the id of the document at the event's position, which is
/// looked up only when no document has the event's id.
pub(crate) fn judge(
    position: &Position,
    content_hash: &str,
    stored: Option<&Stored>,
    holder: Option<String>,
) -> Verdict {
    match (stored, holder) {
        (Some(stored), _) if stored.position == *position => Verdict::OwnRetry,
        (Some(stored), _) if stored.content_hash == content_hash => Verdict::Duplicate,
        (Some(stored), _) => Verdict::Conflicting {
            stored_at: stored.position.clone(),
        },
        (None, Some(by)) => Verdict::PositionTaken { by },
        (None, None) => Verdict::Unsettled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(offset: i64, incarnation: i32) -> Position {
        Position {
            topic: "fitbit.steps".into(),
            incarnation,
            partition: 0,
            offset,
        }
    }

    fn stored(offset: i64, content_hash: &str) -> Stored {
        Stored {
            position: position(offset, 0),
            content_hash: content_hash.into(),
        }
    }

    #[test]
    fn the_same_event_at_its_own_position_is_a_retry() {
        assert_eq!(
            judge(&position(5, 0), "a", Some(&stored(5, "a")), None),
            Verdict::OwnRetry
        );
    }

    #[test]
    fn another_position_is_a_duplicate_or_a_contradiction() {
        assert_eq!(
            judge(&position(6, 0), "a", Some(&stored(5, "a")), None),
            Verdict::Duplicate
        );
        assert_eq!(
            judge(&position(5, 1), "a", Some(&stored(5, "a")), None),
            Verdict::Duplicate
        );
        let verdict = judge(&position(6, 0), "b", Some(&stored(5, "a")), None);
        assert_eq!(
            verdict,
            Verdict::Conflicting {
                stored_at: position(5, 0)
            }
        );
    }

    #[test]
    fn a_taken_position_stops_and_nothing_at_all_is_tried_again() {
        let verdict = judge(&position(6, 0), "a", None, Some("other".into()));
        assert_eq!(verdict, Verdict::PositionTaken { by: "other".into() });
        assert_eq!(judge(&position(6, 0), "a", None, None), Verdict::Unsettled);
    }
}
