//! The compactor's metrics. One `record_*` per event.
#![allow(
    clippy::disallowed_macros,
    reason = "the one place of this crate that names metrics"
)]

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use pulseline_auditor::Sample;
use pulseline_runtime::clock::system_utc_millis;
use pulseline_sql::periods::date_of;

use crate::ops_tables::Backlog;
use crate::patch::Patch;
use crate::plan::Refresh;
use crate::report::CycleReport;

const CYCLES: &str = "pulseline_compactor_cycles_total";
const CYCLE_SECONDS: &str = "pulseline_compactor_cycle_seconds";
const REFRESHES: &str = "pulseline_compactor_refreshes_total";
const REFRESH_SECONDS: &str = "pulseline_compactor_refresh_seconds";
const DIRTY: &str = "pulseline_compactor_dirty_days";
const WAITING: &str = "pulseline_compactor_waiting_days";
const OLDEST: &str = "pulseline_compactor_oldest_change_seconds";
const UNACCOUNTED: &str = "pulseline_compactor_unaccounted_offsets";
const PATCHED: &str = "pulseline_compactor_patched_device_days_total";
const PATCH_SECONDS: &str = "pulseline_compactor_patch_seconds";
const SLEEPS: &str = "pulseline_compactor_sleeps_total";
const SLEEPS_SECONDS: &str = "pulseline_compactor_sleeps_seconds";
const USER_DAYS: &str = "pulseline_compactor_user_days_total";
const USER_DAYS_SECONDS: &str = "pulseline_compactor_user_days_seconds";
const SETTLED_SECONDS: &str = "pulseline_compactor_settle_seconds";
const UNSETTLED: &str = "pulseline_compactor_unsettled_days";
const PACKED: &str = "pulseline_compactor_packed_chunks_total";
const PACK_SECONDS: &str = "pulseline_compactor_pack_seconds";
const DELETED: &str = "pulseline_compactor_deleted_chunks_total";
const FOLDED: &str = "pulseline_compactor_folded_rows_total";
const SAMPLES: &str = "pulseline_compactor_samples_total";
const DIFFERENCES: &str = "pulseline_compactor_sample_differences_total";
const LEADER: &str = "pulseline_compactor_leader";
const LAST_SUCCESS: &str = "pulseline_compactor_last_success_timestamp_seconds";

/// Describes every metric and touches it, so that `rate()` sees the first increment.
pub(crate) fn describe() {
    describe_counter!(CYCLES, Unit::Count, "Cycles that succeeded.");
    describe_histogram!(CYCLE_SECONDS, Unit::Seconds, "Length of a cycle.");
    describe_counter!(REFRESHES, Unit::Count, "Windows refreshed.");
    describe_histogram!(REFRESH_SECONDS, Unit::Seconds, "Length of one refresh.");
    describe_counter!(
        PATCHED,
        Unit::Count,
        "Days of devices written anew in place of a refresh for everybody."
    );
    describe_histogram!(
        PATCH_SECONDS,
        Unit::Seconds,
        "Length of one stream's patches in a cycle."
    );
    describe_gauge!(DIRTY, Unit::Count, "Dirty days taken by the last cycle.");
    describe_gauge!(WAITING, Unit::Count, "Changed days that wait for their end.");
    describe_gauge!(
        OLDEST,
        Unit::Seconds,
        "Age of the oldest change that waits for its refresh, or for the day of its person; 0 when none waits."
    );
    describe_gauge!(
        UNACCOUNTED,
        Unit::Count,
        "Offsets missing below the greatest accounted one, by topic."
    );
    describe_counter!(SLEEPS, Unit::Count, "Sleeps with a computed heart rate.");
    describe_histogram!(SLEEPS_SECONDS, Unit::Seconds, "Length of one slice of sleeps.");
    describe_counter!(USER_DAYS, Unit::Count, "Days of people computed.");
    describe_histogram!(
        USER_DAYS_SECONDS,
        Unit::Seconds,
        "Length of one slice of days of people."
    );
    describe_histogram!(
        SETTLED_SECONDS,
        Unit::Seconds,
        "Length of refreshing a relation for a day that was patched."
    );
    describe_gauge!(
        UNSETTLED,
        Unit::Count,
        "Days that were patched and are not refreshed for everybody yet; their figures are right."
    );
    describe_counter!(PACKED, Unit::Count, "Chunks packed into the columnstore.");
    describe_histogram!(PACK_SECONDS, Unit::Seconds, "Length of packing one chunk.");
    describe_counter!(
        DELETED,
        Unit::Count,
        "Chunks of readings deleted below the floor."
    );
    describe_counter!(FOLDED, Unit::Count, "Rows of the accounting log folded.");
    describe_counter!(
        SAMPLES,
        Unit::Count,
        "Samples: days of a relation compared with a recomputation."
    );
    describe_counter!(
        DIFFERENCES,
        Unit::Count,
        "Samples that differed from the recomputation."
    );
    describe_gauge!(LEADER, Unit::Count, "1 when this process holds the lease.");
    describe_gauge!(
        LAST_SUCCESS,
        Unit::Seconds,
        "Unix time of the last successful cycle."
    );
    touch();
    record_backlog(&Backlog::default());
}

fn touch() {
    for name in [
        CYCLES,
        REFRESHES,
        PATCHED,
        SLEEPS,
        USER_DAYS,
        PACKED,
        DELETED,
        FOLDED,
        SAMPLES,
        DIFFERENCES,
    ] {
        counter!(name).increment(0);
    }
    for name in [DIRTY, WAITING, UNSETTLED, LEADER, LAST_SUCCESS] {
        gauge!(name).set(0.0);
    }
}

/// Records the backlog in the ops tables; a topic without missing offsets is reported as 0.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
pub(crate) fn record_backlog(backlog: &Backlog) {
    gauge!(OLDEST).set(backlog.oldest_seconds);
    for topic in pulseline_auditor::topics() {
        let missing = backlog.unaccounted.get(topic).copied().unwrap_or(0);
        gauge!(UNACCOUNTED, "topic" => topic).set(missing as f64);
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
pub(crate) fn record_cycle(report: &CycleReport, took: Duration) {
    counter!(CYCLES).increment(1);
    histogram!(CYCLE_SECONDS).record(took.as_secs_f64());
    gauge!(DIRTY).set(report.days as f64);
    gauge!(WAITING).set(report.waiting as f64);
    counter!(DELETED).increment(report.deleted as u64);
    counter!(FOLDED).increment(report.folded.unsigned_abs());
    gauge!(LAST_SUCCESS).set(system_utc_millis() as f64 / 1_000.0);
    if report.refreshes > 0
        || report.patched > 0
        || report.sleeps > 0
        || report.user_days > 0
        || report.settled > 0
        || report.packed > 0
        || report.deleted > 0
    {
        tracing::info!(
            changes = report.days,
            refreshes = report.refreshes,
            patched = report.patched,
            sleeps = report.sleeps,
            user_days = report.user_days,
            settled = report.settled,
            packed = report.packed,
            deleted = report.deleted,
            more = report.more,
            seconds = took.as_secs_f64(),
            "compacted"
        );
    }
}

pub(crate) fn record_refresh(window: &Refresh, took: Duration) {
    counter!(REFRESHES).increment(1);
    histogram!(REFRESH_SECONDS).record(took.as_secs_f64());
    tracing::debug!(
        relation = window.relation,
        days = window.days.len(),
        seconds = took.as_secs_f64(),
        "window refreshed"
    );
}

pub(crate) fn record_patches(patches: &[Patch], took: Duration) {
    let device_days: usize = patches.iter().map(Patch::device_days).sum();
    counter!(PATCHED).increment(device_days as u64);
    histogram!(PATCH_SECONDS).record(took.as_secs_f64());
}

pub(crate) fn record_sleeps(sleeps: usize, took: Duration) {
    counter!(SLEEPS).increment(sleeps as u64);
    histogram!(SLEEPS_SECONDS).record(took.as_secs_f64());
}

pub(crate) fn record_user_days(user_days: usize, took: Duration) {
    counter!(USER_DAYS).increment(user_days as u64);
    histogram!(USER_DAYS_SECONDS).record(took.as_secs_f64());
}

pub(crate) fn record_settled(took: Duration) {
    histogram!(SETTLED_SECONDS).record(took.as_secs_f64());
}

#[expect(clippy::cast_precision_loss, reason = "a count of days")]
pub(crate) fn record_unsettled(days: usize) {
    gauge!(UNSETTLED).set(days as f64);
}

pub(crate) fn record_pack(took: Duration) {
    counter!(PACKED).increment(1);
    histogram!(PACK_SECONDS).record(took.as_secs_f64());
}

pub(crate) fn record_sample(sample: &Sample, took: Duration) {
    counter!(SAMPLES).increment(1);
    let (relation, day) = (&sample.relation, date_of(sample.day));
    if sample.differences.is_empty() {
        tracing::debug!(relation, %day, seconds = took.as_secs_f64(), "sample is equal");
        return;
    }
    counter!(DIFFERENCES).increment(1);
    for difference in &sample.differences {
        tracing::error!(%day, difference, "a stored figure differs from its readings: run `pulseline verify`");
    }
}

pub(crate) fn record_leader(is_leader: bool) {
    gauge!(LEADER).set(if is_leader { 1.0 } else { 0.0 });
    if !is_leader {
        // A standby does not read the ops tables: its last values would stay forever.
        record_backlog(&Backlog::default());
        record_unsettled(0);
    }
}
