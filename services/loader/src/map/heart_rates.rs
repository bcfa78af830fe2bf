//! Heart rates.

use super::guard;
use super::readings::{Readings, Width};

pub(super) static READINGS: Readings = Readings {
    table: "raw.heart_rates",
    value: "bpm",
    width: Width::Int2,
    has_confidence: true,
    range: guard::BPM,
};
