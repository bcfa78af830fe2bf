//! Chooses the holes that a round repairs: untried ones first; lost ones are retried rarely. Pure.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use pulseline_auditor::Hole;

/// A partition of an incarnation: topic, number, partition.
type Key = (String, i32, i32);

/// What earlier rounds found out.
#[derive(Debug)]
pub(crate) struct Agenda {
    /// Most offsets that one round tries.
    most: i64,
    /// How long a lost offset rests before it is tried again.
    rest: Duration,
    /// Offsets that were tried and not found, and when; in order, without duplicates.
    lost: BTreeMap<Key, Vec<(Range<i64>, Instant)>>,
}

impl Agenda {
    pub(crate) fn new(most: i64, rest: Duration) -> Self {
        Self {
            most: most.max(1),
            rest,
            lost: BTreeMap::new(),
        }
    }

    /// Offsets known to be lost.
    pub(crate) fn known(&self) -> i64 {
        let lost = self.lost.values().flatten();
        lost.map(|(offsets, _)| offsets.end - offsets.start).sum()
    }

    /// The holes to try now: new ones, then lost ones that have rested, the longest first. Forgets offsets that are no holes
    /// any more.
    pub(crate) fn next(&mut self, holes: &[Hole], now: Instant) -> Vec<Hole> {
        self.keep(holes);
        let (mut room, mut taken) = (self.most, Vec::new());
        for hole in holes {
            let lost = self.lost.get(&key_of(hole)).map_or(&[][..], Vec::as_slice);
            for offsets in without(&hole.offsets, lost) {
                take(hole, offsets, &mut room, &mut taken);
            }
        }
        let mut rested: Vec<(Instant, &Hole, Range<i64>)> = Vec::new();
        for hole in holes {
            for (offsets, tried) in self.lost.get(&key_of(hole)).into_iter().flatten() {
                let offsets = common(offsets, &hole.offsets);
                if !offsets.is_empty() && now.duration_since(*tried) >= self.rest {
                    rested.push((*tried, hole, offsets));
                }
            }
        }
        rested.sort_by_key(|(tried, ..)| *tried);
        for (_, hole, offsets) in rested {
            take(hole, offsets, &mut room, &mut taken);
        }
        taken
    }

    /// Records that a hole was tried, and which of its offsets were not found.
    pub(crate) fn tried(&mut self, hole: &Hole, left: &[Range<i64>], now: Instant) {
        let known = self.lost.entry(key_of(hole)).or_default();
        let tried = [(hole.offsets.clone(), now)];
        let mut kept: Vec<_> = known
            .iter()
            .flat_map(|(offsets, at)| without(offsets, &tried).into_iter().map(|part| (part, *at)))
            .chain(left.iter().map(|offsets| (offsets.clone(), now)))
            .collect();
        kept.sort_by_key(|(offsets, _)| offsets.start);
        *known = kept;
    }

    fn keep(&mut self, holes: &[Hole]) {
        let mut kept: BTreeMap<Key, Vec<(Range<i64>, Instant)>> = BTreeMap::new();
        for hole in holes {
            let key = key_of(hole);
            let known = self.lost.get(&key).into_iter().flatten();
            let parts = known
                .map(|(offsets, at)| (common(offsets, &hole.offsets), *at))
                .filter(|(part, _)| !part.is_empty());
            kept.entry(key).or_default().extend(parts);
        }
        self.lost = kept;
    }
}

fn key_of(hole: &Hole) -> Key {
    (hole.topic.clone(), hole.incarnation, hole.partition)
}

fn common(one: &Range<i64>, other: &Range<i64>) -> Range<i64> {
    one.start.max(other.start)..one.end.min(other.end)
}

/// Subtracts ordered ranges from a range.
fn without(range: &Range<i64>, taken: &[(Range<i64>, Instant)]) -> Vec<Range<i64>> {
    let (mut next, mut left) = (range.start, Vec::new());
    for (offsets, _) in taken {
        let part = common(offsets, range);
        if part.is_empty() {
            continue;
        }
        left.push(next..part.start);
        next = part.end;
    }
    left.push(next..range.end);
    left.retain(|part| !part.is_empty());
    left
}

/// The part of a range that still fits.
fn take(hole: &Hole, offsets: Range<i64>, room: &mut i64, taken: &mut Vec<Hole>) {
    let end = offsets.end.min(offsets.start.saturating_add(*room));
    if end <= offsets.start {
        return;
    }
    *room -= end - offsets.start;
    taken.push(Hole {
        offsets: offsets.start..end,
        ..hole.clone()
    });
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "one range is left")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REST: Duration = Duration::from_secs(3_600);

    fn hole(partition: i32, offsets: Range<i64>) -> Hole {
        Hole {
            topic: "fitbit.steps".into(),
            incarnation: 0,
            partition,
            offsets,
        }
    }

    fn count(holes: &[Hole]) -> i64 {
        holes
            .iter()
            .map(|hole| hole.offsets.end - hole.offsets.start)
            .sum()
    }

    #[test]
    fn a_3_a_permanent_loss_blocks_no_other_hole_and_is_rarely_retried() {
        let mut agenda = Agenda::new(20_000, REST);
        let holes = [hole(0, 0..20_000), hole(1, 5..8)];
        let began = Instant::now();
        let first = agenda.next(&holes, began);
        assert_eq!(first, holes[..1]);
        agenda.tried(&first[0], std::slice::from_ref(&first[0].offsets), began);
        assert_eq!(agenda.known(), 20_000);
        assert_eq!(agenda.next(&holes, began), holes[1..]);
        agenda.tried(&holes[1], &[], began);
        assert!(agenda.next(&holes[..1], began + REST / 2).is_empty());
        assert_eq!(agenda.next(&holes[..1], began + REST), holes[..1]);
        // The offset was recovered by other means.
        assert!(agenda.next(&[], began + REST).is_empty());
        assert_eq!(agenda.known(), 0);
    }

    #[test]
    fn a_3_only_the_rest_of_a_hole_is_lost_and_the_longest_rested_is_tried_first() {
        let mut agenda = Agenda::new(2, REST);
        let holes = [hole(0, 0..4)];
        let began = Instant::now();
        let (second, third) = (began + REST / 3, began + REST / 2);
        assert_eq!(agenda.next(&holes, began), [hole(0, 0..2)]);
        agenda.tried(&hole(0, 0..2), &[0..2], began);
        assert_eq!(agenda.next(&holes, second), [hole(0, 2..4)]);
        agenda.tried(&hole(0, 2..4), &[3..4], second);
        let holes = [hole(0, 0..2), hole(0, 3..4)];
        assert_eq!((agenda.next(&holes, third), agenda.known()), (vec![], 3));
        assert_eq!(agenda.next(&holes, began + REST), [hole(0, 0..2)]);
        agenda.tried(&hole(0, 0..2), &[1..2], began + REST);
        assert_eq!(
            agenda.next(&[hole(0, 1..2), hole(0, 3..4)], second + REST),
            [hole(0, 3..4)]
        );
        assert_eq!(agenda.known(), 2);
    }

    proptest! {
        /// With any losses, every offset is tried within the number of rounds that one pass over all offsets takes.
        #[test]
        fn a_3_every_offset_is_tried_in_turn(
            lengths in prop::collection::vec(1..50_i64, 1..8), most in 1..30_i64, lost in prop::collection::vec(any::<bool>(), 8)
        ) {
            let mut agenda = Agenda::new(most, REST);
            let mut holes: Vec<Hole> = (0..).zip(&lengths).map(|(partition, length)| hole(partition, 3..3 + length)).collect();
            let total = count(&holes);
            let now = Instant::now();
            let mut tried = 0;
            for _ in 0..(total + most - 1) / most {
                let taken = agenda.next(&holes, now);
                prop_assert!(count(&taken) <= most && !taken.is_empty());
                tried += count(&taken);
                for part in taken {
                    let is_lost = lost[part.partition.unsigned_abs() as usize];
                    let left = if is_lost { vec![part.offsets.clone()] } else { vec![] };
                    agenda.tried(&part, &left, now);
                    if !is_lost {
                        // Each round takes the first offsets that are not lost.
                        for hole in holes.iter_mut().filter(|hole| hole.partition == part.partition) {
                            hole.offsets.start = part.offsets.end;
                        }
                        holes.retain(|hole| !hole.offsets.is_empty());
                    }
                }
            }
            prop_assert_eq!(tried, total);
            prop_assert!(agenda.next(&holes, now).is_empty());
            prop_assert_eq!(agenda.known(), count(&holes));
        }
    }
}
