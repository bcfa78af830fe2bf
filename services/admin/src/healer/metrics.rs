//! The healer's metrics.
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

/// Describes every metric and touches every counter, so that `rate()` sees the first increment.
pub(crate) fn describe() {
    describe_gauge!(
        LOST,
        Unit::Count,
        "Offsets not accounted for: not repaired yet, or in no store"
    );
    describe_gauge!(
        KNOWN,
        Unit::Count,
        "Lost offsets that neither MongoDB nor Kafka has; they are retried every hour"
    );
    describe_gauge!(IN_FLIGHT, Unit::Count, "Offsets in flight at the last check");
    describe_counter!(REPAIRED, Unit::Count, "Lost offsets that were repaired");
    describe_gauge!(
        LAST_SUCCESS,
        Unit::Seconds,
        "Unix time of the last completed round"
    );
    counter!(REPAIRED).increment(0);
    gauge!(LOST).set(0.0);
    gauge!(KNOWN).set(0.0);
    gauge!(IN_FLIGHT).set(0.0);
}

/// The result of a round, in offsets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    /// Holes that are left.
    pub(crate) lost: i64,
    /// Of these: tried, and found in no store.
    pub(crate) known: i64,
    pub(crate) repaired: i64,
    pub(crate) in_flight: i64,
}

/// Records the end of a round.
pub(crate) fn record(figures: Figures, now_ms: i64) {
    gauge!(LOST).set(figures.lost as f64);
    gauge!(KNOWN).set(figures.known as f64);
    gauge!(IN_FLIGHT).set(figures.in_flight as f64);
    counter!(REPAIRED).increment(u64::try_from(figures.repaired).unwrap_or_default());
    gauge!(LAST_SUCCESS).set(now_ms as f64 / 1_000.0);
}
