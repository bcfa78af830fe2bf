//! Metadata requests, which also reveal refusals.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::Metadata;

use super::error::KafkaFailure;
use super::guard::Guard;

/// Timeout of one request; between requests the guard is checked for a refusal.
const ATTEMPT: Duration = Duration::from_millis(500);

/// The cluster's metadata of all topics. Blocks for at most `timeout`; a refusal ends it at once.
///
/// # Errors
/// A refusal, or an outage longer than `timeout`.
pub fn metadata(consumer: &BaseConsumer<Guard>, timeout: Duration) -> Result<Metadata, KafkaFailure> {
    let began = Instant::now();
    let guard = consumer.context();
    loop {
        // Polls the main queue: asynchronous errors and token requests.
        drop(consumer.poll(Duration::ZERO));
        if let Some(refusal) = guard.refusal() {
            return Err(refusal);
        }
        match consumer.fetch_metadata(None, ATTEMPT.min(timeout)) {
            Ok(metadata) => return Ok(metadata),
            Err(error) if began.elapsed() >= timeout => {
                drop(consumer.poll(Duration::ZERO));
                return Err(guard.explain("requesting metadata", error));
            }
            Err(_) => {}
        }
    }
}
