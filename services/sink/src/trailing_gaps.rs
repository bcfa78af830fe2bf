//! Trailing gaps: offsets after a partition's last message that hold none (a commit marker, aborted records).

use std::collections::HashMap;

use crate::gaps::Gap;
use crate::source::Partition;

/// Remembers each partition's end. The end is the offset of the partition's own end-of-partition
/// event (P2). Messages before it may still be in transit, so it counts once two snapshots agree.
#[derive(Debug, Default)]
pub(crate) struct TrailingGaps {
    seen: HashMap<Partition, Gap>,
}

impl TrailingGaps {
    /// Records a snapshot: `next` is the expected offset, `end` that of the last end-of-partition event.
    /// Returns the trailing gap when it has not moved since the last snapshot.
    pub(crate) fn observe(&mut self, partition: Partition, next: i64, end: i64) -> Option<Gap> {
        let Some(trailing_gap) = Gap::between(next, end) else {
            self.seen.remove(&partition);
            return None;
        };
        self.seen
            .insert(partition, trailing_gap)
            .filter(|before| *before == trailing_gap)
    }

    /// Forgets a partition: it was examined, or revoked.
    pub(crate) fn forget(&mut self, partition: Partition) {
        self.seen.remove(&partition);
    }
}

#[cfg(test)]
mod tests {
    use pulseline_schemas::Stream;

    use super::*;
    use crate::source::SourceTopic;

    const PARTITION: Partition = Partition {
        source: SourceTopic::Stream(Stream::Steps),
        number: 0,
    };

    #[test]
    fn a_trailing_gap_counts_when_it_did_not_move() {
        let mut trailing_gaps = TrailingGaps::default();
        assert_eq!(trailing_gaps.observe(PARTITION, 5, 7), None);
        assert_eq!(
            trailing_gaps.observe(PARTITION, 5, 7),
            Some(Gap { from: 5, to: 6 })
        );
        assert_eq!(trailing_gaps.observe(PARTITION, 5, 8), None);
        assert_eq!(trailing_gaps.observe(PARTITION, 6, 8), None);
        trailing_gaps.forget(PARTITION);
        assert_eq!(trailing_gaps.observe(PARTITION, 6, 8), None);
    }

    #[test]
    fn no_end_seen_yet_is_no_trailing_gap() {
        let mut trailing_gaps = TrailingGaps::default();
        for _ in 0..3 {
            assert_eq!(trailing_gaps.observe(PARTITION, 0, -1001), None);
            assert_eq!(trailing_gaps.observe(PARTITION, 7, 7), None);
        }
    }
}
