//! The assigned partitions and their positions. Positions only rise.

use std::collections::HashMap;

use crate::assignment::Start;
use crate::entry::{End, TopicIncarnation};
use crate::gaps::Gap;
use crate::source::{Partition, SourceTopic};

/// The current assignment.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    open: HashMap<Partition, Open>,
    /// Rises with every assignment, so that work of an older one can be told apart.
    epoch: u64,
}

#[derive(Debug)]
struct Open {
    epoch: u64,
    identity: TopicIncarnation,
    /// The next offset that is expected.
    next: i64,
    /// The first offset that is not durable.
    stored: i64,
    /// The first offset that is not produced yet, as far as is known.
    end: i64,
    /// True when `next` moved since a batch was last flushed.
    has_moved: bool,
}

/// A message of an assigned partition.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    pub(super) identity: TopicIncarnation,
    /// Offsets before it for which no message came.
    pub(super) gap: Option<Gap>,
}

impl Partitions {
    pub(super) fn begin(&mut self, starts: &[Start]) {
        self.epoch += 1;
        for start in starts {
            let open = Open {
                epoch: self.epoch,
                identity: start.identity.clone(),
                next: start.offset,
                stored: start.offset,
                end: start.end,
                // Past the lost offsets, even if no message ever comes.
                has_moved: start.lost.is_some(),
            };
            self.open.insert(start.partition, open);
        }
    }

    pub(super) fn end(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            self.open.remove(partition);
        }
    }

    pub(super) fn clear(&mut self) {
        self.open.clear();
    }

    pub(super) fn count(&self) -> usize {
        self.open.len()
    }

    pub(super) fn holds(&self, partition: Partition) -> bool {
        self.open.contains_key(&partition)
    }

    /// Takes in a message; none when its partition is not assigned.
    pub(super) fn accept(&mut self, partition: Partition, offset: i64) -> Option<Accepted> {
        let open = self.open.get_mut(&partition)?;
        let gap = Gap::between(open.next, offset);
        open.next = open.next.max(offset + 1);
        open.has_moved = true;
        Some(Accepted {
            identity: open.identity.clone(),
            gap,
        })
    }

    /// The next offset that is expected.
    pub(super) fn next(&self, partition: Partition) -> Option<i64> {
        self.open.get(&partition).map(|open| open.next)
    }

    /// Marks everything up to these ends as durable.
    pub(super) fn flushed(&mut self, ends: &HashMap<Partition, End>) {
        for (partition, end) in ends {
            if let Some(open) = self
                .open
                .get_mut(partition)
                .filter(|open| open.epoch == end.epoch)
            {
                open.stored = open.stored.max(end.next);
            }
        }
    }

    /// Records a partition's end from a fetch. While the partition is not fetched, this may be old.
    pub(super) fn raise_end(&mut self, partition: Partition, end: i64) {
        if let Some(open) = self.open.get_mut(&partition) {
            open.end = open.end.max(end);
        }
    }

    /// Records a partition's end as reported by the brokers, fetched or not.
    pub(super) fn ends_at(&mut self, partition: Partition, end: i64) {
        if let Some(open) = self.open.get_mut(&partition) {
            open.end = end.max(open.next);
        }
    }

    /// Messages that are not durable yet, by topic; measured from each partition's position, so that one that was never
    /// committed, or is stuck, has a lag too.
    pub(super) fn lags(&self) -> HashMap<SourceTopic, i64> {
        let mut lags = HashMap::new();
        for (partition, open) in &self.open {
            *lags.entry(partition.source).or_insert(0) += (open.end.max(open.next) - open.stored).max(0);
        }
        lags
    }

    /// Each partition that is read.
    pub(super) fn all(&self) -> Vec<Partition> {
        self.open.keys().copied().collect()
    }

    /// Moves on to `next` without a message.
    pub(super) fn skip_to(&mut self, partition: Partition, next: i64) -> Option<TopicIncarnation> {
        let open = self.open.get_mut(&partition)?;
        open.next = open.next.max(next);
        open.has_moved = true;
        Some(open.identity.clone())
    }

    pub(super) fn have_moved(&self) -> bool {
        self.open.values().any(|open| open.has_moved)
    }

    /// The read position of each partition that moved since the last call.
    pub(super) fn take_moved(&mut self) -> HashMap<Partition, End> {
        let ends = self.open.iter_mut().filter_map(|(partition, open)| {
            let end = End {
                epoch: open.epoch,
                identity: open.identity.clone(),
                next: open.next,
            };
            std::mem::take(&mut open.has_moved).then_some((*partition, end))
        });
        ends.collect()
    }

    /// True when an end was reached under the current assignment of its partition.
    pub(super) fn is_current(&self, partition: Partition, end: &End) -> bool {
        self.open
            .get(&partition)
            .is_some_and(|open| open.epoch == end.epoch)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use pulseline_schemas::Stream;

    use super::*;

    const PARTITION: Partition = Partition {
        source: SourceTopic::Stream(Stream::Users),
        number: 1,
    };

    fn begun(offset: i64) -> Partitions {
        let identity = TopicIncarnation {
            topic_id: Arc::from("id"),
            number: 0,
        };
        let mut partitions = Partitions::default();
        partitions.begin(&[Start {
            partition: PARTITION,
            identity,
            offset,
            end: offset,
            lost: None,
        }]);
        partitions
    }

    #[test]
    fn d_1_work_of_an_older_assignment_moves_no_position() {
        let mut partitions = begun(5);
        assert!(partitions.accept(PARTITION, 5).is_some());
        let ends = partitions.take_moved();
        assert!(partitions.is_current(PARTITION, &ends[&PARTITION]));
        partitions.end(&[PARTITION]);
        assert!(!partitions.is_current(PARTITION, &ends[&PARTITION]));
        assert_eq!(partitions.accept(PARTITION, 6), None);
        let identity = ends[&PARTITION].identity.clone();
        partitions.begin(&[Start {
            partition: PARTITION,
            identity,
            offset: 5,
            end: 5,
            lost: None,
        }]);
        assert!(!partitions.is_current(PARTITION, &ends[&PARTITION]));
    }

    #[test]
    fn what_was_lost_moves_the_position_by_itself() {
        let mut partitions = begun(0);
        assert!(!partitions.have_moved());
        let identity = TopicIncarnation {
            topic_id: Arc::from("id"),
            number: 0,
        };
        let lost = Gap::between(0, 3);
        partitions.begin(&[Start {
            partition: PARTITION,
            identity,
            offset: 3,
            end: 3,
            lost,
        }]);
        assert!(partitions.have_moved());
        assert_eq!(partitions.take_moved()[&PARTITION].next, 3);
        assert!(!partitions.have_moved());
    }

    #[test]
    fn lag_is_measured_from_the_durable_position() {
        let lag = |partitions: &Partitions| partitions.lags()[&PARTITION.source];
        let mut partitions = begun(5);
        assert_eq!(lag(&partitions), 0);
        // Produced, and not even fetched: a partition that is paused or stuck.
        partitions.ends_at(PARTITION, 9);
        assert_eq!(lag(&partitions), 4);
        // Fetched, and not durable.
        for offset in 5..9 {
            partitions.accept(PARTITION, offset);
        }
        assert_eq!(lag(&partitions), 4);
        let ends = partitions.take_moved();
        partitions.flushed(&ends);
        assert_eq!(lag(&partitions), 0);
        // An older snapshot changes nothing; a newer one counts.
        partitions.raise_end(PARTITION, 7);
        assert_eq!(lag(&partitions), 0);
        partitions.raise_end(PARTITION, 10);
        assert_eq!(lag(&partitions), 1);
        // Flushes under an earlier assignment do not move this one.
        partitions.begin(&[Start {
            partition: PARTITION,
            identity: ends[&PARTITION].identity.clone(),
            offset: 5,
            end: 9,
            lost: None,
        }]);
        partitions.flushed(&ends);
        assert_eq!(lag(&partitions), 4);
    }

    proptest! {
        /// D-1, D-3: below the position to be committed, every offset was a message or is in a gap, each
        /// once; and the position never falls, whatever is delivered again.
        #[test]
        fn d_1_every_offset_below_the_position_was_a_message_or_a_gap(
            start in 0_i64..20,
            steps in prop::collection::vec(-3_i64..5, 1..60),
        ) {
            let mut partitions = begun(start);
            let mut seen = vec![0_u32; 400];
            let (mut offset, mut committed) = (start, start);
            for step in steps {
                offset = (offset + step).max(0);
                let before = partitions.next(PARTITION).unwrap();
                let accepted = partitions.accept(PARTITION, offset).unwrap();
                if offset >= before {
                    seen[usize::try_from(offset).unwrap()] += 1;
                }
                for missing in accepted.gap.iter().flat_map(|gap| gap.from..=gap.to) {
                    seen[usize::try_from(missing).unwrap()] += 1;
                }
                let next = partitions.take_moved()[&PARTITION].next;
                prop_assert!(next >= committed);
                committed = next;
            }
            for offset in start..committed {
                prop_assert_eq!(seen[usize::try_from(offset).unwrap()], 1);
            }
        }
    }
}
