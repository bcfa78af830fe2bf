//! Asking the brokers what there is, which also tells whether they and the client come together.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::Metadata;

use super::error::KafkaFailure;
use super::guard::Guard;

/// How long one request waits before it is checked whether the brokers refuse the client.
const ATTEMPT: Duration = Duration::from_millis(500);

/// The cluster's metadata, of all topics. Blocks for at most `timeout`; a refusal is told at once.
///
/// # Errors
/// A refusal, or an outage that lasts as long as `timeout`.
pub fn metadata(consumer: &BaseConsumer<Guard>, timeout: Duration) -> Result<Metadata, KafkaFailure> {
    let began = Instant::now();
    let guard = consumer.context();
    loop {
        // Serves what the client reports by itself, tokens included.
        drop(consumer.poll(Duration::ZERO));
        if let Some(refusal) = guard.refusal() {
            return Err(refusal);
        }
        match consumer.fetch_metadata(None, ATTEMPT.min(timeout)) {
            Ok(metadata) => return Ok(metadata),
            Err(error) if began.elapsed() >= timeout => {
                drop(consumer.poll(Duration::ZERO));
                return Err(guard.explain("asking for metadata", error));
            }
            Err(_) => {}
        }
    }
}
