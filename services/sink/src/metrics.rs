//! The sink's metrics. One `record_*` per event, called once per batch.
#![allow(
    clippy::disallowed_macros,
    reason = "the one place of this crate that names metrics"
)]

use std::collections::HashMap;
use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use pulseline_runtime::clock::system_utc_millis;
use pulseline_runtime::waits::Hop;
use pulseline_schemas::Stream;

use crate::dead_letters::{DeadLetter, Reason};
use crate::gaps::Gap;
use crate::source::{Partition, SourceTopic};

const MESSAGES: &str = "pulseline_sink_messages_total";
const STORED: &str = "pulseline_sink_stored_total";
const DUPLICATES: &str = "pulseline_sink_duplicates_total";
const RETRIES: &str = "pulseline_sink_own_retries_total";
const DEAD: &str = "pulseline_sink_dead_letters_total";
const GAPS: &str = "pulseline_sink_void_offsets_total";
const ERASED: &str = "pulseline_sink_erased_total";
const LOST: &str = "pulseline_sink_lost_offsets_total";
const BATCHES: &str = "pulseline_sink_batches_total";
const BATCH_ROWS: &str = "pulseline_sink_batch_rows";
const BATCH_BYTES: &str = "pulseline_sink_batch_bytes";
const BATCH_SECONDS: &str = "pulseline_sink_batch_seconds";
const BLOCKED: &str = "pulseline_sink_blocked_seconds";
const LAG: &str = "pulseline_sink_lag_messages";
const LAST_SUCCESS: &str = "pulseline_sink_last_success_timestamp_seconds";
const OUTAGES: &str = "pulseline_sink_outages_total";
const AWAY: &str = "pulseline_sink_server_away";
const COMMIT_ERRORS: &str = "pulseline_sink_commit_errors_total";
const INCARNATIONS: &str = "pulseline_sink_generations_opened_total";
const PARTITIONS: &str = "pulseline_sink_partitions";

/// The servers that the sink uses.
const SERVERS: [Hop; 3] = [Hop::Kafka, Hop::Mongo, Hop::Registry];

/// Describes every metric and touches every counter, so that `rate()` sees the first increment.
pub fn describe() {
    describe_counter!(MESSAGES, Unit::Count, "Messages read, by topic");
    describe_counter!(STORED, Unit::Count, "Events stored, by stream");
    describe_counter!(
        DUPLICATES,
        Unit::Count,
        "Duplicate events, already stored at another offset, by stream"
    );
    describe_counter!(
        RETRIES,
        Unit::Count,
        "Events already stored by an earlier attempt, by stream"
    );
    describe_counter!(DEAD, Unit::Count, "Dead letters stored, by reason");
    describe_counter!(GAPS, Unit::Count, "Offsets without a message, by topic");
    describe_counter!(
        ERASED,
        Unit::Count,
        "Messages of erased people, not stored, by topic"
    );
    describe_counter!(
        LOST,
        Unit::Count,
        "Offsets that Kafka deleted before the sink read them, by topic"
    );
    describe_counter!(BATCHES, Unit::Count, "Batches made durable");
    describe_histogram!(BATCH_ROWS, Unit::Count, "Entries per batch");
    describe_histogram!(
        BATCH_BYTES,
        Unit::Bytes,
        "Bytes per batch, documents and messages"
    );
    describe_histogram!(BATCH_SECONDS, Unit::Seconds, "Time to make a batch durable");
    describe_histogram!(
        BLOCKED,
        Unit::Seconds,
        "Time that intake was blocked by slow writes"
    );
    describe_gauge!(
        LAG,
        Unit::Count,
        "Messages not stored yet in the partitions of this sink, by topic"
    );
    describe_gauge!(
        LAST_SUCCESS,
        Unit::Seconds,
        "Unix time when all read messages were last durable; at first, when the sink started"
    );
    describe_counter!(OUTAGES, Unit::Count, "Outages, by server");
    describe_gauge!(AWAY, Unit::Count, "1 while a server does not answer");
    describe_counter!(
        COMMIT_ERRORS,
        Unit::Count,
        "Failed offset commits; they are retried"
    );
    describe_counter!(INCARNATIONS, Unit::Count, "Topic incarnations opened");
    describe_gauge!(PARTITIONS, Unit::Count, "Partitions assigned to this sink");
    touch();
}

/// Touches the counters: one that was never touched is absent, and `rate()` misses its first step.
fn touch() {
    for source in SourceTopic::all() {
        for name in [MESSAGES, GAPS, LOST, ERASED] {
            counter!(name, "topic" => source.name()).increment(0);
        }
    }
    for stream in Stream::ALL {
        for name in [STORED, DUPLICATES, RETRIES] {
            counter!(name, "stream" => stream.name()).increment(0);
        }
    }
    for reason in Reason::LABELS {
        counter!(DEAD, "reason" => reason).increment(0);
    }
    for server in SERVERS {
        counter!(OUTAGES, "server" => server.name()).increment(0);
        gauge!(AWAY, "server" => server.name()).set(0.0);
    }
    for name in [BATCHES, COMMIT_ERRORS, INCARNATIONS] {
        counter!(name).increment(0);
    }
    gauge!(LAST_SUCCESS).set(system_utc_millis() as f64 / 1_000.0);
}

/// Records that messages of erased people were refused.
pub(crate) fn record_erased<'a>(topics: impl Iterator<Item = &'a str>) {
    for topic in topics {
        let name = SourceTopic::from_topic(topic).map_or("unknown", SourceTopic::name);
        counter!(ERASED, "topic" => name).increment(1);
    }
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) stored: HashMap<Stream, u64>,
    pub(crate) duplicates: HashMap<Stream, u64>,
    pub(crate) retries: HashMap<Stream, u64>,
    pub(crate) rows: usize,
    pub(crate) bytes: usize,
}

pub(crate) fn record_batch(tally: &Tally, took: Duration, now: i64) {
    for (name, counts) in [
        (STORED, &tally.stored),
        (DUPLICATES, &tally.duplicates),
        (RETRIES, &tally.retries),
    ] {
        for (stream, count) in counts {
            counter!(name, "stream" => stream.name()).increment(*count);
        }
    }
    counter!(BATCHES).increment(1);
    histogram!(BATCH_ROWS).record(tally.rows as f64);
    histogram!(BATCH_BYTES).record(tally.bytes as f64);
    histogram!(BATCH_SECONDS).record(took.as_secs_f64());
    record_success(now);
    let sum = |counts: &HashMap<Stream, u64>| counts.values().sum::<u64>();
    let (stored, duplicates) = (sum(&tally.stored), sum(&tally.duplicates));
    tracing::debug!(
        rows = tally.rows,
        stored,
        duplicates,
        seconds = took.as_secs_f64(),
        "batch durable"
    );
}

/// Records that everything read is durable.
pub(crate) fn record_success(now: i64) {
    gauge!(LAST_SUCCESS).set(now as f64 / 1e3);
}

pub(crate) fn record_message(source: SourceTopic) {
    counter!(MESSAGES, "topic" => source.name()).increment(1);
}

pub(crate) fn record_dead_letter(dead_letter: &DeadLetter) {
    counter!(DEAD, "reason" => dead_letter.reason.label()).increment(1);
    let DeadLetter {
        position,
        reason,
        detail,
        ..
    } = dead_letter;
    tracing::warn!(%position, reason = reason.name(), detail, "dead letter");
}

pub(crate) fn record_gap(partition: Partition, gap: Gap) {
    counter!(GAPS, "topic" => partition.source.name()).increment(gap.count());
    tracing::debug!(%partition, from = gap.from, to = gap.to, "no messages at these offsets");
}

pub(crate) fn record_loss(partition: Partition, gap: Gap) {
    counter!(LOST, "topic" => partition.source.name()).increment(gap.count());
    tracing::error!(%partition, from = gap.from, to = gap.to, "LOSS: Kafka deleted these offsets before they were read");
}

pub(crate) fn record_blocked(blocked_for: Duration) {
    histogram!(BLOCKED).record(blocked_for.as_secs_f64());
}

/// Drops the lag of topics of which this sink no longer reads a partition.
pub(crate) fn record_lags(lags: &HashMap<SourceTopic, i64>) {
    for source in SourceTopic::all() {
        let lag = lags.get(&source).copied().unwrap_or(0);
        gauge!(LAG, "topic" => source.name()).set(lag as f64);
    }
}

pub(crate) fn record_outage(server: Hop, is_away: bool) {
    gauge!(AWAY, "server" => server.name()).set(if is_away { 1.0 } else { 0.0 });
    if is_away {
        counter!(OUTAGES, "server" => server.name()).increment(1);
    } else {
        tracing::info!(server = server.name(), "the server answers again");
    }
}

pub(crate) fn record_commit_error(error: &rdkafka::error::KafkaError) {
    counter!(COMMIT_ERRORS).increment(1);
    tracing::warn!(%error, "offsets were not committed; the next commit includes them");
}

pub(crate) fn record_incarnation(topic: &str, incarnation: i32, topic_id: &str) {
    counter!(INCARNATIONS).increment(1);
    tracing::info!(topic, incarnation, topic_id, "a new incarnation of this topic");
}

pub(crate) fn record_partitions(count: usize) {
    gauge!(PARTITIONS).set(count as f64);
}
