//! Offsets without messages: told apart from losses, and proven by a second read before they get receipts.
//!
//! Control records of transactions, aborted records and compacted records appear as a jump between two messages. A receipt
//! covers only offsets at or after the log start offset, read after the jump, where a second
//! read_committed pass found nothing (P2). Offsets below the log start are a loss, never a receipt.

use std::collections::BTreeMap;

/// A range of offsets, both ends inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Gap {
    /// The offsets from `from` up to, but excluding, `end`; none when that is empty.
    pub(crate) fn between(from: i64, end: i64) -> Option<Self> {
        (from < end).then(|| Self { from, to: end - 1 })
    }

    pub(crate) fn count(self) -> u64 {
        (self.to - self.from + 1).unsigned_abs()
    }

    pub(crate) fn contains(self, offset: i64) -> bool {
        (self.from..=self.to).contains(&offset)
    }
}

/// A gap, with the log start offset that was read after the gap appeared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Split {
    /// Deleted before it was read: a loss.
    pub(crate) lost: Option<Gap>,
    /// Possibly without messages: to be read again.
    pub(crate) candidate: Option<Gap>,
}

/// The lost offsets, and those that may be empty.
pub(crate) fn split(gap: Gap, log_start: i64) -> Split {
    Split {
        lost: Gap::between(gap.from, log_start.min(gap.to + 1)),
        candidate: Gap::between(gap.from.max(log_start), gap.to + 1),
    }
}

/// Gaps of one topic to read again, by partition; those of a partition in rising order.
pub(crate) type OfTopic = BTreeMap<i32, Vec<Gap>>;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_jump_is_a_gap_and_the_next_offset_is_none() {
        assert_eq!(Gap::between(5, 5), None);
        assert_eq!(Gap::between(5, 4), None);
        assert_eq!(Gap::between(5, 7), Some(Gap { from: 5, to: 6 }));
        assert_eq!(Gap { from: 5, to: 6 }.count(), 2);
    }

    #[test]
    fn below_the_log_start_is_a_loss_never_a_receipt() {
        let gap = Gap { from: 10, to: 19 };
        assert_eq!(
            split(gap, 0),
            Split {
                lost: None,
                candidate: Some(gap)
            }
        );
        assert_eq!(
            split(gap, 10),
            Split {
                lost: None,
                candidate: Some(gap)
            }
        );
        assert_eq!(
            split(gap, 20),
            Split {
                lost: Some(gap),
                candidate: None
            }
        );
        assert_eq!(
            split(gap, 99),
            Split {
                lost: Some(gap),
                candidate: None
            }
        );
        let both = split(gap, 15);
        assert_eq!(both.lost, Some(Gap { from: 10, to: 14 }));
        assert_eq!(both.candidate, Some(Gap { from: 15, to: 19 }));
    }

    proptest! {
        /// D-3: each offset of a gap is either reported as lost or examined, never both, never neither.
        #[test]
        fn d_3_a_split_covers_each_offset_once(from in 0_i64..50, length in 1_i64..50, log_start in 0_i64..120) {
            let gap = Gap { from, to: from + length - 1 };
            let Split { lost, candidate } = split(gap, log_start);
            for offset in from - 1..=gap.to + 1 {
                let is_lost = lost.is_some_and(|lost| lost.contains(offset));
                let is_candidate = candidate.is_some_and(|candidate| candidate.contains(offset));
                prop_assert_eq!(is_lost, gap.contains(offset) && offset < log_start);
                prop_assert_eq!(is_candidate, gap.contains(offset) && offset >= log_start);
            }
        }
    }
}
