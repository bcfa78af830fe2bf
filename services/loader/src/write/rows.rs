//! The rows of one transaction, and what writing them changes.

use std::collections::BTreeSet;

use crate::batch::DirtyDay;
use crate::document::{MappedEntry, ReadingsUpload, UserRow};
use crate::resolve::Row;

/// The rows that a transaction writes.
#[derive(Clone, Copy, Default)]
pub(crate) struct BatchRows<'a> {
    /// Readings whose keys cannot exist yet: copied directly.
    pub(super) direct: &'a [Row],
    /// Readings that may meet stored ones: merged.
    pub(super) merge: &'a [Row],
    /// The uploads of these readings.
    pub(super) uploads: &'a [ReadingsUpload],
    pub(super) entries: &'a [MappedEntry],
    pub(super) users: &'a [UserRow],
}

/// What a transaction changes: dirty days, and the number of rows written.
#[derive(Debug, Default)]
pub(super) struct Touched {
    pub(super) days: BTreeSet<DirtyDay>,
    pub(super) rows: u64,
}

impl Touched {
    pub(super) fn and(mut self, other: Self) -> Self {
        self.days.extend(other.days);
        self.rows += other.rows;
        self
    }
}
