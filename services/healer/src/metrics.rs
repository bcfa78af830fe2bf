//! What the healer tells about itself.
#![allow(
    clippy::disallowed_macros,
    reason = "the one place of this crate that names metrics"
)]

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

const LOST: &str = "pulseline_healer_lost_offsets";
const KNOWN: &str = "pulseline_healer_known_lost_offsets";
const IN_FLIGHT: &str = "pulseline_healer_in_flight_offsets";
const REPAIRED: &str = "pulseline_healer_mended_offsets_total";
const LAST_SUCCESS: &str = "pulseline_healer_last_success_timestamp_seconds";

/// Describes every metric and touches every counter, so that `rate()` sees the first happening.
pub(crate) fn describe() {
    describe_gauge!(
        LOST,
        Unit::Count,
        "Offsets that nobody has accounted for: not repaired yet, or nowhere any more"
    );
    describe_gauge!(
        KNOWN,
        Unit::Count,
        "Of the lost offsets: tried, and neither MongoDB nor Kafka has them; they are tried again every hour"
    );
    describe_gauge!(
        IN_FLIGHT,
        Unit::Count,
        "Offsets that were on their way at the last look"
    );
    describe_counter!(
        REPAIRED,
        Unit::Count,
        "Offsets that were lost and are accounted for again"
    );
    describe_gauge!(
        LAST_SUCCESS,
        Unit::Seconds,
        "When the ops tables were last looked through"
    );
    counter!(REPAIRED).increment(0);
    gauge!(LOST).set(0.0);
    gauge!(KNOWN).set(0.0);
    gauge!(IN_FLIGHT).set(0.0);
}

/// What a round found and did, in offsets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    /// Holes that are left.
    pub(crate) lost: i64,
    /// Of these: tried, and nowhere.
    pub(crate) known: i64,
    pub(crate) repaired: i64,
    pub(crate) in_flight: i64,
}

/// A round ended.
pub(crate) fn record(figures: Figures, now_ms: i64) {
    gauge!(LOST).set(figures.lost as f64);
    gauge!(KNOWN).set(figures.known as f64);
    gauge!(IN_FLIGHT).set(figures.in_flight as f64);
    counter!(REPAIRED).increment(u64::try_from(figures.repaired).unwrap_or_default());
    gauge!(LAST_SUCCESS).set(now_ms as f64 / 1_000.0);
}
