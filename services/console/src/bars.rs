//! Turns the ranges of a partition into the cells of a bar. Pure.

use std::ops::Range;

use pulseline_auditor::Ledger;
use serde::Serialize;

/// Cells of a bar: about as many as a narrow screen can show apart.
const CELLS: i64 = 120;

/// A cell of a bar: how its offsets are accounted for. The counts add up to `to - from`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Cell {
    /// First offset.
    pub(crate) from: i64,
    /// First offset after the cell.
    pub(crate) to: i64,
    /// Loaded, erased, or no message.
    pub(crate) accounted: i64,
    pub(crate) duplicate: i64,
    pub(crate) dead: i64,
    pub(crate) in_flight: i64,
    pub(crate) lost: i64,
}

impl Cell {
    fn kinds(&self) -> [i64; 5] {
        [
            self.accounted,
            self.duplicate,
            self.dead,
            self.in_flight,
            self.lost,
        ]
    }

    /// The kind of all its offsets, when they share one.
    fn pure(&self) -> Option<usize> {
        self.kinds()
            .iter()
            .position(|count| *count == self.to - self.from)
    }

    fn join(&mut self, next: &Self) {
        self.to = next.to;
        self.accounted += next.accounted;
        self.duplicate += next.duplicate;
        self.dead += next.dead;
        self.in_flight += next.in_flight;
        self.lost += next.lost;
    }
}

/// The bar from 0 to the end; adjacent cells of the same kind are merged.
pub(crate) fn bar(ledger: &Ledger) -> Vec<Cell> {
    let width = (ledger.end + CELLS - 1).div_euclid(CELLS).max(1);
    let spread = |ranges: &[Range<i64>]| spread(ranges, width, ledger.end);
    let (accounted, duplicate, dead) = (
        spread(&ledger.accounted),
        spread(&ledger.duplicate),
        spread(&ledger.dead),
    );
    let (in_flight, lost) = (spread(&ledger.in_flight), spread(&ledger.lost));
    let mut bar: Vec<Cell> = Vec::new();
    for index in 0..accounted.len() {
        let from = i64::try_from(index).unwrap_or(i64::MAX) * width;
        let cell = Cell {
            from,
            to: (from + width).min(ledger.end),
            accounted: accounted[index] - duplicate[index] - dead[index],
            duplicate: duplicate[index],
            dead: dead[index],
            in_flight: in_flight[index],
            lost: lost[index],
        };
        match bar.last_mut() {
            Some(last) if cell.pure().is_some() && last.pure() == cell.pure() => last.join(&cell),
            _ => bar.push(cell),
        }
    }
    bar
}

/// Counts the offsets of the ranges in each cell below `end`.
fn spread(ranges: &[Range<i64>], width: i64, end: i64) -> Vec<i64> {
    let cells = usize::try_from((end + width - 1) / width).unwrap_or_default();
    let mut counts = vec![0; cells];
    for range in ranges {
        let mut at = range.start.max(0);
        while at < range.end.min(end) {
            let cell = at / width;
            let to = ((cell + 1) * width).min(range.end).min(end);
            if let Some(count) = usize::try_from(cell).ok().and_then(|cell| counts.get_mut(cell)) {
                *count += to - at;
            }
            at = to;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(range: Range<i64>) -> Vec<Range<i64>> {
        vec![range]
    }

    #[test]
    fn d_4_a_healthy_partition_is_one_cell_and_a_hole_is_a_cell_of_its_own() {
        let healthy = Ledger {
            end: 1_000,
            accounted: one(0..1_000),
            ..Ledger::default()
        };
        let whole = Cell {
            to: 1_000,
            accounted: 1_000,
            ..Cell::default()
        };
        assert_eq!(bar(&healthy), [whole]);
        let torn = Ledger {
            end: 120,
            accounted: [0..40, 41..100].into(),
            duplicate: one(10..11),
            dead: one(50..52),
            lost: one(40..41),
            in_flight: one(100..120),
            ..Ledger::default()
        };
        let bar = bar(&torn);
        let shown: Vec<_> = bar.iter().map(|cell| (cell.from..cell.to, cell.pure())).collect();
        let expected = [
            (0..10, 0),
            (10..11, 1),
            (11..40, 0),
            (40..41, 4),
            (41..50, 0),
            (50..52, 2),
            (52..100, 0),
            (100..120, 3),
        ];
        assert_eq!(shown, expected.map(|(range, kind)| (range, Some(kind))));
    }

    #[test]
    fn an_empty_partition_has_no_bar_and_what_is_accounted_for_beyond_kafkas_end_is_cut() {
        assert!(bar(&Ledger::default()).is_empty());
        let ahead = Ledger {
            end: 5,
            accounted: one(0..9),
            ..Ledger::default()
        };
        assert_eq!(bar(&ahead).iter().map(|cell| cell.accounted).sum::<i64>(), 5);
    }

    proptest! {
        #[test]
        fn d_4_every_offset_is_drawn_once(end in 1_i64..100_000, cuts in prop::collection::vec((0_i64..100_000, 0_u8..5), 0..40)) {
            // Cut the partition anywhere and give each piece a kind.
            let mut cuts: Vec<_> = cuts.into_iter().filter(|(at, _)| *at < end).collect();
            cuts.extend([(0, 0), (end, 0)]);
            cuts.sort_unstable();
            let mut ledger = Ledger { end, ..Ledger::default() };
            for pair in cuts.windows(2) {
                let range = pair[0].0..pair[1].0;
                let lists: &mut [&mut Vec<Range<i64>>] = match pair[0].1 {
                    0 => &mut [&mut ledger.accounted],
                    1 => &mut [&mut ledger.accounted, &mut ledger.duplicate],
                    2 => &mut [&mut ledger.accounted, &mut ledger.dead],
                    3 => &mut [&mut ledger.in_flight],
                    _ => &mut [&mut ledger.lost],
                };
                lists.iter_mut().for_each(|list| list.push(range.clone()));
            }
            let bar = bar(&ledger);
            prop_assert!(bar.len() <= 120);
            let mut at = 0;
            for cell in &bar {
                prop_assert_eq!(cell.from, at);
                prop_assert_eq!(cell.kinds().iter().sum::<i64>(), cell.to - cell.from);
                at = cell.to;
            }
            prop_assert_eq!(at, end);
            let lost: i64 = ledger.lost.iter().map(|range| range.end - range.start).sum();
            prop_assert_eq!(bar.iter().map(|cell| cell.lost).sum::<i64>(), lost);
        }
    }
}
