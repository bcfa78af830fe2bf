//! A relation, and the plain SQL that computes its expected content.

use std::ops::Range;

use pulseline_schemas::Stream;
use pulseline_sql::periods::{DayNumber, Level};

use crate::stale::Mark;

/// A relation and how to recompute it. `$1` and `$2` in its SQL are the first day of a slice and the one after the last.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    pub(crate) relation: String,
    /// Slices are whole periods of this level.
    pub(super) level: Level,
    /// About how many days are compared in one statement; none for a relation that is compared whole.
    pub(super) slice_days: Option<i32>,
    /// Streams whose dirty days make days of it unsure, and how many days around each. The last one is its own.
    pub(super) unsure: (Vec<Stream>, i32),
    /// Readings of so many days before a slice are needed too: with a floor it can only be recomputed so far above it (P12).
    pub(super) past_days: i32,
    /// Days of people that are to be computed are unsure too.
    pub(super) of_people: bool,
    /// What is compared; the first column but one is the bucket where there are slices.
    pub(super) columns: String,
    pub(super) expected: String,
    /// What is there; the relation's own rows of the slice by default.
    pub(super) found: Option<String>,
    /// The parameters after the days.
    pub(super) values: Vec<&'static str>,
}

/// Days of readings in a slice: a long statement holds everyone where all clients share one session.
const READING_DAYS: i32 = 28;
/// Views over days are computed as a whole anyway.
const FIGURE_DAYS: i32 = 400;

impl Check {
    /// A relation of readings, which its streams' dirty days make unsure.
    pub(super) fn readings(
        relation: String,
        streams: &[Stream],
        columns: impl Into<String>,
        expected: String,
    ) -> Self {
        Self {
            relation,
            level: Level::Day,
            slice_days: Some(READING_DAYS),
            unsure: (streams.to_vec(), 0),
            past_days: 0,
            of_people: false,
            columns: columns.into(),
            expected,
            found: None,
            values: Vec::new(),
        }
    }

    /// A view over relations that are checked themselves: right at every moment, whatever is dirty.
    pub(super) fn figures(
        relation: String,
        level: Level,
        columns: impl Into<String>,
        expected: String,
    ) -> Self {
        Self {
            level,
            slice_days: Some(FIGURE_DAYS),
            ..Self::readings(relation, &[], columns, expected)
        }
    }

    /// Figures of a scope. The first column of `expected` is the key under whatever name; `columns` are those after it.
    pub(super) fn of_scope(
        scope: Scope,
        relation: String,
        level: Level,
        (columns, expected): (&str, &str),
    ) -> Self {
        let key = scope.key;
        let columns = format!("{key}, {columns}");
        Self {
            values: vec![key],
            ..Self::figures(
                relation,
                level,
                columns,
                format!("select * from ({expected}) x({key})"),
            )
        }
    }

    /// True for what the compactor stores, rather than what is a view over it.
    pub(crate) fn is_stored(&self) -> bool {
        let is_of_readings = self.slice_days.is_some_and(|days| days <= READING_DAYS);
        !self.unsure.0.is_empty() && is_of_readings
    }

    /// Whose mark has a day of a device or person computed anew; none for a view.
    pub(crate) fn recomputed_by(&self) -> Option<Mark> {
        let stream = || self.streams().last().copied().map(Mark::Stream);
        match (self.is_stored(), self.of_people) {
            (false, _) => None,
            (true, true) => Some(Mark::UserDay),
            (true, false) => stream(),
        }
    }

    /// The column of the device or person.
    pub(crate) fn key(&self) -> &str {
        self.columns.split(',').next().unwrap_or(&self.columns)
    }

    /// The days that can be recomputed when readings below `floor` are deleted.
    pub(crate) fn above(&self, floor: Option<DayNumber>, days: Range<DayNumber>) -> Range<DayNumber> {
        let first = floor.map_or(days.start, |floor| days.start.max(floor + self.past_days));
        first..days.end
    }

    /// Streams that it is made of; none for a view.
    pub(crate) fn streams(&self) -> Vec<&'static str> {
        self.unsure.0.iter().map(|stream| stream.name()).collect()
    }

    /// A relation that is compared whole.
    pub(super) fn whole(relation: &str, columns: &str, expected: String) -> Self {
        Self {
            slice_days: None,
            ..Self::readings(relation.to_owned(), &[], columns, expected)
        }
    }
}

/// The subject of the figures.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope {
    pub(super) prefix: &'static str,
    pub(super) key: &'static str,
}

/// Devices, and people over their devices.
pub(super) const SCOPES: [Scope; 2] = [
    Scope {
        prefix: "",
        key: "device_id",
    },
    Scope {
        prefix: "user_",
        key: "user_id",
    },
];

/// Names of the periods with their level and the unit of `date_trunc`.
pub(super) const PERIODS: [(&str, Level, &str); 3] = [
    ("daily", Level::Day, "day"),
    ("weekly", Level::Week, "week"),
    ("monthly", Level::Month, "month"),
];
