//! The loader's metrics. One `record_*` per event, called once per batch.
#![allow(
    clippy::disallowed_macros,
    reason = "the one place of this crate that names metrics"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::dead_letter::DeadLetter;
use crate::document::SourceCollection;

/// How rows went into the warehouse.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Path {
    /// Copied directly into the hypertable.
    Direct,
    /// Through a temporary table and ON CONFLICT.
    Merge,
    /// Sessions and profiles, replaced as a whole.
    Whole,
}

impl Path {
    const ALL: [Self; 3] = [Self::Direct, Self::Merge, Self::Whole];

    const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Merge => "merge",
            Self::Whole => "whole",
        }
    }
}

/// Why a collection was reopened.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Recovery {
    /// An outage, or a commit whose outcome is unknown.
    Outage,
    /// A lost position: the collection was read again.
    Resnapshot,
}

impl Recovery {
    const ALL: [Self; 2] = [Self::Outage, Self::Resnapshot];

    const fn name(self) -> &'static str {
        match self {
            Self::Outage => "outage",
            Self::Resnapshot => "resnapshot",
        }
    }
}

/// The reasons that this crate gives.
const REASONS: [&str; 4] = ["unmappable", "out_of_range", "refused", "beyond_retention"];

const ROWS: &str = "pulseline_loader_rows_total";
const DOCUMENTS: &str = "pulseline_loader_documents_total";
const BATCHES: &str = "pulseline_loader_batches_total";
const BATCH_ROWS: &str = "pulseline_loader_batch_rows";
const BATCH_BYTES: &str = "pulseline_loader_batch_bytes";
const BATCH_SECONDS: &str = "pulseline_loader_batch_seconds";
const BLOCKED: &str = "pulseline_loader_blocked_seconds";
const LAG: &str = "pulseline_loader_lag_seconds";
const LAST_SUCCESS: &str = "pulseline_loader_last_success_timestamp_seconds";
const DEAD: &str = "pulseline_loader_dead_letters_total";
const ERASED: &str = "pulseline_loader_erased_total";
const RECOVERIES: &str = "pulseline_loader_recoveries_total";
const FALLBACKS: &str = "pulseline_loader_merge_fallbacks_total";
const OWNER: &str = "pulseline_loader_owner";
const SNAPSHOT: &str = "pulseline_loader_snapshot";

/// Describes every metric and touches every counter, so that `rate()` sees the first increment.
pub(crate) fn describe() {
    describe_counter!(ROWS, Unit::Count, "Rows written, by collection and path");
    describe_counter!(DOCUMENTS, Unit::Count, "Documents processed, by collection");
    describe_counter!(BATCHES, Unit::Count, "Transactions committed, by collection");
    describe_histogram!(BATCH_ROWS, Unit::Count, "Rows per batch");
    describe_histogram!(
        BATCH_BYTES,
        Unit::Bytes,
        "Bytes per batch, documents and dead letters"
    );
    describe_histogram!(BATCH_SECONDS, Unit::Seconds, "Time to write a batch");
    describe_histogram!(
        BLOCKED,
        Unit::Seconds,
        "Time that reading was blocked by slow writes"
    );
    describe_gauge!(
        LAG,
        Unit::Seconds,
        "Age of the last loaded event; 0 when caught up"
    );
    describe_gauge!(
        LAST_SUCCESS,
        Unit::Seconds,
        "Unix time when the position last moved or a poll found nothing more"
    );
    describe_counter!(DEAD, Unit::Count, "Dead letters written by the loader, by reason");
    describe_counter!(
        ERASED,
        Unit::Count,
        "Documents of erased people, not loaded, by collection"
    );
    describe_counter!(
        RECOVERIES,
        Unit::Count,
        "Times a collection was reopened, by cause"
    );
    describe_counter!(
        FALLBACKS,
        Unit::Count,
        "Batches merged because rows copied directly met existing keys"
    );
    describe_gauge!(
        OWNER,
        Unit::Count,
        "1 while this loader holds the lease, 0 while it stands by"
    );
    describe_gauge!(
        SNAPSHOT,
        Unit::Count,
        "1 while the loader takes a collection's snapshot, before it follows changes"
    );
    gauge!(OWNER).set(0.0);
    for source in SourceCollection::all() {
        let collection = source.name();
        for path in Path::ALL {
            counter!(ROWS, "collection" => collection, "path" => path.name()).increment(0);
        }
        for cause in Recovery::ALL {
            counter!(RECOVERIES, "collection" => collection, "cause" => cause.name()).increment(0);
        }
        gauge!(SNAPSHOT, "collection" => collection).set(0.0);
        counter!(DOCUMENTS, "collection" => collection).increment(0);
        counter!(ERASED, "collection" => collection).increment(0);
        counter!(BATCHES, "collection" => collection).increment(0);
        counter!(FALLBACKS, "collection" => collection).increment(0);
    }
    for reason in REASONS {
        counter!(DEAD, "reason" => reason).increment(0);
    }
}

/// Records that documents of erased people were left out.
pub(crate) fn record_erased(source: SourceCollection, documents: usize) {
    if documents > 0 {
        counter!(ERASED, "collection" => source.name()).increment(documents as u64);
    }
}

/// The figures of a committed batch.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BatchFigures {
    pub(crate) documents: usize,
    pub(crate) direct: usize,
    pub(crate) merged: usize,
    pub(crate) whole: usize,
    pub(crate) bytes: usize,
}

#[allow(clippy::cast_precision_loss, reason = "metrics are floating point")]
pub(crate) fn record_batch(source: SourceCollection, figures: BatchFigures, took: Duration) {
    let collection = source.name();
    let rows = figures.direct + figures.merged + figures.whole;
    for (path, count) in [
        (Path::Direct, figures.direct),
        (Path::Merge, figures.merged),
        (Path::Whole, figures.whole),
    ] {
        if count > 0 {
            counter!(ROWS, "collection" => collection, "path" => path.name()).increment(count as u64);
        }
    }
    counter!(DOCUMENTS, "collection" => collection).increment(figures.documents as u64);
    counter!(BATCHES, "collection" => collection).increment(1);
    histogram!(BATCH_ROWS, "collection" => collection).record(rows as f64);
    histogram!(BATCH_BYTES, "collection" => collection).record(figures.bytes as f64);
    histogram!(BATCH_SECONDS, "collection" => collection).record(took.as_secs_f64());
    tracing::debug!(
        collection,
        rows,
        direct = figures.direct,
        took_ms = took.as_millis(),
        "batch committed"
    );
}

/// Records that the position of a collection moved, or a poll found nothing more.
#[allow(clippy::cast_precision_loss, reason = "metrics are floating point")]
pub(crate) fn record_progress(source: SourceCollection, now: i64, lag_millis: i64) {
    gauge!(LAG, "collection" => source.name()).set(lag_millis.max(0) as f64 / 1e3);
    gauge!(LAST_SUCCESS, "collection" => source.name()).set(now as f64 / 1e3);
}

pub(crate) fn record_blocked(source: SourceCollection, blocked_for: Duration) {
    histogram!(BLOCKED, "collection" => source.name()).record(blocked_for.as_secs_f64());
}

/// Records the dead letters of a batch: one log line per reason, with the first of them.
pub(crate) fn record_dead_letters<'a>(
    source: SourceCollection,
    dead_letters: impl Iterator<Item = &'a DeadLetter>,
) {
    let mut by_reason: BTreeMap<&str, (&DeadLetter, u64)> = BTreeMap::new();
    for dead_letter in dead_letters {
        by_reason.entry(&dead_letter.reason).or_insert((dead_letter, 0)).1 += 1;
    }
    for (reason, (first, count)) in by_reason {
        let label = REASONS
            .into_iter()
            .find(|known| *known == reason)
            .unwrap_or("other");
        counter!(DEAD, "reason" => label).increment(count);
        let DeadLetter {
            origin, item, detail, ..
        } = first;
        tracing::warn!(
            collection = source.name(),
            reason,
            count,
            origin,
            item,
            detail,
            "dead letters; this is the first one"
        );
    }
}

pub(crate) fn record_recovery(source: SourceCollection, cause: Recovery) {
    counter!(RECOVERIES, "collection" => source.name(), "cause" => cause.name()).increment(1);
}

pub(crate) fn record_fallback(source: SourceCollection) {
    counter!(FALLBACKS, "collection" => source.name()).increment(1);
    tracing::warn!(
        collection = source.name(),
        "rows copied directly met existing keys: the batch is merged instead"
    );
}

/// Records that a snapshot of a collection began or ended.
pub(crate) fn record_snapshot(source: SourceCollection, is_read: bool) {
    gauge!(SNAPSHOT, "collection" => source.name()).set(if is_read { 1.0 } else { 0.0 });
}

pub(crate) fn record_owner(owner: bool) {
    gauge!(OWNER).set(if owner { 1.0 } else { 0.0 });
}
