//! Steps per minute.

use super::readings::{Readings, Width};

pub(super) static READINGS: Readings = Readings {
    table: "raw.steps",
    value: "steps",
    width: Width::Int4,
    has_confidence: false,
    range: 0..=1_000,
};
