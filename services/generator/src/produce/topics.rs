//! Creates missing topics.

use std::time::Duration;

use futures_util::future::BoxFuture;
use pulseline_clients::kafka::Settings;
use pulseline_runtime::config::KafkaConfig;
use pulseline_schemas::{DEAD_LETTER_TOPIC, Stream};
use rdkafka::admin::{AdminOptions, NewTopic, TopicReplication};
use rdkafka::types::RDKafkaErrorCode;

use crate::error::GeneratorError;

/// Timeout of the controller; outages are retried.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// Overhead of a batch with one large message.
const BATCH_BYTES: u32 = 64 * 1024;

/// Creates the missing topics of streams and dead letters; leaves existing ones unchanged.
///
/// # Errors
/// Kafka's error, unless the topic exists already. Outages are transient.
pub fn ensure_topics(kafka: &KafkaConfig, partitions: i32) -> BoxFuture<'_, Result<(), GeneratorError>> {
    Box::pin(async move {
        let admin = Settings::new(kafka, "pulseline-generator")?
            .admin(CALL_TIMEOUT)
            .await?;
        let names = Stream::ALL
            .map(Stream::topic)
            .into_iter()
            .chain([DEAD_LETTER_TOPIC]);
        let bytes_max = kafka.message_bytes_max.saturating_add(BATCH_BYTES).to_string();
        let retention_ms = kafka.retention_ms.map(|ms| ms.to_string());
        let topics: Vec<_> = names
            .map(|name| {
                let replication = TopicReplication::Fixed(kafka.replication_factor);
                let topic = NewTopic::new(name, partitions, replication).set("max.message.bytes", &bytes_max);
                match &retention_ms {
                    Some(ms) => topic.set("retention.ms", ms),
                    None => topic,
                }
            })
            .collect();
        let options = AdminOptions::new()
            .request_timeout(Some(CALL_TIMEOUT))
            .operation_timeout(Some(CALL_TIMEOUT));
        let making = admin.create_topics(&topics, &options);
        let made = admin
            .inner()
            .context()
            .unless_refused("making topics", making)
            .await;
        // Dropping the client waits for its thread, which checks only ten times a second if it must end.
        tokio::task::spawn_blocking(move || drop(admin));
        for made in made? {
            match made {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, code)) => return Err(GeneratorError::Topic { topic, code }),
            }
        }
        Ok(())
    })
}
