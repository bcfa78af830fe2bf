//! The rows of one transaction, and what writing them changes.

use std::collections::BTreeSet;

use pulseline_tombstones::Days;
use uuid::Uuid;

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
    /// Days of the users' devices that belong to no person, because their owner was erased.
    pub(super) erased: &'a [(Uuid, Days)],
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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::readings::all_of;
    use super::*;

    const DAY_MS: i64 = 86_400_000;

    #[test]
    fn a_1_rows_mark_each_of_their_days_and_what_is_merged_beside_them_adds_its_own() {
        let devices = [1, 2].map(Uuid::from_u128);
        let mark = |device: usize, local_date| DirtyDay {
            device_id: devices[device],
            local_date,
        };
        let direct = [(0, 0), (0, DAY_MS - 1), (0, DAY_MS), (1, DAY_MS)];
        let direct = all_of(&direct.map(|(device, at): (usize, i64)| Row::at(devices[device], at)));
        assert_eq!(direct.rows, 4);
        assert_eq!(direct.days, BTreeSet::from([mark(0, 0), mark(0, 1), mark(1, 1)]));
        let merged = Touched {
            days: BTreeSet::from([mark(1, 0), mark(1, 1)]),
            rows: 2,
        };
        let both = direct.and(merged);
        assert_eq!(both.rows, 6);
        assert_eq!(
            both.days,
            BTreeSet::from([mark(0, 0), mark(0, 1), mark(1, 0), mark(1, 1)])
        );
    }
}
