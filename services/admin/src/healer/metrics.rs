//! The healer's metrics.
#![allow(
    clippy::disallowed_macros,
    reason = "the one place of this crate that names metrics"
)]

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};
use pulseline_sql::periods::DayNumber;

const LOST: &str = "pulseline_healer_lost_offsets";
const KNOWN: &str = "pulseline_healer_known_lost_offsets";
const IN_FLIGHT: &str = "pulseline_healer_in_flight_offsets";
const REPAIRED: &str = "pulseline_healer_mended_offsets_total";
const REMOVED_DOCUMENTS: &str = "pulseline_healer_removed_documents_total";
const DOCUMENTS_FLOOR: &str = "pulseline_healer_documents_floor_timestamp_seconds";
const DOCUMENTS_HELD_BACK: &str = "pulseline_healer_documents_held_back";
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
    describe_counter!(
        REMOVED_DOCUMENTS,
        Unit::Count,
        "Documents and receipts removed from MongoDB for their age"
    );
    describe_gauge!(
        DOCUMENTS_FLOOR,
        Unit::Seconds,
        "Unix time of the first day whose documents are all kept; 0 while every document is"
    );
    describe_gauge!(
        DOCUMENTS_HELD_BACK,
        Unit::Count,
        "1 while old documents are kept because raw differs from them, or something is missing"
    );
    describe_gauge!(
        LAST_SUCCESS,
        Unit::Seconds,
        "Unix time of the last completed round"
    );
    counter!(REPAIRED).increment(0);
    counter!(REMOVED_DOCUMENTS).increment(0);
    gauge!(DOCUMENTS_FLOOR).set(0.0);
    gauge!(DOCUMENTS_HELD_BACK).set(0.0);
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

/// Records documents and receipts that were removed for their age.
pub(crate) fn record_removed_documents(count: u64) {
    counter!(REMOVED_DOCUMENTS).increment(count);
}

/// Records the first day whose documents are all kept.
pub(crate) fn record_documents_floor(floor: Option<DayNumber>) {
    gauge!(DOCUMENTS_FLOOR).set(floor.map_or(0.0, |day| f64::from(day) * 86_400.0));
}

/// Records whether old documents are kept because something is wrong.
pub(crate) fn record_documents_held_back(is_held_back: bool) {
    gauge!(DOCUMENTS_HELD_BACK).set(f64::from(u8::from(is_held_back)));
}
