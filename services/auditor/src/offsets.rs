//! Ranges of offsets: accounted and missing ones.

use std::ops::Range;

/// Ranges in order that neither touch nor overlap, from a multirange's text such as `{[0,5),[7,9)}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offsets(Vec<Range<i64>>);

impl Offsets {
    /// Reads the text of an `int8multirange`; none when it is no such text.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let inner = text.strip_prefix('{')?.strip_suffix('}')?;
        let mut ranges = Vec::new();
        for part in inner.split_terminator(')') {
            let (from, to) = part.trim_start_matches(',').strip_prefix('[')?.split_once(',')?;
            ranges.push(from.parse().ok()?..to.parse().ok()?);
        }
        Some(Self(ranges))
    }

    /// How many offsets.
    pub(crate) fn count(&self) -> i64 {
        self.0.iter().map(|range| range.end - range.start).sum()
    }

    /// True when the offset is in one of the ranges.
    pub(crate) fn contains(&self, offset: i64) -> bool {
        let after = self.0.partition_point(|range| range.start <= offset);
        after > 0 && offset < self.0[after - 1].end
    }

    /// The first offset after the last range; 0 when empty.
    pub(crate) fn end(&self) -> i64 {
        self.0.last().map_or(0, |range| range.end)
    }

    /// The ranges, in order.
    pub(crate) fn ranges(&self) -> &[Range<i64>] {
        &self.0
    }

    /// What is missing from 0 to `end`.
    pub(crate) fn holes(&self, end: i64) -> Vec<Range<i64>> {
        let mut holes = Vec::new();
        let mut next = 0;
        for range in self.0.iter().take_while(|range| range.start < end) {
            if range.start > next {
                holes.push(next..range.start);
            }
            next = range.end;
        }
        if next < end {
            holes.push(next..end);
        }
        holes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(offsets: &Offsets, end: i64) -> String {
        let holes = offsets.holes(end);
        holes
            .iter()
            .map(|hole| format!("{}..{}", hole.start, hole.end))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn d_4_a_healthy_partition_is_one_range_from_0() {
        let healthy = Offsets::parse("{[0,5)}").unwrap();
        assert!(healthy.holes(5).is_empty());
        assert_eq!(texts(&healthy, 7), "5..7");
        let torn = Offsets::parse("{[1,3),[4,9)}").unwrap();
        assert_eq!(texts(&torn, 9), "0..1 3..4");
        assert_eq!(texts(&torn, 2), "0..1");
        assert_eq!(texts(&Offsets::default(), 2), "0..2");
        assert_eq!(Offsets::parse("{}"), Some(Offsets::default()));
        assert_eq!((torn.count(), torn.end()), (7, 9));
        assert!(Offsets::parse("(0,5)").is_none());
    }

    proptest! {
        #[test]
        fn d_4_every_offset_is_accounted_or_in_a_hole(lengths in prop::collection::vec((1..9_i64, 1..9_i64), 0..20), end in 0..300_i64) {
            let mut at = 0;
            let ranges: Vec<_> = lengths.iter().map(|(gap, length)| { at += gap; let r = at..at + length; at += length; r }).collect();
            let text = format!("{{{}}}", ranges.iter().map(|r| format!("[{},{})", r.start, r.end)).collect::<Vec<_>>().join(","));
            let offsets = Offsets::parse(&text).unwrap();
            let holes = offsets.holes(end);
            for offset in 0..end {
                let accounted = ranges.iter().any(|r| r.contains(&offset));
                prop_assert_eq!(offsets.contains(offset), accounted);
                let missing = holes.iter().any(|r| r.contains(&offset));
                prop_assert!(accounted != missing);
            }
        }
    }
}
