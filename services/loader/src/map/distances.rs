//! Distance per minute.

use super::readings::{Readings, Width};

pub(super) static READINGS: Readings = Readings {
    table: "raw.distances",
    value: "distance_mm",
    width: Width::Int4,
    has_confidence: false,
    // 300 km/h: a wearer may sit in a train, never in a rocket.
    range: 0..=5_000_000,
};
