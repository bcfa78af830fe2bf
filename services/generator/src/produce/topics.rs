//! The topics, made where they are missing.

use std::time::Duration;

use futures_util::future::BoxFuture;
use pulseline_clients::kafka::Settings;
use pulseline_runtime::config::KafkaConfig;
use pulseline_schemas::{DEAD_LETTER_TOPIC, Stream};
use rdkafka::admin::{AdminOptions, NewTopic, TopicReplication};
use rdkafka::types::RDKafkaErrorCode;

use crate::error::GeneratorError;

/// Longest to wait for the controller; an outage is waited out by asking again.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// What a broker's batch has besides its one large message.
const BATCH_BYTES: u32 = 64 * 1024;

/// Makes the topics of the streams and of the dead letters that do not exist; the others are left as they are.
///
/// # Errors
/// What Kafka says, except that a topic is there already. Outages are transient.
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
        // Its thread looks only ten times a second whether it should end, and dropping it waits for that.
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
