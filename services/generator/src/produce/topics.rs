//! The topics, made where they are missing.

use std::time::Duration;

use pulseline_runtime::config::KafkaConfig;
use pulseline_schemas::{DEAD_LETTER_TOPIC, Stream};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::types::RDKafkaErrorCode;

use crate::error::GeneratorError;

/// Longest to wait for the controller; an outage is waited out by asking again.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// The broker's own default: a single node has 1, a cluster what its operators chose.
const REPLICATION_OF_BROKER: i32 = -1;

/// Makes the topics of the streams and of the dead letters that do not exist; the others are left as they are.
///
/// # Errors
/// What Kafka says, except that a topic is there already. Outages are transient.
pub async fn ensure_topics(kafka: &KafkaConfig, partitions: i32) -> Result<(), GeneratorError> {
    let failed = |what| move |source| GeneratorError::Kafka { what, source };
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", &kafka.brokers)
        .create()
        .map_err(failed("connecting"))?;
    let names = Stream::ALL
        .map(Stream::topic)
        .into_iter()
        .chain([DEAD_LETTER_TOPIC]);
    let topics: Vec<_> = names
        .map(|name| NewTopic::new(name, partitions, TopicReplication::Fixed(REPLICATION_OF_BROKER)))
        .collect();
    let options = AdminOptions::new()
        .request_timeout(Some(CALL_TIMEOUT))
        .operation_timeout(Some(CALL_TIMEOUT));
    let made = admin.create_topics(&topics, &options).await;
    // Its thread looks only ten times a second whether it should end, and dropping it waits for that.
    tokio::task::spawn_blocking(move || drop(admin));
    for made in made.map_err(failed("making topics"))? {
        match made {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => return Err(GeneratorError::Topic { topic, code }),
        }
    }
    Ok(())
}
