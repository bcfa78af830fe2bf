//! Energy per minute.

use super::readings::{Readings, Width};

pub(super) static READINGS: Readings = Readings {
    table: "raw.calories",
    value: "millikcal",
    width: Width::Int4,
    has_confidence: false,
    // A sprint takes a third of it.
    range: 0..=100_000,
};
