//! Splits a backfill into chunks. Pure.

use std::ops::Range;

use jiff::ToSpan;
use pulseline_sql::periods::{DayNumber, date_of, number_of};

/// Length of a chunk, which is done as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Chunk {
    /// A day.
    Day,
    /// A calendar month.
    #[default]
    Month,
    /// A calendar year.
    Year,
}

impl Chunk {
    /// The first day after the chunk that holds `day`.
    fn end(self, day: DayNumber) -> DayNumber {
        let date = date_of(day);
        match self {
            Self::Day => day + 1,
            Self::Month => number_of(date.first_of_month().saturating_add(1.month())),
            Self::Year => number_of(date.first_of_year().saturating_add(1.year())),
        }
    }
}

/// Splits these days into calendar chunks; the first and the last one may be partial.
pub(super) fn of(days: &Range<DayNumber>, chunk: Chunk) -> Vec<Range<DayNumber>> {
    let mut chunks = Vec::new();
    let mut start = days.start;
    while start < days.end {
        let end = chunk.end(start).clamp(start + 1, days.end);
        chunks.push(start..end);
        start = end;
    }
    chunks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn chunks_are_those_of_the_calendar() {
        let shown = |chunk| {
            let chunks = of(&(18_260..18_310), chunk);
            let shown = chunks.iter().map(|days| date_of(days.start).to_string());
            shown.collect::<Vec<_>>()
        };
        assert_eq!(shown(Chunk::Year), ["2019-12-30", "2020-01-01"]);
        assert_eq!(shown(Chunk::Month), ["2019-12-30", "2020-01-01", "2020-02-01"]);
        assert_eq!(shown(Chunk::Day).len(), 50);
    }

    proptest! {
        #[test]
        fn chunks_cover_every_day_once(start in 13_000..19_000_i32, length in 0..900_i32) {
            for chunk in [Chunk::Day, Chunk::Month, Chunk::Year] {
                let days = start..start + length;
                let all: Vec<_> = of(&days, chunk).into_iter().flatten().collect();
                prop_assert_eq!(all, days.collect::<Vec<_>>());
            }
        }
    }
}
