//! Metrics of the console: one `record_*` per event.
#![allow(
    clippy::disallowed_macros,
    reason = "the one place of this crate that names metrics"
)]

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use pulseline_auditor::Status;
use pulseline_runtime::clock::system_utc_millis;

use crate::guard::Refusal;

const REQUESTS: &str = "pulseline_console_requests_total";
const REFUSED: &str = "pulseline_console_refused_total";
const POLLS: &str = "pulseline_console_looks_total";
const POLL_SECONDS: &str = "pulseline_console_look_seconds";
const AWAY: &str = "pulseline_console_servers_away";
const QUESTIONS: &str = "pulseline_console_questions_total";
const FAILED: &str = "pulseline_console_failed_questions_total";
const REPLAYED: &str = "pulseline_console_replayed_letters_total";
const LAST_SUCCESS: &str = "pulseline_console_last_success_timestamp_seconds";

/// Describes every metric and touches every counter, so that `rate()` sees the first event.
pub(crate) fn describe() {
    describe_counter!(REQUESTS, Unit::Count, "Requests answered, refused ones included");
    describe_counter!(REFUSED, Unit::Count, "Requests refused, by reason");
    describe_counter!(POLLS, Unit::Count, "Polls of all servers; all viewers share one");
    describe_histogram!(POLL_SECONDS, Unit::Seconds, "Time of a poll");
    describe_gauge!(AWAY, Unit::Count, "Servers that the last poll did not reach");
    describe_counter!(
        QUESTIONS,
        Unit::Count,
        "Queries to the warehouse besides the polls; cached answers do not count"
    );
    describe_counter!(FAILED, Unit::Count, "Queries that the warehouse did not answer");
    describe_counter!(
        REPLAYED,
        Unit::Count,
        "Dead letters replayed from the page, by whether they are done"
    );
    describe_gauge!(
        LAST_SUCCESS,
        Unit::Seconds,
        "When a poll last reached every server, in seconds since 1970"
    );
    for name in [REQUESTS, POLLS, QUESTIONS, FAILED] {
        counter!(name).absolute(0);
    }
    for refusal in Refusal::ALL {
        counter!(REFUSED, "reason" => refusal.word()).absolute(0);
    }
    for done in ["yes", "no"] {
        counter!(REPLAYED, "done" => done).absolute(0);
    }
    gauge!(AWAY).set(0.0);
    gauge!(LAST_SUCCESS).set(0.0);
}

pub(crate) fn record_request() {
    counter!(REQUESTS).increment(1);
}

pub(crate) fn record_refused(refusal: Refusal) {
    counter!(REFUSED, "reason" => refusal.word()).increment(1);
}

pub(crate) fn record_poll(status: &Status, took: Duration) {
    counter!(POLLS).increment(1);
    histogram!(POLL_SECONDS).record(took.as_secs_f64());
    let away = u32::try_from(status.unreachable.len()).unwrap_or(u32::MAX);
    gauge!(AWAY).set(f64::from(away));
    if away == 0 {
        let seconds = Duration::from_millis(system_utc_millis().unsigned_abs()).as_secs_f64();
        gauge!(LAST_SUCCESS).set(seconds);
    } else {
        tracing::debug!(unreachable = ?status.unreachable, "a server is away");
    }
}

pub(crate) fn record_question(is_answered: bool) {
    counter!(QUESTIONS).increment(1);
    if !is_answered {
        counter!(FAILED).increment(1);
    }
}

/// The log names the dead letter, never the token.
pub(crate) fn record_replay(origin: &str, item: i32, fate: &pulseline_admin::dead_letters::Fate) {
    let done = if fate.is_done() { "yes" } else { "no" };
    counter!(REPLAYED, "done" => done).increment(1);
    tracing::info!(origin, item, %fate, "replayed a dead letter from the page");
}
