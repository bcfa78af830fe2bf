//! What an erasure removed, and what is left.

use jiff::Timestamp;
use serde::Serialize;

use crate::eraser::person::Person;

/// A number of documents or rows, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Collection, table or view.
    pub place: String,
    /// Documents or rows.
    pub count: u64,
}

/// Until when a topic may hold messages of the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// The topic.
    pub topic: String,
    /// When the last of them is deleted; none: never by itself.
    pub until: Option<Timestamp>,
}

/// The removed and the remaining data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErasureReport {
    /// The person.
    pub person: Person,
    /// What was removed.
    pub removed: Vec<Count>,
    /// What a search of every store found afterwards; empty is the proof.
    pub found: Vec<Count>,
    /// Days whose aggregates the compactor still has to refresh.
    pub pending_days: i64,
    /// Until when Kafka keeps messages.
    pub kafka: Vec<Kept>,
}

impl ErasureReport {
    /// True when no data of the person is found anywhere, and no refresh is pending.
    #[must_use]
    pub fn is_erased(&self) -> bool {
        self.found.is_empty() && self.pending_days == 0
    }
}
